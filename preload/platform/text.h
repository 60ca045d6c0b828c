// Text without stdio or heap: a fixed buffer that cuts what does not fit.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

inline size_t text_length(const char* text) {
  size_t n = 0;
  while (text[n] != '\0') ++n;
  return n;
}
inline bool text_equals(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}
inline bool text_contains(const char* text, const char* part) {
  for (; *text != '\0'; ++text) {
    const char *at = text, *wanted = part;
    while (*wanted != '\0' && *at == *wanted) ++at, ++wanted;
    if (*wanted == '\0') return true;
  }
  return *part == '\0';
}

template <size_t kCapacity>
class Text {
 public:
  Text& add(const char* text) {
    while (*text != '\0') add(*text++);
    return *this;
  }
  Text& add(const char* text, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) add(text[i]);
    return *this;
  }
  Text& add(char c) {
    if (length_ + 1 < kCapacity) {
      bytes_[length_++] = c;
      bytes_[length_] = '\0';
    } else {
      cut_ = true;
    }
    return *this;
  }
  Text& add_number(uint64_t value) {
    char digits[20];
    size_t n = 0;
    do {
      digits[n++] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
    while (n > 0) add(digits[--n]);
    return *this;
  }
  const char* c_str() const { return bytes_; }
  char* data() { return bytes_; }
  size_t length() const { return length_; }
  bool cut() const { return cut_; }
  static constexpr size_t capacity() { return kCapacity; }
  // After bytes were written through data().
  void set_length(size_t bytes) {
    length_ = bytes < kCapacity ? bytes : kCapacity - 1;
    bytes_[length_] = '\0';
  }
  void clear() { set_length(0), cut_ = false; }

 private:
  char bytes_[kCapacity] = {};
  size_t length_ = 0;
  bool cut_ = false;
};

}  // namespace memprof
