#include "report/ranking.h"

#include <algorithm>

#include "report/numbers.h"

namespace memprof {

namespace {

constexpr RankInfo kRanks[] = {
    {RankBy::open, "open", "bytes open at the end", RankUnit::bytes, false},
    {RankBy::peak, "peak", "own peak", RankUnit::bytes, false},
    {RankBy::at_peak, "at-peak", "bytes open at the peak", RankUnit::bytes, false},
    {RankBy::allocated, "allocated", "bytes allocated", RankUnit::bytes, false},
    {RankBy::allocations, "allocations", "allocations", RankUnit::blocks, false},
    {RankBy::temporary, "temporary", "temporary allocations", RankUnit::blocks, false},
    {RankBy::lifetime, "lifetime", "time that freed blocks lived, all added up", RankUnit::ns, true},
    {RankBy::realloc_growth, "realloc-growth", "bytes gained by reallocs", RankUnit::bytes, true},
};

}  // namespace

const RankInfo& rank_info(RankBy by) {
  return *std::find_if(std::begin(kRanks), std::end(kRanks), [&](const RankInfo& info) { return info.by == by; });
}

std::optional<RankBy> parse_rank(std::string_view name) {
  for (const RankInfo& info : kRanks)
    if (name == info.name) return info.by;
  return std::nullopt;
}

std::string_view rank_names() {
  return "open, peak, at-peak, allocated, allocations, temporary, lifetime, realloc-growth";
}

std::string format_rank(uint64_t value, RankBy by) {
  switch (rank_info(by).unit) {
    case RankUnit::blocks: return format_count(value);
    case RankUnit::ns: return format_duration(value);
    case RankUnit::bytes: break;
  }
  return format_bytes(value);
}

uint64_t rank_value(const Site& site, RankBy by, const SiteTallies* tallies) {
  switch (by) {
    case RankBy::open: return site.open_bytes;
    case RankBy::peak: return site.peak_bytes;
    case RankBy::at_peak: return site.at_peak_bytes;
    case RankBy::allocated: return site.bytes_allocated;
    case RankBy::allocations: return site.allocations;
    case RankBy::temporary: return site.temporary;
    case RankBy::lifetime: return tallies ? tallies->of(site.stack).lifetime_sum_ns() : 0;
    case RankBy::realloc_growth: return tallies ? tallies->of(site.stack).gained_bytes() : 0;
  }
  return 0;
}

uint64_t rank_total(const Account& account, RankBy by, const SiteTallies* tallies) {
  switch (by) {
    case RankBy::open: return account.open_bytes();
    case RankBy::peak:
    case RankBy::at_peak: return account.sites.peak_bytes();
    case RankBy::allocated: return account.bytes_allocated;
    case RankBy::allocations: return account.allocations;
    case RankBy::temporary: return account.temporary;
    case RankBy::lifetime: return tallies ? tallies->all().lifetime_sum_ns() : 0;
    case RankBy::realloc_growth: {
      // Of the sites that gained: those that lost would make the shares larger than the whole.
      uint64_t sum = 0;
      for (const Site& site : account.sites.all()) sum += rank_value(site, by, tallies);
      return sum;
    }
  }
  return 0;
}

std::vector<const Site*> ranked_sites(const Account& account, RankBy by, size_t top, const SiteTallies* tallies) {
  std::vector<const Site*> sites;
  for (const Site& site : account.sites.all())
    // An open block of zero bytes is open too.
    if (rank_value(site, by, tallies) != 0 || (by == RankBy::open && site.open_chunks != 0)) sites.push_back(&site);
  const auto before = [&](const Site* a, const Site* b) {
    const uint64_t value_a = rank_value(*a, by, tallies), value_b = rank_value(*b, by, tallies);
    if (value_a != value_b) return value_a > value_b;
    if (a->open_chunks != b->open_chunks) return a->open_chunks > b->open_chunks;
    return a->stack < b->stack;
  };
  const size_t kept = std::min(top, sites.size());
  std::partial_sort(sites.begin(), sites.begin() + static_cast<std::ptrdiff_t>(kept), sites.end(), before);
  sites.resize(kept);
  return sites;
}

}  // namespace memprof
