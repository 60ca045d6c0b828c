// Snapshots of memory in a built trace, written from the text of trace_format.h.
#pragma once

#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "trace_builder.h"

namespace memprof::test {

class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(TraceBuilder& trace) : trace_(trace) {}

  void begin(uint64_t time, uint32_t threads, format::SnapshotReason reason = format::SnapshotReason::exit) {
    add(format::SnapshotRecord::begin,
        bytes_of(format::SnapshotBegin{TraceBuilder::kStart + time, reason, threads, 1, 0}));
  }
  void thread(uint64_t stack_pointer, uint64_t thread_pointer, std::initializer_list<uint64_t> registers = {},
              format::SnapshotThreadState state = format::SnapshotThreadState::stopped) {
    format::SnapshotThread thread{next_thread_++, state, stack_pointer, thread_pointer, {}};
    size_t i = 0;
    for (const uint64_t value : registers) thread.registers[i++] = value;
    add(format::SnapshotRecord::thread, bytes_of(thread));
  }
  void range(format::SnapshotRangeKind kind, uint64_t start, uint64_t end, uint32_t flags = 0) {
    add(format::SnapshotRecord::range, bytes_of(format::SnapshotRange{start, end, kind, flags}));
  }
  // These belong to the range before.
  void word(uint64_t address, uint64_t value) {
    Bytes bytes = bytes_of(address);
    put_varint(bytes, 0);
    put_varint(bytes, zigzag(value - address));
    add(format::SnapshotRecord::words, bytes);
  }
  void vtable(uint64_t address) {
    Bytes bytes = bytes_of(address);
    put_varint(bytes, 0);
    add(format::SnapshotRecord::vtables, bytes);
  }
  void length(uint64_t address, uint64_t value) {
    Bytes bytes = bytes_of(address);
    put_varint(bytes, 0);
    put_varint(bytes, value);
    add(format::SnapshotRecord::lengths, bytes);
  }
  void end() { add(format::SnapshotRecord::end, bytes_of(format::SnapshotEnd{})); }

 private:
  template <class T>
  static Bytes bytes_of(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  }
  static uint64_t zigzag(uint64_t change) { return change << 1 ^ (0 - (change >> 63)); }
  void add(format::SnapshotRecord type, const Bytes& payload) {
    trace_.add_snapshot_record(static_cast<uint16_t>(type), payload);
  }

  TraceBuilder& trace_;
  uint32_t next_thread_ = 101;
};

// The usual one: blocks that were allocated, some data of a module that points to them, one snapshot behind all.
struct MemoryBuilder : TraceBuilder {
  static constexpr uint64_t kData = 0x5000'0000, kDataEnd = 0x5100'0000;  // of no module that is known
  static constexpr uint64_t kHeap = 0x6000'0000, kHeapEnd = 0x6800'0000;  // the program break
  static constexpr uint64_t kMoment = 1'000'000;

  SnapshotBuilder snapshot{*this};
  uint32_t site = stack(0x100);
  uint64_t time = 0;

  void block(uint64_t address, uint64_t size) { alloc(1, time += 10, address, size, site); }
  void begin_snapshot(uint32_t threads = 0, format::SnapshotReason reason = format::SnapshotReason::exit) {
    snapshot.begin(kMoment, threads, reason);
  }
  void end_snapshot() {
    snapshot.end();
    close(2 * kMoment);
  }
};

}  // namespace memprof::test
