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

}  // namespace

void reserve_memory() {
  constexpr int kReadWrite = 0x1 | 0x2, kPrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
  for (size_t bytes = kMostReserve; reserve_start == nullptr && bytes >= kLeastReserve; bytes /= 4) {
    reserve_start = static_cast<char*>(map(bytes, kReadWrite, kPrivateAnonymousNoReserve, -1, 0));
    reserve_bytes = bytes;
  }
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
