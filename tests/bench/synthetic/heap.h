// Addresses as an allocator of malloc's kind hands them out: the block of its size that a thread freed last, one that
// another thread freed, or the next one at the end of the thread's arena. It has no memory behind it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace memprof::synthetic {

class Heap {
 public:
  // What glibc adds to a size before it rounds it to granules of 16 bytes.
  static constexpr uint32_t kSizeBias = 23;

  explicit Heap(size_t threads) : arenas_(threads) {
    for (size_t i = 0; i < threads; ++i) arenas_[i].end = i == 0 ? kFirstArena : kOtherArenas + i * kArenaBytes;
  }

  // Blocks of a class have the same room: up to 64 granules, each number is one; then each power of two.
  static uint8_t class_of(uint64_t size) {
    const uint64_t granules = size <= 24 ? 2 : (size + kSizeBias) / 16;
    return static_cast<uint8_t>(granules <= kExact ? granules : kExact - 6 + std::bit_width(granules - 1));
  }

  uint64_t take(size_t thread, uint8_t size_class) {
    Arena& arena = arenas_[thread];
    std::vector<uint64_t>& own = arena.freed[size_class];
    std::vector<uint64_t>& list = own.empty() ? shared_[size_class] : own;
    if (!list.empty()) {
      const uint64_t address = list.back();
      list.pop_back();
      return address;
    }
    const uint64_t address = arena.end;
    arena.end += 16 * granules_of(size_class);
    return address;
  }

  void give_back(size_t thread, uint8_t size_class, uint64_t address) {
    std::vector<uint64_t>& own = arenas_[thread].freed[size_class];
    (own.size() < kMostOwn ? own : shared_[size_class]).push_back(address);
  }

 private:
  static constexpr uint64_t kFirstArena = 0x5555'5600'02a0, kOtherArenas = 0x7000'0000'08d0, kArenaBytes = 1ull << 36;
  static constexpr unsigned kExact = 64, kClasses = kExact + 26;
  static constexpr size_t kMostOwn = 16;

  struct Arena {
    uint64_t end = 0;
    std::array<std::vector<uint64_t>, kClasses> freed;
  };

  static uint64_t granules_of(uint8_t size_class) {
    return size_class <= kExact ? size_class : uint64_t{1} << (size_class - kExact + 6);
  }

  std::vector<Arena> arenas_;
  std::array<std::vector<uint64_t>, kClasses> shared_;
};

}  // namespace memprof::synthetic
