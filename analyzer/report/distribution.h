// How a number of the blocks of one domain is spread, over all of them and for each site.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/output.h"
#include "report/quantiles.h"
#include "report/report_options.h"
#include "report/site_list.h"

namespace memprof {

// Blocks whose value is at least `from` and below `below` (UINT64_MAX: no bound).
struct Bin {
  uint64_t from = 0, below = 0;
  uint64_t blocks = 0, bytes = 0;
  uint64_t open_blocks = 0, open_bytes = 0;
};

class Bins {
 public:
  // `edges` ascend, the first is 0.
  explicit Bins(const std::vector<uint64_t>& edges);
  void add(uint64_t value, uint64_t size, bool is_open);
  // Those that have blocks, in order.
  std::vector<Bin> filled() const;

 private:
  std::vector<uint64_t> edges_;
  std::vector<Bin> bins_;
};

// 0, 1, 2, 4, 8, ...
std::vector<uint64_t> binary_edges();
// 0, 1, 2, 5, 10, 20, 50, ...: what people read times in.
std::vector<uint64_t> decimal_edges();

struct SiteSpread {
  Quantiles values;
  uint64_t bytes = 0;
  StackId site = 0;
  uint16_t tag = UINT16_MAX;
};

struct Spread {
  explicit Spread(const std::vector<uint64_t>& edges) : bins(edges) {}
  void add(const Chunk& chunk, StackId site, uint64_t value, bool is_open);
  // Sites with values, those with most blocks first.
  std::vector<const SiteSpread*> ranked() const;

  Bins bins;
  Quantiles values;
  WideSum sum = 0;
  uint64_t bytes = 0;
  std::vector<SiteSpread> sites;
  tsl::robin_map<StackId, size_t> index_of;  // in `sites`
};

using NumberFormat = std::string (*)(uint64_t);

// "p50 32 B   p90 40 B   p99 1.00 KiB   max 2.00 MiB"
std::string percentile_line(const Quantiles& values, NumberFormat format);
void print_bins(Output& out, const std::vector<Bin>& bins, uint64_t blocks, uint64_t bytes, NumberFormat format);
void print_site_spreads(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                        const Spread& spread, NumberFormat format, Output& out);

// {"blocks", "bytes", "mean", "min", "p50", "p90", "p99", "max"}
Json percentiles_json(const Quantiles& values, WideSum sum);
Json bins_json(const std::vector<Bin>& bins);
Json site_spreads_json(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                       const Spread& spread);
void print_bins_csv(Output& out, const std::vector<Bin>& bins, const char* unit);
void print_site_spreads_csv(const Analysis& analysis, const SiteGroups* groups, const ReportOptions& options,
                            const Spread& spread, const char* unit, Output& out);

}  // namespace memprof
