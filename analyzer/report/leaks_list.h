// Open blocks by stack, chosen by their times, as text, JSON and CSV.
#pragma once

#include <cstdint>
#include <vector>

#include "model/analysis.h"
#include "report/frame_text.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

struct LeakSite {
  StackId stack = 0;
  uint16_t tag = 0;  // of one of its blocks
  uint64_t bytes = 0, blocks = 0;
  uint64_t first_ns = 0, last_ns = 0;  // when the oldest and the youngest of them were allocated
};

struct LeakList {
  std::vector<LeakSite> sites;  // most bytes first
  uint64_t bytes = 0, blocks = 0;
  uint64_t end_ns = 0;  // the moment at which they are open
};

// Each prints the first `--top` stacks. `extra`: keys that say how the blocks were chosen.
void print_leak_list_text(const Trace& trace, const LeakList& list, const ReportOptions& options, Output& out);
void print_leak_list_json(const Trace& trace, const LeakList& list, const Json& extra, const ReportOptions& options,
                          Output& out);
void print_leak_list_csv(const Trace& trace, const LeakList& list, const ReportOptions& options, Output& out);

}  // namespace memprof
