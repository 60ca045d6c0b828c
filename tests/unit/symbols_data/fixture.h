#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <stdlib.h>

#include "symbols/elf_file.h"
#include "symbols/symbolizer.h"

// What the tests of the symbolizer share.
namespace symbols_test {

// The library that is looked into, and where modules with its build-id are put in made-up traces.
inline const std::string kSample = MEMPROF_SYMBOLS_SAMPLE;
inline constexpr uint64_t kBias = 0x7f0000000000;

// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "memprof-symbols-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// The lengths must be equal, so that nothing else in the file moves.
inline std::string patched(const std::string& bytes, const std::string& from, const std::string& to) {
  return replaced(bytes, from, to);
}

inline memprof::BuildId build_id_of(const std::string& path) {
  std::string error;
  const auto file = memprof::ElfFile::open(path, error);
  return file ? file->build_id() : memprof::BuildId();
}

inline std::string text_of(const memprof::BuildId& id) { return {reinterpret_cast<const char*>(id.data()), id.size()}; }

// The address of a symbol in a file, by libelf alone.
inline uint64_t symbol_address(const std::string& path, const std::string& wanted) {
  std::string error;
  const auto file = memprof::ElfFile::open(path, error);
  if (!file) return 0;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(file->elf(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    GElf_Sym symbol;
    for (int i = 0; gelf_getsym(data, i, &symbol) != nullptr; ++i)
      if (elf_strptr(file->elf(), header.sh_link, symbol.st_name) == wanted) return symbol.st_value;
  }
  return 0;
}

inline memprof::Symbolizer::Options offline_options() {
  memprof::Symbolizer::Options options;
  options.debuginfod = false;
  return options;
}

}  // namespace symbols_test
