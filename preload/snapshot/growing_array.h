// An array in memory of the recorder's own, which grows. For a process with one thread, or where all others stand
// still.
#pragma once

#include <stddef.h>

#include "platform/syscalls.h"

namespace memprof {

template <class T>
class GrowingArray {
 public:
  // False: no memory.
  bool add(const T& element) {
    if (count_ == capacity_ && !grow()) return false;
    elements_[count_++] = element;
    return true;
  }
  size_t size() const { return count_; }
  bool is_empty() const { return count_ == 0; }
  T& operator[](size_t index) { return elements_[index]; }
  const T& operator[](size_t index) const { return elements_[index]; }
  T& last() { return elements_[count_ - 1]; }
  const T& last() const { return elements_[count_ - 1]; }
  const T* begin() const { return elements_; }
  const T* end() const { return elements_ + count_; }

 private:
  static constexpr size_t kFirstCapacity = 4096;

  bool grow() {
    const size_t wanted = capacity_ == 0 ? kFirstCapacity : 2 * capacity_;
    auto* const larger = static_cast<T*>(sys::map_anonymous(wanted * sizeof(T)));
    if (larger == nullptr) return false;
    __builtin_memcpy(larger, elements_, count_ * sizeof(T));
    if (elements_ != nullptr) sys::unmap_anonymous(elements_, capacity_ * sizeof(T));
    elements_ = larger;
    capacity_ = wanted;
    return true;
  }

  T* elements_ = nullptr;
  size_t count_ = 0, capacity_ = 0;
};

}  // namespace memprof
