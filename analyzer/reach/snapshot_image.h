// What one snapshot of a trace says but its words (trace/snapshots.h), which are visited where they are needed: there
// may be one for each 8 bytes of memory.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trace/snapshots.h"

namespace memprof {

struct SnapshotImage {
  size_t number = 0;  // among the snapshots of the trace, from 0
  format::SnapshotBegin begin{};
  std::vector<format::SnapshotThread> threads;
  std::vector<format::SnapshotRange> ranges;   // by address; those that overlap are left out
  std::vector<uint64_t> vtables;               // addresses of words that point to one; rising
  tsl::robin_map<uint64_t, uint64_t> lengths;  // what could be one, by the address of the word
  format::SnapshotEnd end{};

  // Nothing of the program comes behind it.
  bool is_of_the_end() const { return begin.reason == format::SnapshotReason::exit; }
  bool holds_vtable(uint64_t address) const;
  // Null: none is known there.
  const uint64_t* length_at(uint64_t address) const;
};

struct FoundSnapshot {
  SnapshotImage image;
  std::string problem;  // when set, there is no image: why not
};
// The last whole one.
FoundSnapshot find_snapshot(const TraceFile& file);

// visit(address, value, range) for the words of one snapshot; `range` is an index into image.ranges.
class SnapshotWords {
 public:
  virtual ~SnapshotWords() = default;
  virtual void word(uint64_t address, uint64_t value) = 0;
};
void visit_words(const TraceFile& file, const SnapshotImage& image, SnapshotWords& visitor);

}  // namespace memprof
