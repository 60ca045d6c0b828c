// Adds up what pairing tells: the last stage of an analysis.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/account.h"
#include "model/domains.h"
#include "model/site_keys.h"
#include "model/sum_observer.h"
#include "model/sum_ops.h"

namespace memprof {

class Summing {
 public:
  // `accounts`: pairing's, of which this touches only the sites. `observer` may be null.
  Summing(const std::vector<std::unique_ptr<Account>>& accounts, const StackNodes& nodes, const SiteKeys& site_keys,
          SumObserver* observer)
      : accounts_(accounts), nodes_(nodes), site_keys_(site_keys), observer_(observer) {}

  // The blocks of `domains` go into `together` as well, which outlives this.
  void add_up_together(const DomainSet& domains, Account& together) {
    domains_together_ = &domains;
    together_ = &together;
  }

  void apply(std::span<const SumOp> ops);
  // After the last of them.
  void finish();

 private:
  StackId key_of(const SumOp& op) const { return site_keys_.of(op.stack, op.tag, op.thread); }
  // Of a block that comes into the sums.
  SiteIndex entered_site(Account& account, const SumOp& op);
  void prefetch(const SumOp& op) const;
  void apply_to(Account& account, const SumOp& op);
  void tell(const SumOp& op);

  const std::vector<std::unique_ptr<Account>>& accounts_;
  const StackNodes& nodes_;
  const SiteKeys site_keys_;
  SumObserver* observer_;
  const DomainSet* domains_together_ = nullptr;
  Account* together_ = nullptr;  // null: nobody asked
  uint64_t stamp_ = 0;           // of the allocation that comes next; 0: that of its event
};

}  // namespace memprof
