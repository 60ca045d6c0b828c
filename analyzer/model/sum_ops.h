// What pairing tells of the open sums, in the order in which they change: applied to the sites by whoever adds them up,
// another thread where there is one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "model/past_cache.h"
#include "trace/stack_nodes.h"

namespace memprof {

struct SumOp {
  enum class Kind : uint8_t {
    site,              // nothing but that its site is the next where there is none yet
    allocated,         // bytes and a block more
    closed,            // bytes and a block less
    closed_temporary,  // the same, of a temporary block
    reopened,          // bytes and a block more that had been closed: it was another block that ended
    shrunk,            // bytes less of a block that stays
    carried,           // bytes and a block more, allocated before the window
    temporary,         // a block closed before was a temporary one
    stamp,  // `ticks` is the stamp of the allocation that comes next, whose own are those of the latest event
  };

  uint64_t bytes;
  uint64_t ticks;   // of the latest event: never goes back
  StackId stack;    // as in the trace; that allocated the block
  uint32_t thread;  // index; that allocated the block
  uint16_t tag;     // of the allocation
  uint16_t domain;  // index
  Kind kind;
};
static_assert(sizeof(SumOp) == 32);

// They grow at the end alone. Those that another thread reads are written past the cache, which has better to hold.
class SumOps {
 public:
  explicit SumOps(bool are_for_another_thread) : go_past_cache_(are_for_another_thread) {}

  void push(uint64_t bytes, uint64_t ticks, StackId stack, uint32_t thread, uint16_t tag, uint16_t domain,
            SumOp::Kind kind) {
    if (size_ == capacity_) grow();
    SumOp* const place = &ops_[size_++];
    if (go_past_cache_) {
      static_assert(sizeof(SumOp) == 4 * sizeof(uint64_t) && offsetof(SumOp, stack) == 16 &&
                    offsetof(SumOp, thread) == 20 && offsetof(SumOp, tag) == 24 && offsetof(SumOp, domain) == 26 &&
                    offsetof(SumOp, kind) == 28);
      store_past_cache(place, bytes, ticks, uint64_t{thread} << 32 | stack,
                       static_cast<uint64_t>(kind) << 32 | uint64_t{domain} << 16 | tag);
    } else {
      *place = {bytes, ticks, stack, thread, tag, domain, kind};
    }
  }
  // Before another thread learns of them, through a mutex.
  void hand_over() {
    if (go_past_cache_) end_stores_past_cache();
  }
  void clear() { size_ = 0; }
  std::span<const SumOp> all() const { return {ops_.get(), size_}; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr size_t kFirstCapacity = size_t{1} << 12;

  [[gnu::noinline]] void grow() {
    capacity_ = std::max(kFirstCapacity, 2 * capacity_);
    auto ops = std::make_unique_for_overwrite<SumOp[]>(capacity_);
    hand_over();
    std::copy_n(ops_.get(), size_, ops.get());
    ops_ = std::move(ops);
  }

  bool go_past_cache_;
  size_t size_ = 0, capacity_ = 0;
  std::unique_ptr<SumOp[]> ops_;
};

}  // namespace memprof
