// Sixteen unsigned bytes compared at once. What a comparison says is a mask: bit i for byte i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace memprof {

class Bytes16 {
 public:
  static constexpr size_t kCount = 16;

#if defined(__SSE2__)
  // Of any alignment.
  static Bytes16 load(const uint8_t* bytes) {
    return Bytes16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  }
  // first, first + 1, ...: modulo 256.
  static Bytes16 count_from(uint8_t first) {
    return Bytes16(_mm_add_epi8(_mm_set1_epi8(static_cast<char>(first)),
                                _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
  }
  uint32_t zeros() const { return mask(_mm_cmpeq_epi8(bytes_, _mm_setzero_si128())); }
  uint32_t equal(Bytes16 other) const { return mask(_mm_cmpeq_epi8(bytes_, other.bytes_)); }
  uint32_t greater(Bytes16 other) const {
    return ~mask(_mm_cmpeq_epi8(_mm_subs_epu8(bytes_, other.bytes_), _mm_setzero_si128())) & 0xffff;
  }

 private:
  explicit Bytes16(__m128i bytes) : bytes_(bytes) {}
  static uint32_t mask(__m128i bytes) { return static_cast<uint32_t>(_mm_movemask_epi8(bytes)); }
  __m128i bytes_;
#else
  static Bytes16 load(const uint8_t* bytes) {
    Bytes16 loaded;
    std::memcpy(loaded.bytes_, bytes, kCount);
    return loaded;
  }
  static Bytes16 count_from(uint8_t first) {
    Bytes16 counted;
    for (size_t i = 0; i < kCount; ++i) counted.bytes_[i] = static_cast<uint8_t>(first + i);
    return counted;
  }
  uint32_t zeros() const {
    return mask([&](size_t i) { return bytes_[i] == 0; });
  }
  uint32_t equal(const Bytes16& other) const {
    return mask([&](size_t i) { return bytes_[i] == other.bytes_[i]; });
  }
  uint32_t greater(const Bytes16& other) const {
    return mask([&](size_t i) { return bytes_[i] > other.bytes_[i]; });
  }

 private:
  template <class Test>
  static uint32_t mask(Test&& test) {
    uint32_t bits = 0;
    for (size_t i = 0; i < kCount; ++i) bits |= static_cast<uint32_t>(test(i)) << i;
    return bits;
  }
  uint8_t bytes_[kCount];
#endif
};

}  // namespace memprof
