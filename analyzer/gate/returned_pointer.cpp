#include "gate/returned_pointer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <span>

namespace memprof {

namespace {

// The longest that is understood has about thirty bytes.
constexpr size_t kMostCodeBytes = 64;
constexpr unsigned kAarch64Registers = 31;

using Code = std::span<const unsigned char>;

bool skip(Code& code, std::initializer_list<unsigned char> bytes) {
  if (code.size() < bytes.size() || !std::equal(bytes.begin(), bytes.end(), code.begin())) return false;
  code = code.subspan(bytes.size());
  return true;
}

template <class T>
bool take(Code& code, T& value) {
  if (code.size() < sizeof value) return false;
  std::memcpy(&value, code.data(), sizeof value);
  code = code.subspan(sizeof value);
  return true;
}

// Instructions that leave rax alone: endbr64, push rbp, mov rbp,rsp in both encodings, pop rbp, leave, nops.
bool skip_x86_frame(Code& code) {
  return skip(code, {0xf3, 0x0f, 0x1e, 0xfa}) || skip(code, {0x55}) || skip(code, {0x48, 0x89, 0xe5}) ||
         skip(code, {0x48, 0x8b, 0xec}) || skip(code, {0x5d}) || skip(code, {0xc9}) || skip(code, {0x90}) ||
         skip(code, {0x66, 0x90}) || skip(code, {0x0f, 0x1f, 0x00}) || skip(code, {0x0f, 0x1f, 0x40, 0x00}) ||
         skip(code, {0x0f, 0x1f, 0x44, 0x00, 0x00});
}

std::optional<uint64_t> returned_by_x86(const ElfMemory& memory, uint64_t address, Code code) {
  const uint64_t end = address + code.size();
  std::optional<uint64_t> rax;
  const auto relative = [&](int32_t distance) {
    return end - code.size() + static_cast<uint64_t>(static_cast<int64_t>(distance));
  };
  for (;;) {
    int32_t distance = 0;
    uint32_t low = 0;
    uint64_t value = 0;
    if (skip_x86_frame(code)) continue;
    if (skip(code, {0xc3}) || skip(code, {0xf3, 0xc3})) return rax;
    if (skip(code, {0x48, 0x8d, 0x05})) {  // lea rax, [rip + distance]
      if (!take(code, distance)) return std::nullopt;
      rax = relative(distance);
    } else if (skip(code, {0x48, 0x8b, 0x05})) {  // mov rax, [rip + distance]
      if (!take(code, distance)) return std::nullopt;
      rax = memory.pointer_at(relative(distance));
    } else if (skip(code, {0x48, 0x8b, 0x04, 0x25})) {  // mov rax, [distance]
      if (!take(code, distance)) return std::nullopt;
      rax = memory.pointer_at(static_cast<uint64_t>(static_cast<int64_t>(distance)));
    } else if (skip(code, {0x48, 0xa1})) {  // movabs rax, [value]
      if (!take(code, value)) return std::nullopt;
      rax = memory.pointer_at(value);
    } else if (skip(code, {0xb8})) {  // mov eax, low
      if (!take(code, low)) return std::nullopt;
      rax = low;
    } else if (skip(code, {0x48, 0xc7, 0xc0})) {  // mov rax, distance
      if (!take(code, distance)) return std::nullopt;
      rax = static_cast<uint64_t>(static_cast<int64_t>(distance));
    } else if (skip(code, {0x48, 0xb8})) {  // movabs rax, value
      if (!take(code, value)) return std::nullopt;
      rax = value;
    } else if (skip(code, {0x48, 0x8b, 0x00})) {  // mov rax, [rax]
      if (!rax) return std::nullopt;
      rax = memory.pointer_at(*rax);
    } else if (skip(code, {0x31, 0xc0}) || skip(code, {0x33, 0xc0})) {  // xor eax, eax
      rax = 0;
    } else {
      return std::nullopt;
    }
    if (!rax) return std::nullopt;
  }
}

uint64_t sign_extended(uint64_t value, unsigned bits) {
  const uint64_t sign = uint64_t{1} << (bits - 1);
  return (value ^ sign) - sign;
}

std::optional<uint64_t> returned_by_aarch64(const ElfMemory& memory, uint64_t address, Code code) {
  std::array<std::optional<uint64_t>, kAarch64Registers + 1> registers;
  for (uint32_t word = 0; take(code, word); address += 4) {
    const unsigned target = word & 31, source = word >> 5 & 31;
    if (word == 0xd65f03c0) return registers[0];             // ret
    if ((word & 0xfffff01f) == 0xd503201f) continue;         // nop, bti, paciasp, autiasp
    if (word == 0xa9bf7bfd || word == 0x910003fd) continue;  // stp x29, x30, [sp, -16]!; mov x29, sp
    if (word == 0xa8c17bfd) continue;                        // ldp x29, x30, [sp], 16
    std::optional<uint64_t> value;
    if ((word & 0x1f000000) == 0x10000000) {  // adr, adrp
      const uint64_t offset = sign_extended((word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3), 21);
      value = (word >> 31) != 0 ? (address & ~uint64_t{4095}) + (offset << 12) : address + offset;
    } else if ((word & 0xff800000) == 0x91000000 && source != 31) {  // add target, source, #n
      const uint64_t number = (word >> 10 & 0xfff) << ((word >> 22 & 1) * 12);
      if (registers[source]) value = *registers[source] + number;
    } else if ((word & 0xffc00000) == 0xf9400000 && source != 31) {  // ldr target, [source, #n]
      if (registers[source]) value = memory.pointer_at(*registers[source] + (word >> 10 & 0xfff) * 8);
    } else if ((word & 0xffe0ffe0) == 0xaa0003e0) {  // mov target, x
      const unsigned moved = word >> 16 & 31;
      value = moved == 31 ? 0 : registers[moved];
    } else if (word == 0xd2800000) {  // mov x0, 0
      value = 0;
    }
    if (!value || target == 31) return std::nullopt;
    registers[target] = value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> returned_pointer(const ElfMemory& memory, const ElfFunction& function) {
  const uint64_t size = function.size_bytes == 0 ? kMostCodeBytes : function.size_bytes;
  const Code code = memory.bytes_at(function.address, static_cast<size_t>(std::min<uint64_t>(size, kMostCodeBytes)));
  if (memory.machine() == EM_X86_64) return returned_by_x86(memory, function.address, code);
  if (memory.machine() == EM_AARCH64) return returned_by_aarch64(memory, function.address, code);
  return std::nullopt;
}

}  // namespace memprof
