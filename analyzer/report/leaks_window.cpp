// `leaks --older`, `leaks --between` and, for tables, all open blocks.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "report/escape.h"
#include "report/leaks_list.h"
#include "report/moment.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

namespace {

// Blocks of one domain, allocated in a span of time and still open at its end.
class SpanOfBlocks : public ChunkVisitor {
 public:
  SpanOfBlocks(const Trace& trace, const DomainSet& domains, uint64_t from_ns, uint64_t to_ns, uint64_t open_at_ns)
      : clock_(trace.clock), domains_(domains), from_ns_(from_ns), to_ns_(to_ns), open_at_ns_(open_at_ns) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId stack, const Release& release) override {
    if (domains_.has(domain) && clock_.ns_since_start(release.event.ticks) >= open_at_ns_) add(chunk, stack);
  }
  void open(uint16_t domain, uint64_t, const Chunk& chunk, StackId stack, bool) override {
    if (domains_.has(domain)) add(chunk, stack);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  LeakList take() {
    std::sort(list_.sites.begin(), list_.sites.end(), [](const LeakSite& a, const LeakSite& b) {
      if (a.bytes != b.bytes) return a.bytes > b.bytes;
      if (a.blocks != b.blocks) return a.blocks > b.blocks;
      return a.stack < b.stack;
    });
    return std::move(list_);
  }

 private:
  void add(const Chunk& chunk, StackId stack) {
    const uint64_t ns = clock_.ns_since_start(chunk.alloc_ticks);
    if (ns < from_ns_ || ns >= to_ns_) return;
    const auto [found, is_new] = index_.try_emplace(stack, list_.sites.size());
    if (is_new) list_.sites.push_back({stack, chunk.tag, 0, 0, ns, ns});
    LeakSite& site = list_.sites[found->second];
    site.bytes += chunk.size;
    ++site.blocks;
    site.first_ns = std::min(site.first_ns, ns);
    site.last_ns = std::max(site.last_ns, ns);
    list_.bytes += chunk.size;
    ++list_.blocks;
  }

  const Clock& clock_;
  const DomainSet domains_;
  const uint64_t from_ns_, to_ns_, open_at_ns_;
  tsl::robin_map<StackId, size_t> index_;
  LeakList list_;
};

}  // namespace

LeakSpan find_leak_span(const Trace& trace, const ReportOptions& options, ProgressSink* progress) {
  LeakSpan span;
  span.end_ns = ends_early(trace) ? trace.selection.to_ns : end_of_trace_ns(trace, progress);
  span.open_at_ns = trace.selection.to_ns;
  span.to_ns = UINT64_MAX;
  if (options.older_ns) {
    // An age of exactly so much is included. Nothing is older than the trace.
    span.to_ns = *options.older_ns > span.end_ns ? 0 : span.end_ns - *options.older_ns + 1;
  } else if (options.between) {
    const Moment from = find_moment(options.between->first, trace, span.end_ns);
    const Moment to = find_moment(options.between->second, trace, span.end_ns);
    span.problem = !from.problem.empty() ? from.problem : to.problem;
    if (span.problem.empty() && from.ns >= to.ns)
      span.problem = fmt::format("--between {} {}: {} is not before {}", options.between->first,
                                 options.between->second, format_duration(from.ns), format_duration(to.ns));
    if (span.problem.empty() && from.ns > span.end_ns)
      span.problem = fmt::format("--between {} {}: {}", options.between->first, options.between->second,
                                 describe_extent(trace, span.end_ns));
    span.from_ns = from.ns;
    // What is open at the end of the trace includes what was allocated by its very last event.
    if (to.ns < span.end_ns) span.to_ns = span.open_at_ns = to.ns;
  }
  return span;
}

bool report_leaks_of_span(const Trace& trace, const LeakSpan& span, const ReportOptions& options, Output& out,
                          ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  SpanOfBlocks visitor(trace, *domains, span.from_ns, span.to_ns, span.open_at_ns);
  const Analysis analysis = analyse(trace, &visitor, progress);
  LeakList list = visitor.take();
  list.end_ns = std::min(span.open_at_ns, span.end_ns);
  if (options.csv) {
    print_leak_list_csv(trace, list, options, out);
    return true;
  }
  if (options.json) {
    Json extra = {{"end_ns", list.end_ns}};
    if (options.older_ns) extra["older_ns"] = *options.older_ns;
    put_selection(extra, analysis, options, analysis.account(*domains));
    if (options.between) extra["between"] = {{"from_ns", span.from_ns}, {"to_ns", list.end_ns}};
    print_leak_list_json(trace, list, extra, options, out);
    return true;
  }
  const std::string end = ends_early(trace)                ? "then"
                          : trace.file.closed_by_library() ? "at exit"
                                                           : "when the trace ends";
  const std::string age = format_duration(options.older_ns.value_or(0));
  const std::string from = format_duration(span.from_ns), to = format_duration(list.end_ns);
  const std::string which = options.older_ns ? fmt::format("{} old or older {} ({})", age, end, to)
                                             : fmt::format("allocated between {} and {} and still open then", from, to);
  if (list.blocks == 0) {
    if (options.older_ns && span.to_ns == 0)
      out.print("Nothing is {} old: the {} {}{}.\n", age, ends_early(trace) ? "window ends at" : "trace is",
                format_duration(span.end_ns), ends_early(trace) ? "" : " long");
    else
      out.print("Nothing: no block of {} is {}.\n", domains_text(options.domain), which);
    print_why_empty(out, trace, options);
    return true;
  }
  out.print("{} in {} {},\nfrom {}\n", format_bytes(list.bytes), count_of(list.blocks, "block", "blocks"), which,
            count_of(list.sites.size(), "stack", "stacks"));
  print_selection(out, trace, options);
  out.write("\n");
  print_leak_list_text(trace, list, options, out);
  return true;
}

}  // namespace memprof
