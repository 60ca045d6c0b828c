// Reads integers from bytes that nobody vouches for: every read says whether it fitted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace memprof {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }
  bool at_end() const { return offset_ == bytes_.size(); }

  template <class T>
  bool read(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return true;
  }

  // LEB128. False when the bytes end first or the value needs more than 64 bits.
  bool read_varint(uint64_t& value) {
    uint64_t result = 0;
    size_t at = offset_;
    for (unsigned shift = 0; shift < 64 && at < bytes_.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes_[at++]);
      const uint64_t bits = byte & 0x7f;
      if (shift == 63 && bits > 1) return false;
      result |= bits << shift;
      if ((byte & 0x80) == 0) {
        offset_ = at;
        value = result;
        return true;
      }
    }
    return false;
  }

  bool take(size_t count, std::span<const std::byte>& out) {
    if (remaining() < count) return false;
    out = bytes_.subspan(offset_, count);
    offset_ += count;
    return true;
  }

  // The writer pads the last record of a page too, but a page may end exactly at the payload of an unpadded one.
  void skip_padding(size_t alignment) {
    const size_t padding = (alignment - offset_ % alignment) % alignment;
    offset_ += padding < remaining() ? padding : remaining();
  }

 private:
  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace memprof
