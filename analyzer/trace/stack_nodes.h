// The trie of call stacks. Ids are the trace's own; equal nodes are merged into the one with the lowest id. A frame of
// the recorder is none: its node counts as the one of its caller.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "trace/modules.h"
#include "trace/trace_file.h"

namespace memprof {

using StackId = uint32_t;

// How a stack ends at its outer end.
enum class StackRoot : uint8_t {
  lost = 0,  // a node on the way is in a damaged page
  none,      // no stack was taken
  whole,
  depth_limit,
  gave_up,
};

struct StackNode {
  uint64_t address = 0;  // ELF virtual address, or the process address when module is kNoModule
  StackId parent = 0;    // 0: the trace does not have this node
  uint32_t module = 0;
  bool exact_address = false;
  StackRoot root = StackRoot::lost;
};

class StackNodes {
 public:
  StackNodes(const TraceFile& file, const Modules& modules);

  // Every id below it can be asked for; ids in events may be anything.
  StackId id_limit() const { return static_cast<StackId>(nodes_.size()); }
  uint64_t node_count() const { return node_count_; }

  // The id that stands for all stacks equal to `id`; kLostStack for ids that the trace does not have.
  StackId canonical(StackId id) const;
  // The same where stacks are grouped too.
  StackId canonical_stack(StackId id) const { return id < ungrouped_.size() ? ungrouped_[id] : canonical(id); }
  const StackNode& node(StackId id) const { return nodes_[id < nodes_.size() ? id : kLostStack]; }
  bool is_frame(StackId id) const { return id >= format::kFirstNode && node(id).parent != 0; }
  StackRoot root(StackId id) const;
  // Outer frames are unknown.
  bool is_truncated(StackId id) const { return root(id) != StackRoot::whole && root(id) != StackRoot::none; }

  // Ids for what is no stack but is to have an account of its own: a function, a thread. They have no frames. Returns
  // the first of `count` ids that follow each other.
  StackId add_groups(size_t count);
  // The canonical id of every stack is what `group_of` has for it, until ungroup_stacks().
  void group_stacks(const std::vector<StackId>& group_of);
  void ungroup_stacks();
  bool are_grouped() const { return !ungrouped_.empty(); }

  // Innermost first. At most `limit` frames, whatever the trace says; true in `more` when there were others.
  std::vector<StackId> frames(StackId id, size_t limit, bool* more = nullptr) const;

  // Reserved by the format, never a node: stands for stacks whose nodes are gone.
  static constexpr StackId kLostStack = 1;
  static constexpr size_t kMaxFrames = 16384;

 private:
  bool read_page(std::span<const std::byte> payload);
  void canonicalise(const Modules& modules);

  std::vector<StackNode> nodes_;    // by id
  std::vector<StackId> canonical_;  // by id
  std::vector<StackId> ungrouped_;  // what canonical_ begins with while stacks are not grouped; empty: they are not
  uint64_t max_id_ = 0;             // what the file's size allows
  uint64_t node_count_ = 0;
};

}  // namespace memprof
