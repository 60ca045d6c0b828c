// What the memory of a loaded file holds before anything runs: bytes of its segments, and pointers as the loader would
// leave them. Every value read may be wrong; what is not in the file is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "symbols/elf_file.h"

namespace memprof {

// Of 64-bit little-endian files; of others nothing is found. Addresses are ELF virtual addresses.
class ElfMemory {
 public:
  explicit ElfMemory(const ElfFile& file);  // which must outlive this

  // EM_X86_64, ...; EM_NONE for files of another class or byte order.
  uint16_t machine() const { return machine_; }
  // As far as the file has them: to the end of the segment, at most `most`.
  std::span<const unsigned char> bytes_at(uint64_t address, size_t most) const;
  // The pointer that lies at this place: as a relocation says, else as the file has it. Empty: not in the file, or only
  // the loader would know.
  std::optional<uint64_t> pointer_at(uint64_t address) const;
  // Up to its NUL, which must come within `most` bytes.
  std::optional<std::string_view> text_at(uint64_t address, size_t most) const;

 private:
  const ElfFile& file_;
  uint16_t machine_ = EM_NONE;
};

struct ElfFunction {
  uint64_t address = 0;
  uint64_t size_bytes = 0;  // 0: unknown
};
// A function of exactly this name that the file defines, of .symtab or .dynsym.
std::optional<ElfFunction> find_function(const ElfFile& file, std::string_view name);

}  // namespace memprof
