#include "report/distribution.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>

#include "report/escape.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kDistributionTop = 10;
constexpr size_t kDistributionFrames = 4;
constexpr size_t kBarColumns = 24;

}  // namespace

std::vector<uint64_t> binary_edges() {
  std::vector<uint64_t> edges = {0};
  for (unsigned bit = 0; bit < 64; ++bit) edges.push_back(uint64_t{1} << bit);
  return edges;
}

std::vector<uint64_t> decimal_edges() {
  std::vector<uint64_t> edges = {0};
  for (uint64_t decade = 1; decade <= UINT64_MAX / 100; decade *= 10)
    for (const uint64_t step : {1, 2, 5}) edges.push_back(decade * step);
  return edges;
}

Bins::Bins(const std::vector<uint64_t>& edges) : edges_(edges), bins_(edges.size()) {
  for (size_t i = 0; i < bins_.size(); ++i) {
    bins_[i].from = edges_[i];
    bins_[i].below = i + 1 < edges_.size() ? edges_[i + 1] : UINT64_MAX;
  }
}

void Bins::add(uint64_t value, uint64_t size, bool is_open) {
  const auto after = std::upper_bound(edges_.begin(), edges_.end(), value);
  Bin& bin = bins_[static_cast<size_t>(after - edges_.begin()) - 1];
  ++bin.blocks;
  bin.bytes += size;
  if (!is_open) return;
  ++bin.open_blocks;
  bin.open_bytes += size;
}

std::vector<Bin> Bins::filled() const {
  std::vector<Bin> result;
  std::copy_if(bins_.begin(), bins_.end(), std::back_inserter(result), [](const Bin& bin) { return bin.blocks != 0; });
  return result;
}

void Spread::add(const Chunk& chunk, StackId site, uint64_t value, bool is_open) {
  bins.add(value, chunk.size, is_open);
  values.add(value);
  sum += value;
  bytes += chunk.size;
  const auto [index, is_new] = index_of.emplace(site, sites.size());
  if (is_new) sites.emplace_back();
  SiteSpread& own = sites[index->second];
  own.values.add(value);
  own.bytes += chunk.size;
  own.site = site;
  own.tag = std::min(own.tag, chunk.tag);  // whatever the order
}

std::vector<const SiteSpread*> Spread::ranked() const {
  std::vector<const SiteSpread*> result;
  for (const SiteSpread& site : sites)
    if (site.values.count() != 0) result.push_back(&site);
  std::sort(result.begin(), result.end(), [](const SiteSpread* a, const SiteSpread* b) {
    if (a->values.count() != b->values.count()) return a->values.count() > b->values.count();
    return a->bytes != b->bytes ? a->bytes > b->bytes : a->site < b->site;
  });
  return result;
}

std::string percentile_line(const Quantiles& values, NumberFormat format) {
  return fmt::format("p50 {}   p90 {}   p99 {}   max {}", format(values.percentile(50)), format(values.percentile(90)),
                     format(values.percentile(99)), format(values.max()));
}

void print_bins(Output& out, const std::vector<Bin>& bins, uint64_t blocks, uint64_t bytes, NumberFormat format) {
  uint64_t most = 1;
  for (const Bin& bin : bins) most = std::max(most, bin.blocks);
  out.print("  {:>10}  {:>10}  {:>13}  {:>7}  {:>10}\n", "from", "below", "blocks", "", "bytes");
  for (size_t i = 0; i < bins.size(); ++i) {
    const Bin& bin = bins[i];
    if (i != 0 && bins[i - 1].below != bin.from) out.print("  {:>10}  {:>10}  {:>13}\n", "...", "", "none");
    const std::string bar(static_cast<size_t>(static_cast<double>(bin.blocks) / static_cast<double>(most) *
                                              static_cast<double>(kBarColumns)),
                          '#');
    const std::string line =
        fmt::format("  {:>10}  {:>10}  {:>13}  {:>7}  {:>10}  {:>7}  {}", format(bin.from),
                    bin.below == UINT64_MAX ? "" : format(bin.below), format_count(bin.blocks),
                    format_share(static_cast<double>(bin.blocks), static_cast<double>(blocks)), format_bytes(bin.bytes),
                    format_share(static_cast<double>(bin.bytes), static_cast<double>(bytes)), bar);
    out.print("{}\n", std::string_view(line).substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_site_spreads(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                        const Spread& spread, NumberFormat format, Output& out) {
  FrameSource source(analysis.trace, options.symbols);
  const StackStyle style = stack_style(options, kDistributionFrames);
  const auto ranked = spread.ranked();
  const size_t shown = std::min(options.top.value_or(kDistributionTop), ranked.size());
  if (!groups) source.prepare_each(std::span(ranked).first(shown), &SiteSpread::site, style.max_frames + 64);
  for (size_t i = 0; i < shown; ++i) {
    const SiteSpread& site = *ranked[i];
    const std::string line = fmt::format("  {}   {}{}", count_of(site.values.count(), "block", "blocks"),
                                         percentile_line(site.values, format),
                                         groups ? "" : "   " + escape_text(analysis.trace.domains.tag_name(site.tag)));
    out.print("\n{}\n", cut_text(line, kTextColumns));
    if (groups)
      out.print("     {}\n", group_line(analysis, *groups, site.site, kTextColumns - 5));
    else
      print_stack(out, analysis.trace, source, site.site, style);
  }
  if (ranked.size() > shown)
    out.print("\n... {} (--top {} shows all)\n", count_sites(ranked.size() - shown, options.group, "more "),
              ranked.size());
  for (const std::string& problem : (groups ? groups->symbol_problems() : source.symbol_problems()))
    out.print("symbols missing: {}\n", cut_text(problem, kTextColumns - 17));
}

Json percentiles_json(const Quantiles& values, WideSum sum) {
  return {
      {"blocks", values.count()},     {"mean", values.count() == 0 ? 0 : static_cast<uint64_t>(sum / values.count())},
      {"min", values.min()},          {"p50", values.percentile(50)},
      {"p90", values.percentile(90)}, {"p99", values.percentile(99)},
      {"max", values.max()},          {"relative_error", Quantiles::kRelativeError}};
}

Json bins_json(const std::vector<Bin>& bins) {
  Json list = Json::array();
  for (const Bin& bin : bins)
    list.push_back({{"from", bin.from},
                    {"below", bin.below == UINT64_MAX ? Json() : Json(bin.below)},
                    {"blocks", bin.blocks},
                    {"bytes", bin.bytes},
                    {"open", {{"chunks", bin.open_blocks}, {"bytes", bin.open_bytes}}}});
  return list;
}

Json site_spreads_json(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                       const Spread& spread) {
  FrameSource source(analysis.trace, options.symbols);
  Json list = Json::array();
  const auto ranked = spread.ranked();
  const auto shown = std::span(ranked).first(std::min(options.top.value_or(SIZE_MAX), ranked.size()));
  if (!groups) source.prepare_each(shown, &SiteSpread::site, shown_limit(options));
  for (const SiteSpread* site : shown) {
    Json entry = {
        {"blocks", site->values.count()},     {"bytes", site->bytes},
        {"min", site->values.min()},          {"p50", site->values.percentile(50)},
        {"p90", site->values.percentile(90)}, {"p99", site->values.percentile(99)},
        {"max", site->values.max()},          {"allocator", to_utf8(analysis.trace.domains.tag_name(site->tag))}};
    if (groups)
      entry["group"] = group_json(analysis, *groups, site->site);
    else
      put_stack(entry, "stack", source, site->site, options);
    list.push_back(std::move(entry));
  }
  return list;
}

void print_bins_csv(Output& out, const std::vector<Bin>& bins, const char* unit) {
  CsvTable table(out, {fmt::format("from_{}", unit), fmt::format("below_{}", unit), "blocks", "bytes", "open_blocks",
                       "open_bytes"});
  for (const Bin& bin : bins) {
    table.field(bin.from);
    bin.below == UINT64_MAX ? table.empty_field() : table.field(bin.below);
    table.row(bin.blocks, bin.bytes, bin.open_blocks, bin.open_bytes);
  }
}

void print_site_spreads_csv(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                            const Spread& spread, const char* unit, Output& out) {
  FrameSource source(analysis.trace, options.symbols);
  CsvTable table(
      out, {"blocks", "bytes", fmt::format("min_{}", unit), fmt::format("p50_{}", unit), fmt::format("p90_{}", unit),
            fmt::format("p99_{}", unit), fmt::format("max_{}", unit), "allocator", "group", "module", "stack"});
  const auto ranked = spread.ranked();
  const auto shown = std::span(ranked).first(std::min(options.top.value_or(SIZE_MAX), ranked.size()));
  if (!groups) source.prepare_each(shown, &SiteSpread::site, shown_limit(options));
  for (const SiteSpread* site : shown) {
    for (const uint64_t number : {site->values.count(), site->bytes, site->values.min(), site->values.percentile(50),
                                  site->values.percentile(90), site->values.percentile(99), site->values.max()})
      table.field(number);
    table.field(analysis.trace.domains.tag_name(site->tag));
    if (groups) {
      const SiteGroups::Name name = groups->name(analysis, site->site);
      table.row(name.name, name.module, "");
    } else {
      table.row("", "", joined_stack(source, site->site, options));
    }
  }
}

}  // namespace memprof
