#include "unwind/frame_record.h"

// Instructions are told apart by masks of Arm's manual, chapter C4 (A64 encoding).
namespace memprof::aarch64 {
namespace {

constexpr int64_t kWordBytes = 4;
constexpr uint32_t kFramePointer = 29;
constexpr uint32_t kMoveSpToFp = 0x910003fd;

uint32_t word_at(const uint8_t* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

constexpr bool matches(uint32_t word, uint32_t mask, uint32_t value) { return (word & mask) == value; }

// bti, paciasp, pacibsp
constexpr bool is_entry_hint(uint32_t word) {
  return matches(word, 0xffffff3f, 0xd503241f) || (word | 0x40) == 0xd503237f;
}
// autiasp, autibsp
constexpr bool is_leave_hint(uint32_t word) { return (word | 0x40) == 0xd50323ff; }
// stp x29,x30,[sp,#-n]!
constexpr bool makes_record(uint32_t word) { return matches(word, 0xffe07fff, 0xa9a07bfd); }
constexpr uint32_t record_bytes(uint32_t word) { return (0u - (word >> 15)) % 128 * 8; }
// ldp x29,x30,[sp],#n
constexpr bool restores(uint32_t word) { return matches(word, 0xffc07fff, 0xa8c07bfd); }
constexpr bool returns(uint32_t word) { return word == 0xd65f03c0 || (word | 0x400) == 0xd65f0fff; }
// bl, blr and its signed forms
constexpr bool is_call(uint32_t word) {
  return matches(word, 0xfc000000, 0x94000000) || matches(word, 0xfffffc1f, 0xd63f0000) ||
         matches(word, 0xfefff800, 0xd63f0800);
}
constexpr bool is_indirect_jump(uint32_t word) { return matches(word, 0xfefff000, 0xd61f0000); }

// A jump, branch or call to a place in the instruction, and how far.
bool is_direct(uint32_t word, int64_t& bytes) {
  unsigned low = 5, bits = 0;
  if (matches(word, 0x7c000000, 0x14000000)) low = 0, bits = 26;  // b, bl
  if (matches(word, 0xfe000000, 0x54000000)) bits = 19;           // b.cond
  if (matches(word, 0x7e000000, 0x34000000)) bits = 19;           // cbz, cbnz
  if (matches(word, 0x7e000000, 0x36000000)) bits = 14;           // tbz, tbnz
  if (bits == 0) return false;
  bytes = (static_cast<int64_t>(uint64_t{word} << (64 - low - bits)) >> (64 - bits)) * kWordBytes;
  return true;
}
constexpr bool is_jump(uint32_t word) { return matches(word, 0xfc000000, 0x14000000); }

// Loads and stores whose base register stays: an offset that is a number or a register, a pair's.
constexpr bool keeps_base(uint32_t word) {
  return matches(word, 0x3b000000, 0x39000000) || matches(word, 0x3b200c00, 0x38000000) ||
         matches(word, 0x3b200c00, 0x38200800) || matches(word, 0x3b800000, 0x29000000);
}

// The register that is written stands in bits 0-4; of loads and stores also in 10-14 (pairs) and 16-20 (exclusive), and
// the base, bits 5-9, may be written back. Stores that name it count, too.
bool may_write_fp(uint32_t word) {
  int64_t bytes;
  if (is_direct(word, bytes) || is_call(word) || returns(word)) return false;
  if ((word & 31) == kFramePointer) return true;
  if (!matches(word, 0x0a000000, 0x08000000)) return false;  // no load or store
  const bool is_single = matches(word, 0x38000000, 0x38000000);
  return ((word >> 5 & 31) == kFramePointer && !keeps_base(word)) ||
         (!is_single && ((word >> 10 & 31) == kFramePointer || (word >> 16 & 31) == kFramePointer));
}

}  // namespace

FrameRecord find_frame_record(ByteRange function, const uint8_t* call_end) {
  const int64_t bytes = function.end - function.begin, call = call_end - function.begin - kWordBytes;
  if (bytes > static_cast<int64_t>(kMostFunctionBytes) || bytes % kWordBytes != 0 || call % kWordBytes != 0) return {0};
  const auto word = [&](int64_t offset) { return offset < bytes ? word_at(function.begin + offset) : 0; };
  int64_t at = 0;
  while (is_entry_hint(word(at))) at += kWordBytes;
  const uint32_t making = word(at);
  if (!makes_record(making) || word(at + kWordBytes) != kMoveSpToFp) return {0};
  const int64_t body = at + 2 * kWordBytes;
  if (call < body || call >= bytes || !is_call(word(call))) return {0};

  bool was_restored = false;
  for (at = body; at < bytes; at += kWordBytes) {
    const uint32_t found = word(at);
    const bool is_restored = was_restored;
    was_restored = restores(found) || (is_restored && is_leave_hint(found));
    if (is_restored && !was_restored && !returns(found) && !is_jump(found)) return {0};
    if (is_indirect_jump(found) || (may_write_fp(found) && !restores(found))) return {0};
    int64_t distance;
    if (!is_direct(found, distance)) continue;
    const int64_t target = at + distance;
    const bool is_inside = target >= 0 && target < bytes;
    const bool is_allowed = is_call(found) || is_restored ? !is_inside || target == 0 : is_inside && target >= body;
    if (!is_allowed) return {0};
  }
  return {was_restored ? 0 : record_bytes(making)};
}

}  // namespace memprof::aarch64
