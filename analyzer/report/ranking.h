// Sites in the order of one of their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/account.h"

namespace memprof {

enum class RankBy { open, peak, at_peak, allocated, allocations, temporary };

struct RankInfo {
  RankBy by;
  const char* name;         // as on the command line
  const char* description;  // "open bytes at the end"
  bool is_count;            // a number of blocks, not of bytes
};

const RankInfo& rank_info(RankBy by);
std::optional<RankBy> parse_rank(std::string_view name);
// "open, peak, ..."
std::string_view rank_names();

uint64_t rank_value(const Site& site, RankBy by);
// Of the whole domain: what 100 % is. For `peak` the sum of all sites' own peaks says nothing, so it is the domain's
// peak.
uint64_t rank_total(const Account& account, RankBy by);

// The sites whose value is not zero, greatest first, at most `top`.
std::vector<const Site*> ranked_sites(const Account& account, RankBy by, size_t top);

}  // namespace memprof
