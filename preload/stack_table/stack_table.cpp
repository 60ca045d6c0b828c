#include "stack_table/stack_table.h"

#include <sys/mman.h>

#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "stack_table/module_table.h"
#include "stack_table/node_store.h"

namespace memprof {
namespace {

using format::kFirstNode;
using format::kNoStack;

constexpr uint32_t kFirstTableEntries = 1u << 14;
constexpr uint32_t kMostTableEntries = 1u << 29;
constexpr uint32_t kMaxNodeId = NodeStore::kSegmentNodes * NodeStore::kSegments - 1;

// Entry: high half of the prefix hash << 32 | node id. Zero: free.
struct Table {
  uint32_t mask;
  uint32_t bytes;
  std::atomic<uint64_t> entries[1];
};

constinit NodeStore nodes;
constinit std::atomic<Table*> table{nullptr};
constinit RareLock enlarging;

// Ranges of unloaded modules; nodes below the watermark that lie in one are dead. When the array is full, everything
// below the newest watermark is dead: stacks are then written again, none is ever wrong.
struct RetiredRange {
  uintptr_t start;
  uintptr_t end;
  uint32_t watermark;
};
constexpr uint32_t kMaxRetired = 64;
constinit RetiredRange retired[kMaxRetired] = {};
constinit std::atomic<uint32_t> retired_count{0};
constinit std::atomic<uint32_t> dead_below{0};
constinit RareLock retiring;

size_t table_bytes(uint32_t entries) { return sizeof(Table) + (entries - 1) * sizeof(std::atomic<uint64_t>); }

Table* make_table(uint32_t entries) {
  auto* made = static_cast<Table*>(sys::map_anonymous(table_bytes(entries)));
  if (made != nullptr) made->mask = entries - 1;
  return made;
}

// Multiply-and-fold of two odd constants (the mixing step of wyhash by Wang Yi, public domain).
__extension__ using Wide = unsigned __int128;
uint64_t extend_hash(uint64_t prefix, uintptr_t address) {
  const Wide product = static_cast<Wide>(prefix ^ 0xa0761d6478bd642full) * (address ^ 0xe7037ed1a0b428dbull);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint32_t root_of(StackEnd end) {
  switch (end) {
    case StackEnd::whole: return format::kRootWhole;
    case StackEnd::depth_limit: return format::kRootDepthLimit;
    case StackEnd::gave_up: break;
  }
  return format::kRootGaveUp;
}

bool is_any_dead() {
  // acquire: pairs with the release in retire_range
  return dead_below.load(std::memory_order_relaxed) != 0 || retired_count.load(std::memory_order_acquire) != 0;
}

bool is_dead(uint32_t id, uintptr_t address) {
  if (id < dead_below.load(std::memory_order_relaxed)) return true;
  const uint32_t count = retired_count.load(std::memory_order_acquire);  // pairs with the release in retire_range
  for (uint32_t i = 0; i < count; ++i) {
    if (id < retired[i].watermark && address >= retired[i].start && address < retired[i].end) return true;
  }
  return false;
}

// Whether `id` ends the stack of `depth` frames, proved from the inside out down to the frames already known; fills in
// the nodes of the others.
bool prove(uint32_t id, const StackMemo& memo, StackPath& path, uint32_t depth) {
  const bool any_dead = is_any_dead();
  const uint32_t known = path.known;
  for (uint32_t i = depth; i > known; --i) {
    if (id < kFirstNode) return false;
    const Node* node = nodes.find(id);
    if (node->pc != memo.frames[i - 1].pc) return false;
    if (__builtin_expect(any_dead, 0) && is_dead(id, memo.address(i - 1))) return false;
    path.node[i - 1] = id;
    id = node->parent;
  }
  return id == (known == 0 ? path.root : path.node[known - 1]);
}

// Looks for the stack made of the first `depth` frames. On success its frames are known.
bool find_stack(const StackMemo& memo, StackPath& path, uint32_t depth) {
  const uint64_t hash = path.prefix_hash[depth - 1];
  const Table* now = table.load(std::memory_order_acquire);  // pairs with the release in enlarge
  for (uint32_t slot = static_cast<uint32_t>(hash) & now->mask;; slot = (slot + 1) & now->mask) {
    const uint64_t entry = now->entries[slot].load(std::memory_order_acquire);  // pairs with the CAS in publish
    if (entry == 0) return false;
    if (entry >> 32 == hash >> 32 && prove(static_cast<uint32_t>(entry), memo, path, depth)) {
      path.known = depth;
      return true;
    }
  }
}

void publish(Table* into, uint64_t hash, uint32_t id) {
  const uint64_t entry = (hash >> 32 << 32) | id;
  for (uint32_t slot = static_cast<uint32_t>(hash) & into->mask;; slot = (slot + 1) & into->mask) {
    uint64_t expected = 0;
    if (into->entries[slot].load(std::memory_order_relaxed) == 0 &&
        into->entries[slot].compare_exchange_strong(expected, entry, std::memory_order_release)) {
      return;
    }
  }
}

// Three quarters full, a table gets a larger one; where there is no memory for that, it takes entries up to seven
// eighths.
uint32_t enough_nodes(const Table* in) { return in->mask / 4 * 3; }
uint32_t most_nodes(const Table* in) { return in->mask / 8 * 7; }

// Readers may be in it: it stays mapped, but gives its memory back. Those who look there now find nothing, and make
// what they look for once more. The first page stays, as the mask lies there.
void give_up(Table* old) {
  constexpr size_t kPageBytes = 4096;
  const size_t bytes = table_bytes(old->mask + 1);
  if (bytes > kPageBytes) sys::advise(reinterpret_cast<char*>(old) + kPageBytes, bytes - kPageBytes, MADV_DONTNEED);
}

// Doubles the table. Entries that other threads publish into the old one meanwhile are lost: their stacks are made
// once more.
void enlarge(uint32_t nodes_now) {
  RareGuard guard(enlarging);
  if (!guard.held()) return;
  Table* old = table.load(std::memory_order_relaxed);
  if (nodes_now < enough_nodes(old) || old->mask + 1 >= kMostTableEntries) return;
  Table* bigger = make_table((old->mask + 1) * 2);
  if (bigger == nullptr) return;
  for (uint32_t slot = 0; slot <= old->mask; ++slot) {
    const uint64_t entry = old->entries[slot].load(std::memory_order_acquire);
    if (entry == 0) continue;
    const auto id = static_cast<uint32_t>(entry);
    publish(bigger, (entry >> 32 << 32) | nodes.find(id)->hash_low, id);
  }
  table.store(bigger, std::memory_order_release);
  give_up(old);
}

unsigned char* put_varint(unsigned char* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<unsigned char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<unsigned char>(value);
  return at;
}

constexpr size_t kMostNodeBytes = 5 + 5 + 5 + 10;

bool write_node(NodeStream& stream, uint32_t id, uint32_t parent, uintptr_t address, bool exact) {
  const ModuleAddress where = locate(address);
  stream.writing = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (!stream.cursor.has_room(kMostNodeBytes)) {
    if (!stream.cursor.roll(format::StreamKind::stacks, stream.stream_id, stream.thread_serial, stream.thread_id)) {
      stream.writing = false;
      return false;
    }
    stream.previous_id = 0;
  }
  unsigned char* at = stream.cursor.at();
  at = put_varint(at, id - stream.previous_id);
  at = put_varint(at, id - parent);
  at = put_varint(at, uint64_t{where.module_id} << 1 | (exact ? format::kNodeExactAddress : 0));
  at = put_varint(at, where.address);
  stream.cursor.publish(at);
  stream.previous_id = id;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  stream.writing = false;
  return true;
}

// The id of a new node under `parent`; kNoStack: no room, or recording has stopped.
uint32_t make_node(NodeStream& stream, uint32_t parent, uint64_t hash, const StackMemo& memo, uint32_t frame) {
  const uint64_t number =
      kFirstNode + std::atomic_ref(trace_header->node_count).fetch_add(1, std::memory_order_relaxed);
  Node* node = number > kMaxNodeId ? nullptr : nodes.make(static_cast<uint32_t>(number));
  if (node == nullptr) {
    stop_recording(format::DropCause::table_full, "no room for more stacks");
    return kNoStack;
  }
  const auto id = static_cast<uint32_t>(number);
  *node = {memo.frames[frame].pc, parent, static_cast<uint32_t>(hash)};
  if (!write_node(stream, id, parent, memo.address(frame), memo.is_exact(frame))) return kNoStack;
  Table* now = table.load(std::memory_order_acquire);
  if (number > enough_nodes(now)) {
    enlarge(id);
    now = table.load(std::memory_order_acquire);
  }
  // Past that, nodes are no longer shared, only written.
  if (number < most_nodes(now)) publish(now, hash, id);
  return id;
}

}  // namespace

uint32_t intern_stack(const StackMemo& memo, StackPath& path, NodeStream& stream, uint32_t guess) {
  const uint32_t depth = memo.depth;
  const uint32_t root = root_of(memo.end);
  if (path.root != root) path.root = root, path.known = path.hashed = 0;
  if (path.known >= depth) return depth == 0 ? root : path.node[depth - 1];
  if (prove(guess, memo, path, depth)) {
    path.known = depth;
    return guess;
  }

  uint64_t hash = path.hashed == 0 ? root : path.prefix_hash[path.hashed - 1];
  for (uint32_t i = path.hashed; i < depth; ++i) {
    hash = extend_hash(hash, memo.frames[i].pc);
    path.prefix_hash[i] = hash;
  }
  path.hashed = depth;
  if (find_stack(memo, path, depth)) return path.node[depth - 1];

  // New: find the longest known prefix, then make the rest.
  uint32_t prefix = depth - 1;
  while (prefix > path.known && !find_stack(memo, path, prefix)) --prefix;
  for (uint32_t i = path.known; i < depth; ++i) {
    const uint32_t parent = i == 0 ? root : path.node[i - 1];
    const uint32_t id = make_node(stream, parent, path.prefix_hash[i], memo, i);
    if (id == kNoStack) return kNoStack;
    path.node[i] = id;
    path.known = i + 1;
  }
  return path.node[depth - 1];
}

bool is_node_of(uint32_t id, const StackView& stack) {
  for (uint32_t i = stack.depth; i > 0; --i) {
    if (id < kFirstNode || nodes.find(id)->pc != stack.frames[i - 1].pc) return false;
    id = nodes.find(id)->parent;
  }
  return id == root_of(stack.end);
}

void prefetch_node(uint32_t id) {
  if (id >= kFirstNode) __builtin_prefetch(nodes.find(id));
}

size_t stack_table_resident_bytes() {
  const Table* now = table.load(std::memory_order_acquire);
  return nodes.resident_bytes() + sys::resident_bytes(now, table_bytes(now->mask + 1));
}

bool start_stack_table() {
  Table* first = make_table(kFirstTableEntries);
  if (first == nullptr || nodes.make(kFirstNode) == nullptr) return false;
  table.store(first, std::memory_order_release);
  return true;
}

void reset_stack_table() {
  Table* old = table.load(std::memory_order_relaxed);
  if (old != nullptr) sys::unmap_anonymous(old, table_bytes(old->mask + 1));
  table.store(nullptr, std::memory_order_relaxed);
  enlarging.reset();
  retiring.reset();
  retired_count.store(0, std::memory_order_relaxed);
  dead_below.store(0, std::memory_order_relaxed);
}

void retire_range(uintptr_t start, uintptr_t end) {
  RareGuard guard(retiring);
  const auto watermark =
      static_cast<uint32_t>(kFirstNode + std::atomic_ref(trace_header->node_count).load(std::memory_order_relaxed));
  if (!guard.held()) {
    dead_below.store(watermark, std::memory_order_relaxed);
    return;
  }
  const uint32_t count = retired_count.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    if (retired[i].start == start && retired[i].end == end) {
      std::atomic_ref(retired[i].watermark).store(watermark, std::memory_order_relaxed);
      return;
    }
  }
  if (count == kMaxRetired) {
    dead_below.store(watermark, std::memory_order_relaxed);
    retired_count.store(0, std::memory_order_relaxed);
    return;
  }
  retired[count] = {start, end, watermark};
  retired_count.store(count + 1, std::memory_order_release);
}

}  // namespace memprof
