#include "report/site_list.h"

#include "report/escape.h"
#include "report/numbers.h"
#include "report/site_json.h"

namespace memprof {

namespace {

constexpr size_t kDefaultTop = 20;
constexpr size_t kDefaultFrames = 32;

}  // namespace

std::optional<uint16_t> find_domain(const Trace& trace, std::string_view name) {
  const auto& all = trace.domains.all();
  for (size_t index = 0; index < all.size(); ++index)
    if (all[index].name == name) return static_cast<uint16_t>(index);
  return std::nullopt;
}

void print_sites_json(const Analysis& analysis, const Account* account, const ReportOptions& options,
                      const char* schema, Output& out) {
  FrameSource source(analysis.trace, options.symbols);
  Json document = {{"schema", schema},
                   {"by", rank_info(options.by).name},
                   {"domain", to_utf8(options.domain)},
                   {"complete", analysis.trace.file.complete()}};
  document["total"] = account ? rank_total(*account, options.by) : 0;
  document["sites"] = 0;
  Json& list = document["stacks"] = Json::array();
  if (account) {
    document["sites"] = ranked_sites(*account, options.by, SIZE_MAX).size();
    for (const Site* site : ranked_sites(*account, options.by, options.top.value_or(SIZE_MAX)))
      list.push_back(site_json(analysis, source, *site, options.max_frames.value_or(StackNodes::kMaxFrames)));
  }
  print_json(out, document);
}

void print_sites_text(const Analysis& analysis, const Account& account, const ReportOptions& options, Output& out) {
  const Trace& trace = analysis.trace;
  FrameSource source(trace, options.symbols);
  StackStyle style;
  style.max_frames = options.max_frames.value_or(kDefaultFrames);
  style.fold = !options.max_frames.has_value();
  const size_t all = ranked_sites(account, options.by, SIZE_MAX).size();
  const std::vector<const Site*> sites = ranked_sites(account, options.by, options.top.value_or(kDefaultTop));
  const double total = static_cast<double>(rank_total(account, options.by));
  const bool is_count = rank_info(options.by).is_count;
  for (const Site* site : sites) {
    const uint64_t value = rank_value(*site, options.by);
    std::string extra;
    if (options.by == RankBy::peak)
      extra = fmt::format(", at {}", format_duration(trace.clock.ns_since_start(site->peak_ticks)));
    if (options.by == RankBy::open) extra = ", in " + count_of(site->open_chunks, "block", "blocks");
    if (options.by == RankBy::at_peak) extra = ", in " + count_of(site->at_peak_chunks, "block", "blocks");
    out.print("{}  {}{}, {}\n", is_count ? format_count(value) : format_bytes(value),
              format_share(static_cast<double>(value), total), extra, escape_text(trace.domains.tag_name(site->tag)));
    out.print("     {} allocated in {}; open {} in {}; own peak {}; {} temporary\n",
              format_bytes(site->bytes_allocated), format_count(site->allocations), format_bytes(site->open_bytes),
              format_count(site->open_chunks), format_bytes(site->peak_bytes), format_count(site->temporary));
    print_stack(out, trace, source, site->stack, style);
    out.write("\n");
  }
  if (all > sites.size())
    out.print("... {} (--top {} shows all)\n", count_of(all - sites.size(), "more stack", "more stacks"), all);
  for (const std::string& problem : source.symbol_problems())
    out.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
}

}  // namespace memprof
