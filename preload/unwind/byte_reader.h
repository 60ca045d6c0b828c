// Reads DWARF's encodings from a range of bytes. A read past the end fails the reader for good and gives 0: check ok()
// once after a group of reads.
#pragma once

#include <stdint.h>
#include <string.h>

namespace memprof {

struct ByteRange {
  const uint8_t* begin;
  const uint8_t* end;
  bool holds(const void* at) const { return at >= begin && at < end; }
};

// DW_EH_PE_*: how a pointer is stored (low four bits) and what it is relative to (next three).
namespace pointer_encoding {
inline constexpr uint8_t kAbsolute = 0x00, kUleb = 0x01, kU16 = 0x02, kU32 = 0x03, kU64 = 0x04;
inline constexpr uint8_t kSleb = 0x09, kS16 = 0x0a, kS32 = 0x0b, kS64 = 0x0c;
inline constexpr uint8_t kFormMask = 0x0f, kBaseMask = 0x70;
inline constexpr uint8_t kFromHere = 0x10, kFromData = 0x30;
inline constexpr uint8_t kIndirect = 0x80, kOmitted = 0xff;
}  // namespace pointer_encoding

class ByteReader {
 public:
  ByteReader(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end), ok_(begin <= end) {}

  bool ok() const { return ok_; }
  bool at_end() const { return !ok_ || at_ == end_; }
  const uint8_t* at() const { return at_; }
  uint64_t left() const { return ok_ ? static_cast<uint64_t>(end_ - at_) : 0; }

  template <typename T>
  T fixed() {
    T value{};
    if (left() < sizeof(T)) {
      ok_ = false;
      return value;
    }
    memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  uint8_t byte() { return fixed<uint8_t>(); }

  uint64_t uleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t part = byte();
      if (shift < 64) value |= static_cast<uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) return value;
    }
  }
  int64_t sleb() {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
      const uint8_t part = byte();
      if (shift < 64) value |= static_cast<uint64_t>(part & 0x7f) << shift;
      shift += 7;
      if ((part & 0x80) != 0) continue;
      if ((part & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
      return static_cast<int64_t>(value);
    }
  }

  void skip(uint64_t count) {
    if (count > left()) {
      ok_ = false;
    } else {
      at_ += count;
    }
  }
  // The next `count` bytes as a reader of their own.
  ByteReader part(uint64_t count) {
    const uint8_t* begin = at_;
    skip(count);
    return ok_ ? ByteReader(begin, at_) : failed();
  }

  // A pointer stored in `encoding`, not dereferenced; `data_base` is what data-relative means here, 0: nothing.
  uintptr_t encoded_pointer(uint8_t encoding, uintptr_t data_base) {
    using namespace pointer_encoding;
    const auto here = reinterpret_cast<uintptr_t>(at_);
    const uintptr_t value = encoded_value(encoding);
    switch (encoding & kBaseMask) {
      case kAbsolute: return value;
      case kFromHere: return value + here;
      case kFromData:
        if (data_base != 0) return value + data_base;
        break;
      default: break;
    }
    ok_ = false;
    return 0;
  }
  uintptr_t encoded_value(uint8_t encoding) {
    using namespace pointer_encoding;
    switch (encoding & kFormMask) {
      case kAbsolute:
      case kU64:
      case kS64: return fixed<uint64_t>();
      case kUleb: return uleb();
      case kU16: return fixed<uint16_t>();
      case kU32: return fixed<uint32_t>();
      case kSleb: return static_cast<uintptr_t>(sleb());
      case kS16: return static_cast<uintptr_t>(int64_t{fixed<int16_t>()});
      case kS32: return static_cast<uintptr_t>(int64_t{fixed<int32_t>()});
      default: break;
    }
    ok_ = false;
    return 0;
  }

 private:
  static ByteReader failed() {
    ByteReader reader(nullptr, nullptr);
    reader.ok_ = false;
    return reader;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_;
};

}  // namespace memprof
