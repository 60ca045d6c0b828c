#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gelf.h>

#include "symbols/regular_file.h"

namespace memprof {

using BuildId = std::vector<std::byte>;

std::string to_hex(std::span<const std::byte> bytes);

// An ELF file that libelf has mapped, or an ELF image in memory. Every value read from it may be wrong.
class ElfFile {
 public:
  struct DebugLink {
    std::string name;
    uint32_t crc;
  };

  // Opens a regular file that is an ELF executable or shared object. On failure `error` says why.
  static std::optional<ElfFile> open(const std::string& path, std::string& error);
  // Takes over a descriptor that is open already (debuginfod returns one).
  static std::optional<ElfFile> adopt(FileDescriptor fd, std::string path, std::string& error);
  static std::optional<ElfFile> from_memory(std::vector<char> image, std::string path);
  // The same open file with a libelf of its own: one may be used by one thread only.
  std::optional<ElfFile> duplicate() const;

  Elf* elf() const { return elf_.get(); }
  const std::string& path() const { return path_; }
  const BuildId& build_id() const { return build_id_; }
  // Size and time of the last change: with the path, what says that it is still the same file. Zeros: unknown.
  struct Stamp {
    uint64_t size_bytes = 0;
    int64_t changed_ns = 0;
  };
  Stamp stamp() const;
  // The .gnu_debuglink section: the name of the separate debug file and its checksum.
  std::optional<DebugLink> debug_link() const;
  bool has_dwarf() const;
  // The bytes of the section of that name, not decompressed; empty if there is none.
  std::span<const char> section_bytes(const char* name) const;
  // The CRC-32 that .gnu_debuglink uses, over the whole file. Reads all of it.
  uint32_t checksum() const;
  // Whether a loaded, executable segment covers this virtual address.
  bool has_code_at(uint64_t virtual_address) const;

 private:
  struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
  };
  struct Segment {
    uint64_t start, end;
  };
  ElfFile() = default;
  bool read_headers(std::string& error);

  // Destroyed from the bottom up: libelf uses fd_ and image_ until elf_ is gone.
  FileDescriptor fd_;
  std::vector<char> image_;
  std::unique_ptr<Elf, EndElf> elf_;
  std::string path_;
  BuildId build_id_;
  std::vector<Segment> code_;
};

}  // namespace memprof
