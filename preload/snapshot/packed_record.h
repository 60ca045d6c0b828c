// A snapshot's record that is under way: an address, then numbers as LEB128 (trace_format.h, "Snapshots").
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

class PackedRecord {
 public:
  constexpr explicit PackedRecord(format::SnapshotRecord type) : type_(type) {}

  // A word after the last one, and what it holds.
  bool put_word(uintptr_t address, uintptr_t value) {
    if (!begin(address)) return false;
    put(steps_to(address));
    put(zigzag(static_cast<int64_t>(value - last_value_)));
    last_value_ = value;
    return true;
  }
  // A word after the last one.
  bool put_address(uintptr_t address) {
    if (!begin(address)) return false;
    put(steps_to(address));
    return true;
  }
  // Any word.
  bool put_length(uintptr_t address, uintptr_t value) {
    if (!begin(address)) return false;
    put(zigzag(static_cast<int64_t>(address - last_address_) / static_cast<int64_t>(sizeof(uintptr_t))));
    put(value);
    last_address_ = address;
    return true;
  }
  // Writes what there is. False, as above: the trace has no room.
  bool flush();

 private:
  static constexpr size_t kBufferBytes = 8192;
  static constexpr size_t kMostBytes = 20;  // of two numbers

  static uint64_t zigzag(int64_t value) {
    return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  }
  uint64_t steps_to(uintptr_t address) {
    const uint64_t steps = (address - last_address_) / sizeof(uintptr_t);
    last_address_ = address;
    return steps;
  }
  // Room for two numbers.
  bool begin(uintptr_t address) {
    if (used_ + kMostBytes > kBufferBytes && !flush()) return false;
    if (used_ != 0) return true;
    __builtin_memcpy(buffer_, &address, sizeof(address));
    used_ = sizeof(address);
    last_address_ = last_value_ = address;
    return true;
  }
  void put(uint64_t value) {
    for (; value >= 0x80; value >>= 7) buffer_[used_++] = static_cast<unsigned char>(value | 0x80);
    buffer_[used_++] = static_cast<unsigned char>(value);
  }

  const format::SnapshotRecord type_;
  unsigned char buffer_[kBufferBytes] = {};
  size_t used_ = 0;
  uintptr_t last_address_ = 0, last_value_ = 0;
};

}  // namespace memprof
