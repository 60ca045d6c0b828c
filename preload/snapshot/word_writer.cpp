#include "snapshot/word_writer.h"

#include "snapshot/read_by_kernel.h"

namespace memprof {

namespace {

constexpr size_t kWordBytes = sizeof(uintptr_t);

uintptr_t load(uintptr_t address) {
  return __atomic_load_n(reinterpret_cast<const uintptr_t*>(address), __ATOMIC_RELAXED);
}

}  // namespace

bool WordWriter::add_target(uintptr_t start, uintptr_t end) {
  if (!targets_.is_empty() && targets_.last().end == start)
    targets_.last().end = end;
  else if (!targets_.add({start, end}))
    return false;
  lowest_ = targets_[0].start;
  highest_ = end;
  last_hit_ = targets_[0];
  return true;
}

inline bool WordWriter::is_target(uintptr_t value) {
  if (value - lowest_ >= highest_ - lowest_) return false;
  if (value - last_hit_.start < last_hit_.end - last_hit_.start) return true;
  size_t first = 0, count = targets_.size();  // the last that begins at or before the value is among them
  while (count > 1) {
    const size_t half = count / 2;
    if (targets_[first + half].start <= value) first += half;
    count -= half;
  }
  if (value >= targets_[first].end) return false;
  last_hit_ = targets_[first];
  return true;
}

bool WordWriter::flush() { return words_.flush() && vtable_words_.flush() && lengths_.flush(); }

// `value` lies in last_hit_.
bool WordWriter::put_lengths_before(uintptr_t value) {
  if (value % (2 * kWordBytes) != kWordBytes || value == last_measured_) return true;
  last_measured_ = value;
  const uintptr_t before = value - last_hit_.start, behind = last_hit_.end - value;
  if (before < kWordBytes) return true;
  const uintptr_t elements = load(value - kWordBytes);
  if (elements != 0 && elements <= behind && !lengths_.put_length(value - kWordBytes, elements)) return false;
  if (before < 3 * kWordBytes) return true;
  const uintptr_t capacity = load(value - 2 * kWordBytes), length = load(value - 3 * kWordBytes);
  if (capacity == 0 || capacity >= behind || length > capacity) return true;
  return lengths_.put_length(value - 3 * kWordBytes, length) && lengths_.put_length(value - 2 * kWordBytes, capacity);
}

template <bool kMayHoldObjects>
bool WordWriter::scan_at(const uintptr_t* words, size_t count, uintptr_t address) {
  bytes_scanned_ += count * kWordBytes;
  for (size_t i = 0; i < count; ++i) {
    const uintptr_t value = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    const uintptr_t at = address + i * kWordBytes;
    if (is_target(value)) {
      ++count_;
      if (!words_.put_word(at, value) || !put_lengths_before(value)) return false;
    } else if (kMayHoldObjects && vtables_.is_vtable(value) && !vtable_words_.put_address(at)) {
      return false;
    }
  }
  return true;
}

bool WordWriter::scan(uintptr_t start, uintptr_t end, bool may_hold_objects) {
  const auto* const words = reinterpret_cast<const uintptr_t*>(start);
  const size_t count = (end - start) / kWordBytes;
  return may_hold_objects ? scan_at<true>(words, count, start) : scan_at<false>(words, count, start);
}

bool WordWriter::scan_by_kernel(uintptr_t start, uintptr_t end) {
  while (start < end) {
    const long got = read_by_kernel(start, copy_, end - start < sizeof(copy_) ? end - start : sizeof(copy_));
    if (got <= 0) {
      start = (start / kPageBytes + 1) * kPageBytes;
      continue;
    }
    if (!scan_at<false>(copy_, static_cast<size_t>(got) / kWordBytes, start)) return false;
    start += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace memprof
