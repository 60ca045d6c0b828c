#include "report/site_json.h"

#include <nlohmann/json.hpp>

#include "report/escape.h"

namespace memprof {

StackCounts count_stacks(const Analysis& analysis, const Account* account) {
  StackCounts counts;
  if (!account) return counts;
  for (const Site& site : account->sites.all()) {
    if (site.stack == format::kNoStack || site.allocations == 0) continue;
    ++counts.stacks;
    counts.truncated += analysis.trace.nodes.is_truncated(site.stack);
  }
  return counts;
}

void put_account(Json& out, const Analysis& analysis, const Account* account) {
  const StackCounts stacks = count_stacks(analysis, account);
  const auto number = [&](auto get) { return account ? static_cast<uint64_t>(get(*account)) : uint64_t{0}; };
  out["allocations"] = number([](const Account& a) { return a.allocations; });
  out["frees"] = number([](const Account& a) { return a.frees(); });
  out["bytes_allocated"] = number([](const Account& a) { return a.bytes_allocated; });
  out["temporary"] = number([](const Account& a) { return a.temporary; });
  out["stacks"] = stacks.stacks;
  out["truncated_stacks"] = stacks.truncated;
  out["open"] = {{"chunks", number([](const Account& a) { return a.open_chunks(); })},
                 {"bytes", number([](const Account& a) { return a.open_bytes(); })}};
  out["closed"] = {{"chunks", number([](const Account& a) { return a.closed_chunks(); })},
                   {"bytes", number([](const Account& a) { return a.closed_bytes(); })}};
  out["orphaned"] = {{"chunks", number([](const Account& a) { return a.orphans(); })},
                     {"inherited", number([](const Account& a) { return a.orphaned[0]; })},
                     {"before_start", number([](const Account& a) { return a.orphaned[1]; })},
                     {"unknown", number([](const Account& a) { return a.orphaned[2]; })}};
  out["peak"] = {
      {"bytes", number([](const Account& a) { return a.sites.peak_bytes(); })},
      {"chunks", number([](const Account& a) { return a.sites.peak_chunks(); })},
      {"time_ns", number([&](const Account& a) { return analysis.trace.clock.ns_since_start(a.sites.peak_ticks()); })}};
  out["filtered_frees"] = number([](const Account& a) { return a.filtered_frees; });
  out["double_allocations"] = number([](const Account& a) { return a.double_allocations; });
}

Json site_json(const Analysis& analysis, FrameSource& source, const Site& site, const ReportOptions& options) {
  const Trace& trace = analysis.trace;
  Json entry = {{"allocator", to_utf8(trace.domains.tag_name(site.tag))},
                {"allocations", site.allocations},
                {"bytes_allocated", site.bytes_allocated},
                {"temporary", site.temporary},
                {"open", {{"chunks", site.open_chunks}, {"bytes", site.open_bytes}}},
                {"closed", {{"chunks", site.closed_chunks()}, {"bytes", site.closed_bytes()}}},
                {"peak", {{"bytes", site.peak_bytes}, {"time_ns", trace.clock.ns_since_start(site.peak_ticks)}}},
                {"at_peak", {{"chunks", site.at_peak_chunks}, {"bytes", site.at_peak_bytes}}},
                {"truncated", trace.nodes.is_truncated(site.stack)}};
  put_stack(entry, "stack", source, site.stack, options);
  return entry;
}

}  // namespace memprof
