#include "platform/syscalls.h"

namespace memprof::sys {

constinit std::atomic<bool> gate_closed{false};

namespace {
constinit std::atomic<uint32_t> early_calls{0};
}
constinit std::atomic<uint32_t>* calls_under_way = &early_calls;

namespace {

// Untouched parts of it take no memory: as much as the states of some hundred threads, or a million new stack nodes.
constexpr size_t kMostReserve = size_t{64} << 20;
constexpr size_t kLeastReserve = size_t{1} << 20;
constinit char* reserve_start = nullptr;
constinit size_t reserve_bytes = 0;
constinit std::atomic<size_t> reserve_used{0};

// Of the recorder's memory, tables and a state a thread: what is beyond is taken for the host's, where it does no harm.
constexpr uint32_t kMostOwnMappings = 1u << 14;

void note_own(void* start, size_t bytes) {
  if (start == nullptr) return;
  for (uint32_t i = 0;; ++i) {
    const uint32_t count = own_mapping_count.load(std::memory_order_relaxed);
    if (i == count) {
      if (count == kMostOwnMappings) return;
      // acq_rel: who sees the count sees the places before
      uint32_t expected = count;
      own_mapping_count.compare_exchange_strong(expected, count + 1, std::memory_order_acq_rel);
    }
    uintptr_t none = 0;
    if (own_mappings[i].start.load(std::memory_order_relaxed) != 0) continue;
    if (!own_mappings[i].start.compare_exchange_strong(none, kOwnMappingTaken, std::memory_order_acquire)) continue;
    own_mappings[i].end = reinterpret_cast<uintptr_t>(start) + bytes;
    own_mappings[i].start.store(reinterpret_cast<uintptr_t>(start), std::memory_order_release);  // pairs with visit
    return;
  }
}

}  // namespace

constinit OwnMapping own_mappings[kMostOwnMappings] = {};
constinit std::atomic<uint32_t> own_mapping_count{0};

void* map_anonymous(size_t bytes) {
  constexpr int kReadWrite = 0x1 | 0x2, kPrivateAnonymous = 0x02 | 0x20;
  void* mapped = map(bytes, kReadWrite, kPrivateAnonymous, -1, 0);
  if (mapped == nullptr && !may_call()) return take_reserved(bytes);
  note_own(mapped, bytes);
  return mapped;
}

void unmap_anonymous(void* start, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  const uint32_t count = own_mapping_count.load(std::memory_order_acquire);
  // Before the memory may be the host's.
  for (uint32_t i = 0; i < count; ++i) {
    uintptr_t found = address;
    if (own_mappings[i].start.compare_exchange_strong(found, 0, std::memory_order_relaxed)) break;
  }
  unmap(start, bytes);
}

void reserve_memory() {
  constexpr int kReadWrite = 0x1 | 0x2, kPrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
  for (size_t bytes = kMostReserve; reserve_start == nullptr && bytes >= kLeastReserve; bytes /= 4) {
    reserve_start = static_cast<char*>(map(bytes, kReadWrite, kPrivateAnonymousNoReserve, -1, 0));
    reserve_bytes = bytes;
  }
  note_own(reserve_start, reserve_bytes);
}

void* take_reserved(size_t bytes) {
  constexpr size_t kPageBytes = 4096;
  bytes = (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
  if (reserve_start == nullptr || bytes > reserve_bytes) return nullptr;
  const size_t at = reserve_used.fetch_add(bytes, std::memory_order_relaxed);
  if (at <= reserve_bytes - bytes) return reserve_start + at;
  reserve_used.fetch_sub(bytes, std::memory_order_relaxed);
  return nullptr;
}

void close_gate() {
  constexpr uint32_t kMostTries = 20'000;
  gate_closed.store(true, std::memory_order_seq_cst);
  // acquire: pairs with the release of a call that has returned
  // Below 0 after a fork in a signal handler that interrupted a call: the child's count began anew, then it returned.
  const auto are_under_way = [] { return static_cast<int32_t>(calls_under_way->load(std::memory_order_seq_cst)) > 0; };
  for (uint32_t tries = 0; tries < kMostTries && are_under_way(); ++tries) {
    constexpr long kPause[2] = {0, 100'000};  // the kernel's timespec
    enter_kernel(SYS_nanosleep, arg(kPause));
  }
}

void count_calls_in(std::atomic<uint32_t>* place) { calls_under_way = place; }

void open_gate() { gate_closed.store(false, std::memory_order_seq_cst); }

}  // namespace memprof::sys
