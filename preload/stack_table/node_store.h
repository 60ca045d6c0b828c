// Storage of the trie's nodes: segments of address space that never move, made as ids reach them. Lock-free.
#pragma once

#include <stdint.h>

#include <atomic>

#include "platform/syscalls.h"

namespace memprof {

struct Node {
  uintptr_t pc;  // as in Frame
  uint32_t parent;
  uint32_t hash_low;
};
static_assert(sizeof(Node) == 16);

class NodeStore {
 public:
  static constexpr uint32_t kSegmentNodes = 1u << 16;
  static constexpr uint32_t kSegments = 1u << 12;  // 268 million nodes

  Node* find(uint32_t id) const {
    // acquire: pairs with the exchange in make
    return &segments_[id / kSegmentNodes].load(std::memory_order_acquire)[id % kSegmentNodes];
  }

  size_t resident_bytes() const {
    size_t bytes = 0;
    for (const std::atomic<Node*>& segment : segments_) {
      const Node* made = segment.load(std::memory_order_acquire);
      if (made != nullptr) bytes += sys::resident_bytes(made, kSegmentNodes * sizeof(Node));
    }
    return bytes;
  }

  // The place of a new id; nullptr when there is no room for it.
  Node* make(uint32_t id) {
    if (id / kSegmentNodes >= kSegments) return nullptr;
    std::atomic<Node*>& segment = segments_[id / kSegmentNodes];
    if (segment.load(std::memory_order_acquire) == nullptr) {
      auto* made = static_cast<Node*>(sys::map_anonymous(kSegmentNodes * sizeof(Node)));
      if (made == nullptr) return nullptr;
      Node* expected = nullptr;
      if (!segment.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) {
        sys::unmap_anonymous(made, kSegmentNodes * sizeof(Node));
      }
    }
    return find(id);
  }

 private:
  std::atomic<Node*> segments_[kSegments] = {};
};

}  // namespace memprof
