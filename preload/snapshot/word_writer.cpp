#include "snapshot/word_writer.h"

#include "platform/syscalls.h"
#include "trace_writer/record_stream.h"

namespace memprof {

namespace {

unsigned char* put_varint(unsigned char* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<unsigned char>(value | 0x80);
  *at++ = static_cast<unsigned char>(value);
  return at;
}

uint64_t zigzag(int64_t value) { return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63); }

}  // namespace

bool WordWriter::add_target(uintptr_t start, uintptr_t end) {
  if (target_count_ != 0 && targets_[target_count_ - 1].end == start) {
    targets_[target_count_ - 1].end = end;
  } else {
    if (target_count_ == target_capacity_) {
      const size_t wanted = target_capacity_ == 0 ? 4096 : 2 * target_capacity_;
      auto* const larger = static_cast<Target*>(sys::map_anonymous(wanted * sizeof(Target)));
      if (larger == nullptr) return false;
      __builtin_memcpy(larger, targets_, target_count_ * sizeof(Target));
      if (targets_ != nullptr) sys::unmap_anonymous(targets_, target_capacity_ * sizeof(Target));
      targets_ = larger;
      target_capacity_ = wanted;
    }
    targets_[target_count_++] = {start, end};
  }
  lowest_ = targets_[0].start;
  highest_ = end;
  last_hit_ = targets_[0];
  return true;
}

inline bool WordWriter::is_target(uintptr_t value) {
  if (value - lowest_ >= highest_ - lowest_) return false;
  if (value - last_hit_.start < last_hit_.end - last_hit_.start) return true;
  size_t first = 0, count = target_count_;  // the last that begins at or before the value is among them
  while (count > 1) {
    const size_t half = count / 2;
    if (targets_[first + half].start <= value) first += half;
    count -= half;
  }
  if (value >= targets_[first].end) return false;
  last_hit_ = targets_[first];
  return true;
}

bool WordWriter::flush() {
  if (used_ == 0) return true;
  const Piece piece{buffer_, used_};
  used_ = 0;
  return write_snapshot_record(format::SnapshotRecord::words, &piece, 1);
}

bool WordWriter::put(uintptr_t address, uintptr_t value) {
  if (used_ + kMostWordBytes > kBufferBytes && !flush()) return false;
  if (used_ == 0) {
    __builtin_memcpy(buffer_, &address, sizeof(address));
    used_ = sizeof(address);
    last_address_ = last_value_ = address;
  }
  unsigned char* at = buffer_ + used_;
  at = put_varint(at, (address - last_address_) / sizeof(uintptr_t));
  at = put_varint(at, zigzag(static_cast<int64_t>(value - last_value_)));
  used_ = static_cast<size_t>(at - buffer_);
  last_address_ = address;
  last_value_ = value;
  ++count_;
  return true;
}

bool WordWriter::scan_at(const uintptr_t* words, size_t count, uintptr_t address) {
  bytes_scanned_ += count * sizeof(uintptr_t);
  for (size_t i = 0; i < count; ++i) {
    const uintptr_t value = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    if (is_target(value) && !put(address + i * sizeof(uintptr_t), value)) return false;
  }
  return true;
}

bool WordWriter::scan(uintptr_t start, uintptr_t end) {
  return scan_at(reinterpret_cast<const uintptr_t*>(start), (end - start) / sizeof(uintptr_t), start);
}

bool WordWriter::scan_by_kernel(uintptr_t start, uintptr_t end) {
  constexpr size_t kPageBytes = 4096;
  static constinit uintptr_t copy[16 * kPageBytes / sizeof(uintptr_t)] = {};
  while (start < end) {
    const size_t bytes = end - start < sizeof(copy) ? end - start : sizeof(copy);
    struct {
      void* start;
      size_t bytes;
    } to{copy, bytes}, from{reinterpret_cast<void*>(start), bytes};  // the kernel's iovec
    const long got = sys::call(SYS_process_vm_readv, sys::process_id(), sys::arg(&to), 1, sys::arg(&from), 1, 0);
    if (got <= 0) {
      start = (start / kPageBytes + 1) * kPageBytes;
      continue;
    }
    if (!scan_at(copy, static_cast<size_t>(got) / sizeof(uintptr_t), start)) return false;
    start += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace memprof
