// Writes what ByteReader reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace memprof {

class ByteWriter {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  // LEB128.
  void put_varint(uint64_t value) {
    std::byte bytes[10];
    size_t count = 0;
    do {
      const uint64_t rest = value >> 7;
      bytes[count++] = static_cast<std::byte>((value & 0x7f) | (rest != 0 ? 0x80 : 0));
      value = rest;
    } while (value != 0);
    bytes_.insert(bytes_.end(), bytes, bytes + count);
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace memprof
