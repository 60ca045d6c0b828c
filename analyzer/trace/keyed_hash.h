// Hashes of numbers that a trace chooses. With a function that anybody can compute, a trace could choose addresses
// that all want the same bucket: every access would walk all of them, and robin_map doubles its table for each
// insertion past its longest probe, until the memory is gone. The key is drawn anew in every process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprof {

struct HashKey {
  HashKey();
  uint64_t offset, factor;
};
extern const HashKey kHashKey;

// As cheap as an unkeyed one: a multiplication, whose two halves meet.
inline uint64_t keyed_hash(uint64_t value) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(value ^ kHashKey.offset) * kHashKey.factor;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

struct KeyedHash {
  size_t operator()(uint64_t value) const { return keyed_hash(value); }
};

}  // namespace memprof
