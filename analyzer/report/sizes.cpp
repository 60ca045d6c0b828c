#include <nlohmann/json.hpp>

#include <tsl/robin_map.h>

#include <algorithm>

#include "report/distribution.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"

namespace memprof {

namespace {

struct ExactSize {
  uint64_t size = 0;
  uint64_t blocks = 0, open_blocks = 0;
  uint64_t bytes() const { return size * blocks; }
};

// Counts of single sizes. Small ones have a place each; of large ones many kinds are possible, and when there are more
// than a bound none of the large is listed.
class ExactSizes {
 public:
  void add(uint64_t size, bool is_open) {
    if (size < kSmall) {
      if (small_.empty()) small_.resize(kSmall);
      count(small_[size], size, is_open);
    } else if (!has_too_many_) {
      count(large_[size], size, is_open);
      if (large_.size() <= kMostLarge) return;
      large_.clear();
      has_too_many_ = true;
    }
  }
  bool is_complete() const { return !has_too_many_; }
  // Most frequent first.
  std::vector<ExactSize> ranked() const {
    std::vector<ExactSize> all;
    for (const ExactSize& entry : small_)
      if (entry.blocks != 0) all.push_back(entry);
    for (const auto& [size, entry] : large_) all.push_back(entry);
    std::sort(all.begin(), all.end(), [](const ExactSize& a, const ExactSize& b) {
      return a.blocks != b.blocks ? a.blocks > b.blocks : a.size < b.size;
    });
    return all;
  }

 private:
  static constexpr uint64_t kSmall = 1u << 16;
  static constexpr size_t kMostLarge = 1u << 16;

  static void count(ExactSize& entry, uint64_t size, bool is_open) {
    entry.size = size;
    ++entry.blocks;
    entry.open_blocks += is_open;
  }

  std::vector<ExactSize> small_;
  tsl::robin_map<uint64_t, ExactSize, KeyedHash> large_;
  bool has_too_many_ = false;
};

class SizeVisitor : public ChunkVisitor {
 public:
  explicit SizeVisitor(const DomainSet& domains) : domains_(domains), spread(binary_edges()) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, const Release&) override {
    if (domains_.has(domain)) add(chunk, site, false);
  }
  void open(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, bool) override {
    if (domains_.has(domain)) add(chunk, site, true);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

 private:
  void add(const Chunk& chunk, StackId site, bool is_open) {
    spread.add(chunk, site, chunk.size, is_open);
    exact.add(chunk.size, is_open);
  }

  const DomainSet domains_;

 public:
  Spread spread;
  ExactSizes exact;
};

// So few sizes that they need no bins.
constexpr size_t kFewSizes = 16;
constexpr size_t kTopSizes = 8;

void print_exact(Output& out, const std::vector<ExactSize>& sizes, const Spread& spread, bool is_window) {
  out.print("  {:>12}  {:>13}  {:>7}  {:>10}  {:>7}  {:>13}\n", "size", "blocks", "", "bytes", "",
            is_window ? "still open" : "open at end");
  for (const ExactSize& entry : sizes)
    out.print("  {:>12}  {:>13}  {:>7}  {:>10}  {:>7}  {:>13}\n", format_count(entry.size) + " B",
              format_count(entry.blocks),
              format_share(static_cast<double>(entry.blocks), static_cast<double>(spread.values.count())),
              format_bytes(entry.bytes()),
              format_share(static_cast<double>(entry.bytes()), static_cast<double>(spread.bytes)),
              format_count(entry.open_blocks));
}

void print_text(const Analysis& analysis, const SizeVisitor& sizes, const SiteGroups* groups,
                const ReportOptions& options, Output& out) {
  const Spread& spread = sizes.spread;
  const uint64_t blocks = spread.values.count();
  if (blocks == 0) {
    out.print("No block {} in {}.\n", options.filters.choose() ? "is left" : "was allocated",
              domains_text(options.domain));
    print_why_empty(out, analysis.trace, options);
    return;
  }
  out.print("{} of {} in {}\n", count_of(blocks, "block", "blocks"), format_bytes(spread.bytes),
            domains_text(options.domain));
  print_selection(out, analysis.trace, options);
  out.print("{}   (within 0.4 %)\n\n", percentile_line(spread.values, format_bytes));
  std::vector<ExactSize> exact = sizes.exact.ranked();
  const bool are_few = sizes.exact.is_complete() && exact.size() <= kFewSizes;
  if (are_few) {
    std::sort(exact.begin(), exact.end(), [](const ExactSize& a, const ExactSize& b) { return a.size < b.size; });
    out.write("All sizes\n");
    print_exact(out, exact, spread, ends_early(analysis.trace));
  } else {
    const std::string kinds = format_count(exact.size());
    exact.resize(std::min(exact.size(), kTopSizes));
    if (!exact.empty()) {
      out.print("Most frequent sizes, of {} different ones{}\n", kinds,
                sizes.exact.is_complete() ? "" : " below 64 KiB (there are too many above)");
      print_exact(out, exact, spread, ends_early(analysis.trace));
      out.write("\n");
    }
    out.write("All sizes, by powers of two\n");
    print_bins(out, spread.bins.filled(), blocks, spread.bytes, format_bytes);
  }
  out.print("\nBy {}, those with most blocks first\n", group_name(options.group));
  print_site_spreads(analysis, groups, options, spread, format_bytes, out);
}

void print_json_document(const Analysis& analysis, const Account* account, const SizeVisitor& sizes,
                         const SiteGroups* groups, const ReportOptions& options, Output& out) {
  Json document = {{"schema", "memprof.sizes/1"},
                   {"domain", to_utf8(options.domain)},
                   {"group", group_name(options.group)},
                   {"complete", analysis.trace.file.complete()},
                   {"bytes", sizes.spread.bytes},
                   {"size", percentiles_json(sizes.spread.values, sizes.spread.sum)},
                   {"bins", bins_json(sizes.spread.bins.filled())},
                   {"exact_sizes_complete", sizes.exact.is_complete()}};
  put_selection(document, analysis, options, account);
  Json& exact = document["exact_sizes"] = Json::array();
  for (const ExactSize& entry : sizes.exact.ranked())
    exact.push_back({{"size", entry.size}, {"blocks", entry.blocks}, {"open_blocks", entry.open_blocks}});
  document["sites"] = site_spreads_json(analysis, groups, options, sizes.spread);
  print_json(out, document);
}

void print_csv(const Analysis& analysis, const SizeVisitor& sizes, const SiteGroups* groups,
               const ReportOptions& options, Output& out) {
  if (options.table == "sites") {
    print_site_spreads_csv(analysis, groups, options, sizes.spread, "bytes", out);
  } else if (options.table == "exact") {
    CsvTable table(out, {"size_bytes", "blocks", "bytes", "open_blocks", "open_bytes"});
    for (const ExactSize& entry : sizes.exact.ranked())
      table.row(entry.size, entry.blocks, entry.bytes(), entry.open_blocks, entry.open_blocks * entry.size);
  } else {
    print_bins_csv(out, sizes.spread.bins.filled(), "bytes");
  }
}

}  // namespace

bool report_sizes(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  const auto groups = groups_for(trace, options);
  SizeVisitor sizes(*domains);
  const Analysis analysis = analyse(trace, &sizes, progress);
  if (options.json)
    print_json_document(analysis, analysis.account(*domains), sizes, groups.get(), options, out);
  else if (options.csv)
    print_csv(analysis, sizes, groups.get(), options, out);
  else
    print_text(analysis, sizes, groups.get(), options, out);
  return true;
}

}  // namespace memprof
