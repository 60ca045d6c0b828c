#include "symbols/elf_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <elfutils/libdwelf.h>
#include <fmt/format.h>
#include <boost/crc.hpp>

namespace memprof {
namespace {

// The file is mapped, not read, so this bounds address space only.
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 30;
constexpr size_t kMaxBuildIdBytes = 64;
constexpr size_t kMaxSegments = 4096;

bool libelf_is_ready() {
  static const bool ready = elf_version(EV_CURRENT) != EV_NONE;
  return ready;
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

std::optional<ElfFile> ElfFile::open(const std::string& path, std::string& error) {
  RegularFile file = open_regular_file(path, kMaxFileBytes);
  if (!file.fd) {
    error = std::move(file.error);
    return std::nullopt;
  }
  return adopt(std::move(file.fd), path, error);
}

std::optional<ElfFile> ElfFile::adopt(FileDescriptor fd, std::string path, std::string& error) {
  if (!libelf_is_ready()) {
    error = "cannot be read: libelf is too old";
    return std::nullopt;
  }
  ElfFile file;
  file.fd_ = std::move(fd);
  file.path_ = std::move(path);
  file.elf_.reset(elf_begin(file.fd_.get(), ELF_C_READ_MMAP, nullptr));
  if (!file.read_headers(error)) return std::nullopt;
  return file;
}

std::optional<ElfFile> ElfFile::from_memory(std::vector<char> image, std::string path) {
  if (!libelf_is_ready()) return std::nullopt;
  ElfFile file;
  file.image_ = std::move(image);
  file.path_ = std::move(path);
  file.elf_.reset(elf_memory(file.image_.data(), file.image_.size()));
  std::string error;
  if (!file.read_headers(error)) return std::nullopt;
  return file;
}

std::optional<ElfFile> ElfFile::duplicate() const {
  std::string error;
  FileDescriptor fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  return fd ? adopt(std::move(fd), path_, error) : std::nullopt;
}

ElfFile::Stamp ElfFile::stamp() const {
  struct stat status;
  if (::fstat(fd_.get(), &status) != 0) return {};
  return {static_cast<uint64_t>(status.st_size), status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool ElfFile::read_headers(std::string& error) {
  GElf_Ehdr header;
  // Archives and compressed kernels, which libdw would unpack, end here.
  if (elf_ == nullptr || elf_kind(elf_.get()) != ELF_K_ELF || gelf_getehdr(elf_.get(), &header) == nullptr) {
    error = "is not an ELF file";
    return false;
  }
  // dwz writes its files as ET_REL. As a module such a file has no segments, thus no code.
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN && header.e_type != ET_REL) {
    error = "is neither an executable nor a shared object";
    return false;
  }

  size_t segments = 0;
  if (elf_getphdrnum(elf_.get(), &segments) != 0) segments = 0;
  for (size_t i = 0; i < std::min(segments, kMaxSegments); ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) break;
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const uint64_t room = UINT64_MAX - segment.p_vaddr;
    code_.push_back({segment.p_vaddr, segment.p_vaddr + std::min(segment.p_memsz, room)});
  }

  const void* id = nullptr;
  const ssize_t length = dwelf_elf_gnu_build_id(elf_.get(), &id);
  if (length > 0 && static_cast<size_t>(length) <= kMaxBuildIdBytes) {
    const auto* bytes = static_cast<const std::byte*>(id);
    build_id_.assign(bytes, bytes + length);
  }
  return true;
}

std::optional<ElfFile::DebugLink> ElfFile::debug_link() const {
  GElf_Word crc = 0;
  const char* name = dwelf_elf_gnu_debuglink(elf(), &crc);
  if (name == nullptr || *name == '\0') return std::nullopt;
  return DebugLink{name, crc};
}

bool ElfFile::has_dwarf() const {
  return !section_bytes(".debug_info").empty() || !section_bytes(".zdebug_info").empty();
}

std::span<const char> ElfFile::section_bytes(const char* name) const {
  size_t names = 0;
  if (elf_getshdrstrndx(elf(), &names) != 0) return {};
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
    const char* found = elf_strptr(elf(), names, header.sh_name);
    if (found == nullptr || std::strcmp(found, name) != 0) continue;
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {static_cast<const char*>(data->d_buf), data->d_size};
  }
  return {};
}

uint32_t ElfFile::checksum() const {
  size_t size = 0;
  const char* bytes = elf_rawfile(elf(), &size);
  boost::crc_32_type crc;
  if (bytes != nullptr) crc.process_bytes(bytes, size);
  return static_cast<uint32_t>(crc.checksum());
}

bool ElfFile::has_code_at(uint64_t virtual_address) const {
  return std::any_of(code_.begin(), code_.end(), [=](const Segment& segment) {
    return virtual_address >= segment.start && virtual_address < segment.end;
  });
}

}  // namespace memprof
