#include "report/site_list.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "report/escape.h"
#include "report/numbers.h"
#include "report/selection_text.h"
#include "report/site_json.h"
#include "report/stack_filter.h"

namespace memprof {

namespace {

constexpr size_t kSitesTop = 20;
constexpr size_t kSitesFrames = 32;

}  // namespace

std::string count_sites(uint64_t count, GroupBy by, const char* what) {
  const std::string name = std::string(what) + group_name(by);
  return count_of(count, name.c_str(), (name + "s").c_str());
}

std::string joined_stack(FrameSource& source, StackId stack, const ReportOptions& options) {
  const ShownFrames shown = shown_frames(source, stack, shown_limit(options), options.hidden_frames);
  std::string text;
  for (const Frame& frame : shown.frames) text += (text.empty() ? "" : ";") + function_text(frame);
  if (shown.hidden != 0)
    text += fmt::format("{}({} hidden)", text.empty() ? "" : ";", count_of(shown.hidden, "frame", "frames"));
  return text;
}

Json name_json(GroupBy by, const BlockGroups::Name& name) {
  return {{"by", group_name(by)},
          {"name", to_utf8(name.name)},
          {"module", name.module.empty() ? Json() : Json(to_utf8(name.module))}};
}

Json group_json(const Analysis& analysis, const SiteGroups& groups, StackId site) {
  return name_json(groups.by(), groups.name(analysis, site));
}

Json listed_site_json(const Analysis& analysis, const SiteGroups* groups, FrameSource& source, const Site& site,
                      const ReportOptions& options) {
  Json entry = site_json(analysis, source, site, options);
  if (!groups) return entry;
  entry.erase("truncated");
  entry.erase("stack");
  entry["group"] = group_json(analysis, *groups, site.stack);
  return entry;
}

std::string group_line(const Analysis& analysis, const SiteGroups& groups, StackId site, size_t columns) {
  return name_line(groups.name(analysis, site), columns);
}

std::string name_line(const BlockGroups::Name& name, size_t columns) {
  const std::string module = module_note(name.name, name.module);
  const size_t taken = text_width(module);
  const size_t room = std::max<size_t>(columns > taken ? columns - taken : 0, 24);
  return cut_text(shorten_function(escape_text(name.name), room) + module, columns);
}

void print_sites_json(const Analysis& analysis, const Account* account, const ReportOptions& options,
                      const SiteExtras& extras, const char* schema, Output& out) {
  FrameSource source(analysis.trace, options.symbols);
  const SiteTallies* tallies = extras.tallies.get();
  Json document = {{"schema", schema},
                   {"by", rank_info(options.by).name},
                   {"group", group_name(options.group)},
                   {"domain", to_utf8(options.domain)},
                   {"complete", analysis.trace.file.complete()}};
  put_selection(document, analysis, options, account);
  document["total"] = account ? rank_total(*account, options.by, tallies) : 0;
  document["sites"] = 0;
  Json& list = document["stacks"] = Json::array();
  if (account) {
    document["sites"] = ranked_sites(*account, options.by, SIZE_MAX, tallies).size();
    const auto sites = ranked_sites(*account, options.by, options.top.value_or(SIZE_MAX), tallies);
    source.prepare_each(sites, &Site::stack, options.max_frames.value_or(StackNodes::kMaxFrames));
    for (const Site* site : sites) {
      Json entry = listed_site_json(analysis, extras.groups.get(), source, *site, options);
      if (tallies) {
        const SiteTally& tally = tallies->of(site->stack);
        entry["lifetime"] = {
            {"blocks", tally.freed}, {"sum_ns", tally.lifetime_sum_ns()}, {"mean_ns", tally.lifetime_mean_ns()}};
        entry["realloc"] = {
            {"calls", tally.reallocs}, {"bytes_taken", tally.bytes_taken}, {"bytes_returned", tally.bytes_returned}};
      }
      list.push_back(std::move(entry));
    }
  }
  print_json(out, document);
}

void print_sites_csv(const Analysis& analysis, const Account* account, const ReportOptions& options,
                     const SiteExtras& extras, Output& out) {
  const Trace& trace = analysis.trace;
  FrameSource source(trace, options.symbols);
  CsvTable table(out, {"allocator",
                       "allocations",
                       "bytes_allocated",
                       "temporary",
                       "open_chunks",
                       "open_bytes",
                       "closed_chunks",
                       "closed_bytes",
                       "peak_bytes",
                       "peak_time_ns",
                       "at_peak_chunks",
                       "at_peak_bytes",
                       "lifetime_sum_ns",
                       "lifetime_mean_ns",
                       "reallocs",
                       "realloc_bytes_taken",
                       "realloc_bytes_returned",
                       "group",
                       "module",
                       "truncated",
                       "stack"});
  if (!account) return;
  const SiteTallies* tallies = extras.tallies.get();
  const auto sites = ranked_sites(*account, options.by, options.top.value_or(SIZE_MAX), tallies);
  if (!extras.groups) source.prepare_each(sites, &Site::stack, options.max_frames.value_or(StackNodes::kMaxFrames));
  for (const Site* site : sites) {
    table.field(trace.domains.tag_name(site->tag));
    for (const uint64_t number :
         {site->allocations, site->bytes_allocated, site->temporary, site->open_chunks, site->open_bytes,
          site->closed_chunks(), site->closed_bytes(), site->peak_bytes, trace.clock.ns_since_start(site->peak_ticks),
          site->at_peak_chunks, site->at_peak_bytes})
      table.field(number);
    if (tallies) {
      const SiteTally& tally = tallies->of(site->stack);
      for (const uint64_t number :
           {tally.lifetime_sum_ns(), tally.lifetime_mean_ns(), tally.reallocs, tally.bytes_taken, tally.bytes_returned})
        table.field(number);
    } else {
      for (int i = 0; i < 5; ++i) table.empty_field();
    }
    if (extras.groups) {
      const SiteGroups::Name name = extras.groups->name(analysis, site->stack);
      table.row(name.name, name.module, "", "");
    } else {
      table.row("", "", trace.nodes.is_truncated(site->stack), joined_stack(source, site->stack, options));
    }
  }
}

namespace {

// What belongs to the number that the list is ordered by.
std::string describe_rank(const Trace& trace, const Site& site, RankBy by, const SiteTallies* tallies) {
  switch (by) {
    case RankBy::peak: return fmt::format(", at {}", format_duration(trace.clock.ns_since_start(site.peak_ticks)));
    case RankBy::open: return ", in " + count_of(site.open_chunks, "block", "blocks");
    case RankBy::at_peak: return ", in " + count_of(site.at_peak_chunks, "block", "blocks");
    case RankBy::lifetime: {
      const SiteTally& tally = tallies->of(site.stack);
      return fmt::format(", mean {} of {}", format_duration(tally.lifetime_mean_ns()),
                         count_of(tally.freed, "freed block", "freed blocks"));
    }
    case RankBy::realloc_growth: {
      const SiteTally& tally = tallies->of(site.stack);
      return fmt::format(", {}: took {}, returned {}", count_of(tally.reallocs, "call", "calls"),
                         format_bytes(tally.bytes_taken), format_bytes(tally.bytes_returned));
    }
    default: return {};
  }
}

}  // namespace

void print_sites_text(const Analysis& analysis, const Account& account, const ReportOptions& options,
                      const SiteExtras& extras, Output& out) {
  const Trace& trace = analysis.trace;
  const SiteTallies* tallies = extras.tallies.get();
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kSitesFrames);
  const size_t all = ranked_sites(account, options.by, SIZE_MAX, tallies).size();
  const std::vector<const Site*> sites = ranked_sites(account, options.by, options.top.value_or(kSitesTop), tallies);
  const double total = static_cast<double>(rank_total(account, options.by, tallies));
  if (!extras.groups) source.prepare_each(sites, &Site::stack, style.max_frames + 64);
  for (const Site* site : sites) {
    const uint64_t value = rank_value(*site, options.by, tallies);
    const bool is_one_function = !site->has_other_tags || !extras.groups;
    out.print("{}  {}{}{}\n", format_rank(value, options.by), format_share(static_cast<double>(value), total),
              describe_rank(trace, *site, options.by, tallies),
              is_one_function ? ", " + escape_text(trace.domains.tag_name(site->tag)) : "");
    if (extras.groups) out.print("     {}\n", group_line(analysis, *extras.groups, site->stack, kTextColumns - 5));
    out.print("     {} allocated in {}; open {} in {}; own peak {}; {} temporary\n",
              format_bytes(site->bytes_allocated), format_count(site->allocations), format_bytes(site->open_bytes),
              format_count(site->open_chunks), format_bytes(site->peak_bytes), format_count(site->temporary));
    if (!extras.groups) print_stack(out, trace, source, site->stack, style);
    out.write("\n");
  }
  if (all > sites.size())
    out.print("... {} (--top {} shows all)\n", count_sites(all - sites.size(), options.group, "more "), all);
  for (const std::string& problem : (extras.groups ? extras.groups->symbol_problems() : source.symbol_problems()))
    out.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
}

}  // namespace memprof
