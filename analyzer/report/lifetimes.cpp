#include <nlohmann/json.hpp>

#include "report/distribution.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"

namespace memprof {

namespace {

// A lifetime is known of a freed block alone; those still open are counted apart, not taken for as old as the trace.
class LifetimeVisitor : public ChunkVisitor {
 public:
  LifetimeVisitor(const Trace& trace, const DomainSet& domains)
      : trace_(trace), domains_(domains), spread(decimal_edges()) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, const Release& release) override {
    if (!domains_.has(domain)) return;
    const uint64_t born = trace_.clock.ns_since_start(chunk.alloc_ticks);
    const uint64_t died = trace_.clock.ns_since_start(release.event.ticks);
    spread.add(chunk, site, died > born ? died - born : 0, false);
    temporary += release.is_temporary;
  }
  void open(uint16_t domain, uint64_t, const Chunk& chunk, StackId, bool) override {
    if (!domains_.has(domain)) return;
    ++open_blocks;
    open_bytes += chunk.size;
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

 private:
  const Trace& trace_;
  const DomainSet domains_;

 public:
  Spread spread;
  uint64_t temporary = 0;
  uint64_t open_blocks = 0, open_bytes = 0;
};

void print_text(const Analysis& analysis, const LifetimeVisitor& lifetimes, const SiteGroups* groups,
                const ReportOptions& options, Output& out) {
  const Spread& spread = lifetimes.spread;
  const uint64_t blocks = spread.values.count();
  const std::string open = fmt::format("{} of {} open {}", count_of(lifetimes.open_blocks, "block", "blocks"),
                                       format_bytes(lifetimes.open_bytes), at_end(analysis.trace));
  if (blocks == 0) {
    out.print("No {}block of {} was freed, so no lifetime is known; {}.\n", options.filters.choose() ? "such " : "",
              domains_text(options.domain), open);
    print_why_empty(out, analysis.trace, options);
    return;
  }
  out.print("{} of {} freed in {}, {} of them temporary\n", count_of(blocks, "block", "blocks"),
            format_bytes(spread.bytes), domains_text(options.domain), format_count(lifetimes.temporary));
  print_selection(out, analysis.trace, options);
  out.print("{}: no lifetime yet, not counted below\n", open);
  out.print("mean {}   {}   (within 0.4 %)\n\n", format_duration(static_cast<uint64_t>(spread.sum / blocks)),
            percentile_line(spread.values, format_duration));
  out.write("Time from allocation to free\n");
  print_bins(out, spread.bins.filled(), blocks, spread.bytes, format_duration);
  out.print("\nBy {}, those with most freed blocks first\n", group_name(options.group));
  print_site_spreads(analysis, groups, options, spread, format_duration, out);
}

}  // namespace

bool report_lifetimes(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  const auto groups = groups_for(trace, options);
  LifetimeVisitor lifetimes(trace, *domains);
  const Analysis analysis = analyse(trace, &lifetimes, progress);
  if (options.json) {
    Json document = {{"schema", "memprof.lifetimes/1"},
                     {"domain", to_utf8(options.domain)},
                     {"group", group_name(options.group)},
                     {"complete", trace.file.complete()},
                     {"bytes", lifetimes.spread.bytes},
                     {"temporary", lifetimes.temporary},
                     {"open", {{"chunks", lifetimes.open_blocks}, {"bytes", lifetimes.open_bytes}}},
                     {"lifetime_ns", percentiles_json(lifetimes.spread.values, lifetimes.spread.sum)},
                     {"bins", bins_json(lifetimes.spread.bins.filled())},
                     {"sites", site_spreads_json(analysis, groups.get(), options, lifetimes.spread)}};
    put_selection(document, analysis, options, analysis.account(*domains));
    print_json(out, document);
  } else if (options.csv) {
    if (options.table == "sites")
      print_site_spreads_csv(analysis, groups.get(), options, lifetimes.spread, "ns", out);
    else
      print_bins_csv(out, lifetimes.spread.bins.filled(), "ns");
  } else {
    print_text(analysis, lifetimes, groups.get(), options, out);
  }
  return true;
}

}  // namespace memprof
