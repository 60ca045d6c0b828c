// `leaks --growth`: stacks whose open bytes rise all the time, with the evidence.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "report/csv.h"
#include "report/escape.h"
#include "report/leaks_list.h"
#include "report/leaks_samples.h"
#include "report/leaks_trend.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr size_t kGrowthTop = 20;
constexpr size_t kGrowthFrames = 32;
constexpr size_t kValuesInText = 6;

class Sampler : public ChunkVisitor {
 public:
  Sampler(const Trace& trace, const DomainSet& domains)
      : clock_(trace.clock), domains_(domains), from_ns_(trace.selection.from_ns) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId stack, const Release& release) override {
    if (!domains_.has(domain)) return;
    samples.add(stack, chunk.tag, chunk.size, in_window(chunk.alloc_ticks), in_window(release.event.ticks));
  }
  void open(uint16_t domain, uint64_t, const Chunk& chunk, StackId stack, bool) override {
    if (!domains_.has(domain)) return;
    samples.add(stack, chunk.tag, chunk.size, in_window(chunk.alloc_ticks), std::nullopt);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  OpenBytesSamples samples;

 private:
  // The first sample is that of the window's start.
  uint64_t in_window(uint64_t ticks) const { return std::max(clock_.ns_since_start(ticks), from_ns_) - from_ns_; }

  const Clock& clock_;
  const DomainSet domains_;
  const uint64_t from_ns_;
};

struct Growing {
  const OpenBytesSamples::Series* series;
  std::vector<uint64_t> values;
  Trend trend;
  // To the highest value and not to the last: a cache that is emptied at exit grew too.
  uint64_t growth() const { return *std::max_element(values.begin(), values.end()) - values.front(); }
};

StackId stack_of(const Growing& growing) { return growing.series->stack; }

std::vector<Growing> find_growing(const OpenBytesSamples& samples) {
  std::vector<Growing> found;
  for (const OpenBytesSamples::Series& series : samples.all()) {
    std::vector<uint64_t> values = samples.samples(series);
    const Trend trend = trend_of(values);
    if (trend.is_growing) found.push_back({&series, std::move(values), trend});
  }
  std::sort(found.begin(), found.end(), [](const Growing& a, const Growing& b) {
    return a.growth() != b.growth() ? a.growth() > b.growth() : a.series->stack < b.series->stack;
  });
  return found;
}

std::string chance_text(double p) { return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", p); }

// The first, the last, and some between them.
std::string values_text(const std::vector<uint64_t>& values) {
  std::string text;
  for (size_t i = 0; i < kValuesInText; ++i)
    text += (i == 0 ? "" : ", ") + format_bytes(values[i * (values.size() - 1) / (kValuesInText - 1)]);
  return text;
}

void print_text(const Trace& trace, const OpenBytesSamples& samples, const std::vector<Growing>& growing,
                const ReportOptions& options, Output& out) {
  const std::string sampled = fmt::format("open bytes sampled {} times, every {}", samples.sample_count(),
                                          format_duration(samples.interval_ns()));
  if (samples.all().empty()) {
    out.print("Nothing {} in the {}.\n", options.filters.choose() ? "is left" : "was allocated",
              domains_text(options.domain));
    print_why_empty(out, trace, options);
    return;
  }
  if (growing.empty()) {
    out.print("No stack grows all the time, of {} ({}).\n", format_count(samples.all().size()), sampled);
    print_selection(out, trace, options);
    return;
  }
  out.print("{} of {} all the time; {}\n", count_of(growing.size(), "stack", "stacks"),
            fmt::format("{} grow{}", format_count(samples.all().size()), growing.size() == 1 ? "s" : ""), sampled);
  print_selection(out, trace, options);
  out.write("\n");
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kGrowthFrames);
  const size_t shown = std::min(options.top.value_or(kGrowthTop), growing.size());
  source.prepare_each(std::span(growing).first(shown), stack_of, style.max_frames + 64);
  for (size_t i = 0; i < shown; ++i) {
    const Growing& g = growing[i];
    const double per_second = g.trend.slope * 1e9 / static_cast<double>(samples.interval_ns());
    out.print("+{}, {}/s; {} open {}, {}\n", format_bytes(g.growth()),
              format_bytes(static_cast<uint64_t>(std::max(per_second, 0.0))),
              count_of(g.series->open_blocks, "block", "blocks"), at_end(trace),
              escape_text(trace.domains.tag_name(g.series->tag)));
    out.print("     open: {}\n", values_text(g.values));
    out.print("     rises in {} of {} intervals, falls in {}; Mann-Kendall S = {}, tau {:.2f}, {}\n", g.trend.rises,
              g.trend.intervals, g.trend.falls, g.trend.s, g.trend.tau, chance_text(g.trend.p));
    print_stack(out, trace, source, g.series->stack, style);
    out.print("\n");
  }
  if (shown < growing.size())
    out.print("... and {} (--top 0 shows all)\n", count_of(growing.size() - shown, "other stack", "other stacks"));
}

void print_json_document(const Analysis& analysis, const DomainSet& domains, const OpenBytesSamples& samples,
                         const std::vector<Growing>& growing, const ReportOptions& options, Output& out) {
  const Trace& trace = analysis.trace;
  FrameSource source(trace, options.symbols);
  Json document = {{"schema", "memprof.leaks/1"},          {"by", "growth"},
                   {"domain", to_utf8(options.domain)},    {"complete", trace.file.complete()},
                   {"interval_ns", samples.interval_ns()}, {"samples", samples.sample_count()},
                   {"tested", samples.all().size()},       {"sites", growing.size()}};
  put_selection(document, analysis, options, analysis.account(domains));
  Json& stacks = document["stacks"] = Json::array();
  const auto shown = std::span(growing).first(std::min(options.top.value_or(SIZE_MAX), growing.size()));
  source.prepare_each(shown, stack_of, shown_limit(options));
  for (const Growing& g : shown) {
    Json entry = {{"allocator", to_utf8(trace.domains.tag_name(g.series->tag))},
                  {"growth_bytes", g.growth()},
                  {"open", {{"chunks", g.series->open_blocks}, {"bytes", g.values.back()}}},
                  {"intervals", g.trend.intervals},
                  {"rises", g.trend.rises},
                  {"falls", g.trend.falls},
                  {"mann_kendall", {{"s", g.trend.s}, {"z", g.trend.z}, {"p", g.trend.p}, {"tau", g.trend.tau}}},
                  {"bytes_per_second", g.trend.slope * 1e9 / static_cast<double>(samples.interval_ns())},
                  {"open_bytes_samples", g.values},
                  {"truncated", trace.nodes.is_truncated(g.series->stack)}};
    put_stack(entry, "stack", source, g.series->stack, options);
    stacks.push_back(std::move(entry));
  }
  print_json(out, document);
}

void print_csv(const Trace& trace, const OpenBytesSamples& samples, const std::vector<Growing>& growing,
               const ReportOptions& options, Output& out) {
  FrameSource source(trace, options.symbols);
  out.write("growth_bytes,open_bytes,open_blocks,bytes_per_second,intervals,rises,falls,s,tau,p,allocator,stack\r\n");
  const auto shown = std::span(growing).first(std::min(options.top.value_or(SIZE_MAX), growing.size()));
  source.prepare_each(shown, stack_of, shown_limit(options));
  for (const Growing& g : shown) {
    out.print("{},{},{},{},{},{},{},{},{},{},{},{}\r\n", g.growth(), g.values.back(), g.series->open_blocks,
              g.trend.slope * 1e9 / static_cast<double>(samples.interval_ns()), g.trend.intervals, g.trend.rises,
              g.trend.falls, g.trend.s, g.trend.tau, g.trend.p, csv_field(trace.domains.tag_name(g.series->tag)),
              csv_field(joined_stack(source, g.series->stack, options)));
  }
}

}  // namespace

bool report_leaks_growth(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  Sampler sampler(trace, *domains);
  const Analysis analysis = analyse(trace, &sampler, progress);
  sampler.samples.finish(analysis.end_ns() - std::min(analysis.from_ns(), analysis.end_ns()));
  const std::vector<Growing> growing = find_growing(sampler.samples);
  if (options.json)
    print_json_document(analysis, *domains, sampler.samples, growing, options, out);
  else if (options.csv)
    print_csv(trace, sampler.samples, growing, options, out);
  else
    print_text(trace, sampler.samples, growing, options, out);
  return true;
}

}  // namespace memprof
