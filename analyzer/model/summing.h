// Adds up what pairing tells: the last stage of an analysis.
#pragma once

#include <memory>
#include <vector>

#include "model/account.h"
#include "model/sum_observer.h"
#include "model/sum_ops.h"

namespace memprof {

class Summing {
 public:
  // `accounts`: pairing's, of which this touches only the sites. `observer` may be null.
  Summing(const std::vector<std::unique_ptr<Account>>& accounts, SumObserver* observer)
      : accounts_(accounts), observer_(observer) {}

  void apply(const SumOps& ops);
  // After the last of them.
  void finish();

 private:
  void tell(const Sites& sites, const SumOp& op);

  const std::vector<std::unique_ptr<Account>>& accounts_;
  SumObserver* observer_;
  uint64_t stamp_ = 0;  // of the allocation that comes next; 0: that of its event
};

}  // namespace memprof
