// What `diff` compares: the sites of two traces, grouped by fingerprint, or by the name of the group that they are, and
// paired.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/analysis.h"
#include "model/fingerprint.h"
#include "report/block_groups.h"
#include "report/frame_text.h"
#include "report/report_options.h"

namespace memprof {

struct DiffAmount {
  uint64_t bytes = 0;
  uint64_t blocks = 0;
  bool is_zero() const { return bytes == 0 && blocks == 0; }
};

// Whether the number that sites are ranked by has blocks, bytes or both. (A stack's own peak is bytes alone.)
bool rank_has_bytes(RankBy by);
bool rank_has_blocks(RankBy by);
DiffAmount diff_amount(const Site& site, RankBy by);

// One of the two traces.
struct DiffSide {
  const Trace* trace;
  FrameSource* source;
  DiffAmount total;
  uint64_t duration_ns = 0;  // of the window or the trace
  Json window{};             // null without one
  uint64_t allocations = 0;  // of the domain
  // What amounts are divided by.
  double divisor = 1;
  uint64_t stacks = 0;  // or groups, that have something of what is asked for
};

// Stacks of equal fingerprint in one trace; or groups of equal name.
struct DiffGroup {
  Fingerprint fingerprint;      // of groups by name: none
  BlockGroups::Name name = {};  // of stacks: none
  DiffAmount amount;
  StackId stack = 0;  // the one with most
  uint16_t tag = 0;   // of that
  uint64_t stacks = 0;
};

enum class DiffStatus { added, gone, grown, shrunk, same };
// "new", "gone", "grown", "shrunk", "same"
const char* diff_status_name(DiffStatus status);

struct DiffEntry {
  DiffStatus status;
  std::optional<DiffGroup> before, after;
  double similarity = 1;  // below 1: a weaker match, of fingerprints that differ
  // Of what is ranked by, normalised.
  double old_value = 0, new_value = 0;
  double change() const { return new_value - old_value; }
  const DiffGroup& shown() const { return after ? *after : *before; }
};

struct Diff {
  DiffSide before, after;
  std::vector<DiffEntry> entries;  // the largest change first; those that did not change last
  Fingerprinter names;
  bool compared_all_weakly = true;
  uint64_t hidden = 0;  // changes below --min-percent or --min-bytes

  uint64_t count(DiffStatus status) const;
};

// `domain` is looked up in each trace; a trace without it has nothing. `options`: by, group, per, min_percent,
// min_bytes.
Diff compare_traces(Trace& before, FrameSource& before_source, Trace& after, FrameSource& after_source,
                    const ReportOptions& options, ProgressSink* progress);

}  // namespace memprof
