// What pairing knows at some moments of a trace, on disk: so that a window reads its own pages and those since the last
// moment before it, not the trace from its begin.
//
// A whole analysis of a large trace that was closed leaves them behind, in the cache: one file a trace, named after its
// header. They depend on no selection. A moment is taken when two per cent of the pages were read since the last, and
// at least kBytesOfTrace times what the last one took, so that they are spread; and only while all of them are no
// larger than an eighth of the trace.
//
//   file:        Head, state, state, ..., Entry[count], Foot
//   state:       pairing_state.cpp, then the position of each stream
//   invariant:   all events up to Entry::last_ticks that come before in the order of the merge are in the state
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/merge.h"
#include "trace/cache_directory.h"
#include "trace/trace_file.h"

namespace memprof {

class Pairing;

class CheckpointWriter {
 public:
  static constexpr uint64_t kLeastPages = 2048;              // of a trace that is worth it
  static constexpr uint64_t kMostBytes = uint64_t{2} << 30;  // of all files; the oldest go first

  // Whether an analysis of this trace should leave checkpoints: it is large, closed, undamaged, and has none yet.
  static bool is_worth_it(const TraceFile& file, const CacheDirectory& cache, uint64_t least_pages = kLeastPages);

  CheckpointWriter(const TraceFile& file, const CacheDirectory& cache);

  // Asked by the pipeline: whether the next batch should come with points.
  bool is_due(uint64_t pages_read) const { return static_cast<bool>(file_) && pages_read >= next_pages_; }
  // Nothing is taken while events are in dispute: then it stays due.
  void take(const Pairing& pairing, const std::vector<StreamPoint>& points, uint64_t pages_read);
  // After the last event.
  void finish();

 private:
  static constexpr uint64_t kBytesOfTrace = 8;

  // Not now.
  void skip(uint64_t pages_read);

  const TraceFile& trace_;
  const CacheDirectory& cache_;
  CacheDirectory::NewFile file_;
  uint64_t step_pages_;
  uint64_t next_pages_;
  struct Entry {
    uint64_t last_ticks, offset, bytes, checksum;
  };
  std::vector<Entry> entries_;
  friend class CheckpointFile;
};

// The same, read.
class CheckpointFile {
 public:
  CheckpointFile(const TraceFile& file, const CacheDirectory& cache);
  CheckpointFile(const CheckpointFile&) = delete;
  CheckpointFile& operator=(const CheckpointFile&) = delete;
  ~CheckpointFile();

  // The last state before `ticks`; nothing when there is none, or it is damaged.
  std::optional<std::vector<std::byte>> state_before(uint64_t ticks) const;

 private:
  int file_ = -1;
  std::vector<CheckpointWriter::Entry> entries_;
};

}  // namespace memprof
