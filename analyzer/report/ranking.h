// Sites in the order of one of their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/account.h"
#include "report/site_tallies.h"

namespace memprof {

enum class RankBy { open, peak, at_peak, allocated, allocations, temporary, lifetime, realloc_growth };

enum class RankUnit { bytes, blocks, ns };

struct RankInfo {
  RankBy by;
  const char* name;         // as on the command line
  const char* description;  // "bytes open at the end"
  RankUnit unit;
  bool needs_tallies;
};

const RankInfo& rank_info(RankBy by);
std::optional<RankBy> parse_rank(std::string_view name);
// "open, peak, ..."
std::string_view rank_names();
std::string format_rank(uint64_t value, RankBy by);

// `tallies` may be null for the ranks that do not need them.
uint64_t rank_value(const Site& site, RankBy by, const SiteTallies* tallies = nullptr);
// Of the whole domain: what 100 % is. For `peak` the sum of all sites' own peaks says nothing, so it is the domain's
// peak.
uint64_t rank_total(const Account& account, RankBy by, const SiteTallies* tallies = nullptr);

// The sites whose value is not zero, greatest first, at most `top`.
std::vector<const Site*> ranked_sites(const Account& account, RankBy by, size_t top,
                                      const SiteTallies* tallies = nullptr);

}  // namespace memprof
