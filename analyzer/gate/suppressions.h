// The findings that somebody has decided to live with: what files and programs say of them, asked in the order in which
// it was added.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gate/lsan_suppressions.h"
#include "gate/valgrind_suppressions.h"
#include "gate/verdict.h"

namespace memprof {

class Suppressions {
 public:
  // valgrind's where the first line that is no comment is `{`, else LeakSanitizer's. Returns what is wrong, for the
  // user: file, line, expected, found; "" when all of it was added, else nothing was.
  std::string add_file(const std::string& path);
  std::string add_text(std::string_view text, const std::string& file);
  // What a program brings (gate/embedded_suppressions.h). `program`: for messages. A pattern that a program brought
  // before is not added again: traces may be of the same one.
  std::string add_embedded(std::string_view text, const std::string& program);

  // The first that matches: an index into uses(). One that names the allocating function goes before one that names
  // what valgrind has in its place.
  std::optional<size_t> match(const Finding& finding) const;
  // Sets Finding::suppression of all, and counts. Findings of the baseline alone have no stack; they stay as they are.
  void apply(std::vector<Finding>& findings);

  // In order, with what apply() counted: Verdict::suppressions.
  const std::vector<SuppressionUse>& uses() const { return uses_; }
  bool empty() const { return uses_.empty(); }

 private:
  using One = std::variant<ValgrindSuppression, LsanSuppression>;
  bool is_embedded(const std::string& pattern) const;

  std::vector<One> all_;
  std::vector<SuppressionUse> uses_;  // of the same number
};

}  // namespace memprof
