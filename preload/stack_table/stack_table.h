// The process-wide trie of stacks: every distinct stack is one node id, written to the trace once.
//
// Layout: nodes[id] = {pc, parent, low half of its prefix hash}, in segments that never move; and an
// open-addressed table of (high half of the prefix hash, id). A prefix hash is the hash of all frames from the
// outermost to the node, so a whole stack is found with one probe, which is then proved frame by frame against the
// nodes.
//
// Invariants:
//   * No locks but to enlarge the table. A node is written to the trace before its table entry is published, so an
//     event never names a node that the file lacks.
//   * Two threads that meet the same new frame at once may make two equal nodes; the analyzer merges them.
//   * Nodes whose address lay in an unloaded module are never matched again (retire_range).
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"
#include "trace_writer/page_cursor.h"
#include "unwind/unwinder.h"

namespace memprof {

// Per thread, beside its StackMemo: what is known of the memo's frames, outermost first.
struct StackPath {
  uint32_t known;   // leading nodes that are those of the memo's frames now
  uint32_t hashed;  // leading prefix hashes that are, too
  uint32_t root;    // the root that they hang from
  uint32_t node[kMaxDepth];
  uint64_t prefix_hash[kMaxDepth];
};

// Where new nodes of one thread are written.
struct NodeStream {
  PageCursor cursor;
  uint32_t previous_id;  // in the current page
  uint32_t stream_id;
  uint32_t thread_serial;
  uint32_t thread_id;
  bool writing;  // a record is under way: an abandoned one leaves the page's deltas unknown
};

// Lowers what is known to the frames that capture() left unchanged.
inline void keep_unchanged(const StackMemo& memo, StackPath& path) {
  if (path.known > memo.unchanged) path.known = memo.unchanged;
  if (path.hashed > memo.unchanged) path.hashed = memo.unchanged;
}

// The node of the memo's whole stack; makes what is new. kNoStack: the table is full or recording has stopped.
// `guess` is tried first: a node, or kNoStack. The caller has called keep_unchanged() since the capture.
uint32_t intern_stack(const StackMemo& memo, StackPath& path, NodeStream& stream, uint32_t guess);
// Whether `id` is the node of this stack, all of it compared.
bool is_node_of(uint32_t id, const StackView& stack);
// Brings a node that is going to be a guess into the cache.
void prefetch_node(uint32_t id);

size_t stack_table_resident_bytes();

// Makes the first segment and table. False: no address space.
bool start_stack_table();
// In a forked child.
void reset_stack_table();
// After dlclose took [start, end) away.
void retire_range(uintptr_t start, uintptr_t end);

}  // namespace memprof
