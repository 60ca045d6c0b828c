// Which blocks of a trace's heap were still in use when its last snapshot was taken, where that can be told.
//
//   trace ─▶ snapshot_image ┐
//   events ─▶ live_memory ──┴▶ block_index, roots ─▶ block_graph ─▶ reachability
//
// A snapshot that was asked for in the middle of the run, by a call or a signal, tells of that moment: what was
// allocated later is not classified (LiveMemory::later). One from the middle in place of one at the end tells nothing.
//
// Invariant: where anything is missing that could hold a pointer, nothing is classified, and problem() says why: a
// verdict is never a guess.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reach/block_graph.h"
#include "reach/live_memory.h"
#include "reach/reachability.h"
#include "reach/snapshot_image.h"

namespace memprof {

class Classification {
 public:
  // Looks for the snapshot, and reads the trace of the parent where the process was forked. `trace` outlives it.
  explicit Classification(const Trace& trace, ProgressSink* progress = nullptr);
  ~Classification();
  Classification(const Classification&) = delete;
  Classification& operator=(const Classification&) = delete;

  // Why nothing is classified; empty: everything is.
  const std::string& problem() const { return problem_; }

  // For an analysis of the whole trace, all blocks chosen. It passes on to `next`, which may be null.
  ChunkVisitor* visitor(ChunkVisitor* next);
  // After that analysis.
  void finish();

  // After finish(), without a problem.
  const BlockGraph& graph() const { return *graph_; }
  const Reachability& reach() const { return reachability_; }
  const LiveMemory& memory() const { return memory_; }
  const SnapshotImage& image() const { return image_; }
  // The trace that LiveBlock::ancestor_stack is of.
  const Trace& ancestor(const LiveBlock& block) const { return *ancestors_[block.ancestor - 1u]; }
  // Whether an inherited block that nothing leads to is lost for certain: no thread was left behind by the fork.
  bool knows_lost_inherited() const { return knows_lost_inherited_; }
  // Of a block of the process's own; nothing where it was not live then.
  std::optional<Reach> reach_of(uint64_t address, uint64_t alloc_ticks) const;

 private:
  const Trace& trace_;
  std::string problem_;
  SnapshotImage image_;
  LiveMemory inherited_;
  std::vector<std::unique_ptr<const Trace>> ancestors_;
  bool knows_lost_inherited_ = false;
  std::unique_ptr<LiveMemoryCollector> collector_;
  LiveMemory memory_;
  std::unique_ptr<BlockGraph> graph_;
  Reachability reachability_;
};

// One pass over all events, whatever the trace's selection says, unless there is a problem.
std::unique_ptr<Classification> classify_trace(Trace& trace, ProgressSink* progress);

// "definite", "indirect", "possible", "reachable"
const char* reach_name(Reach reach);

}  // namespace memprof
