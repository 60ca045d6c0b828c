// The symbol path. The first byte of an input says which door it knocks at:
//   0  a mangled name
//   1  a map of a JIT compiler
//   2  a module of a trace: its path, build id, place and the address to look up, in a directory with a good file, a
//      fifo, a link to itself and a text
//   3  damage to the good file: offset (four bytes), length (one), bytes; again and again
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzzed_file.h"
#include "report/escape.h"
#include "symbols/demangle.h"
#include "symbols/dwarf_lookup.h"
#include "symbols/elf_symbols.h"
#include "symbols/perf_map.h"
#include "symbols/stored_frames.h"
#include "symbols/symbolizer.h"

namespace {

using namespace memprof;
using fuzz::must;

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  template <class T>
  T take() {
    T value{};
    const size_t bytes = std::min(sizeof value, size_);
    if (bytes != 0) std::memcpy(&value, data_, bytes);
    skip(bytes);
    return value;
  }
  std::string_view take_text(size_t most) {
    const std::string_view text(reinterpret_cast<const char*>(data_), std::min(most, size_));
    skip(text.size());
    return text;
  }

 private:
  void skip(size_t bytes) {
    data_ += bytes;
    size_ -= bytes;
  }
  const uint8_t* data_;
  size_t size_;
};

const std::string& sample() {
  static const std::string bytes = [] {
    std::ifstream file(MEMPROF_SYMBOLS_SAMPLE, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  must(!bytes.empty());
  return bytes;
}

// Goes away with the process. Nothing outside of it is asked for: it is the sysroot.
const std::string& directory() {
  struct Tree {
    Tree() {
      std::string pattern = (std::filesystem::temp_directory_path() / "memprof-fuzz-XXXXXX").string();
      must(::mkdtemp(pattern.data()) != nullptr);
      path = pattern;
      std::ofstream(path + "/good.so", std::ios::binary) << sample();
      std::ofstream(path + "/text") << "#!/bin/false\n";
      must(::mkfifo((path + "/fifo").c_str(), 0600) == 0);
      std::filesystem::create_symlink("loop", path + "/loop");
    }
    ~Tree() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  };
  static const Tree tree;
  return tree.path;
}

void look_up_module(Bytes input) {
  ModuleInfo module;
  module.load_bias = input.take<uint64_t>();
  module.start = input.take<uint64_t>();
  module.end = input.take<uint64_t>();
  const auto address = input.take<uint64_t>();
  const auto id = input.take_text(input.take<uint8_t>());
  const auto* bytes = reinterpret_cast<const std::byte*>(id.data());
  module.build_id.assign(bytes, bytes + id.size());
  module.path = input.take_text(SIZE_MAX);
  // The tree is all that may be found, and a path that climbs out of it is not what is fuzzed here.
  if (module.path.find("..") != std::string::npos) return;
  Symbolizer::Options options;
  options.debuginfod = false;
  options.jit_maps = false;
  options.files.sysroot = directory();
  options.files.debug_dirs.clear();
  Symbolizer symbolizer({module}, options);
  for (const bool is_return : {false, true})
    for (const SourceFrame& frame : symbolizer.resolve(0, address, is_return))
      must(escape_text(frame.function).find('\x1b') == std::string::npos);
  for (const auto& report : symbolizer.module_reports()) (void)escape_text(report.problem);
}

void look_up_damaged(Bytes input) {
  const std::string& good = sample();
  std::vector<char> image(good.begin(), good.end());
  while (!input.empty()) {
    const size_t offset = input.take<uint32_t>() % image.size();
    const std::string_view patch = input.take_text(input.take<uint8_t>());
    std::copy_n(patch.begin(), std::min(patch.size(), image.size() - offset), image.begin() + offset);
  }
  const auto file = ElfFile::from_memory(std::move(image), directory() + "/good.so");
  if (!file) return;
  ElfSymbols symbols;
  symbols.add(*file);
  const auto unpacked = unpack_mini_debug_info(*file);
  if (unpacked) symbols.add(*unpacked);
  symbols.build();
  auto dwarf = file->has_dwarf() ? DwarfLookup::open(*file, nullptr) : std::nullopt;
  for (uint64_t address = 0x1000; address < 0x1400; address += 29) {
    (void)demangle(symbols.find(address));
    if (dwarf) must(dwarf->find(address).size() < 1000);
  }
}

void read_stored(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  for (const StoredNames names : {StoredNames::of_trace, StoredNames::of_cache}) {
    StoredFrames frames(names);
    (void)frames.add({bytes, bytes + text.size()});
    for (const CodeAddress code : frames.addresses())
      for (const SourceFrame& frame : frames.find(code))
        must(frame.function.size() + frame.linkage_name.size() <= 2 * text.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  switch (input.take<uint8_t>() % 5) {
    case 0: must(demangle(input.take_text(SIZE_MAX)).size() <= std::max<size_t>(size, 16384)); break;
    case 1: {
      const PerfMap map = PerfMap::parse(input.take_text(SIZE_MAX));
      for (const uint64_t address : {uint64_t{0}, uint64_t{0x1000}, UINT64_MAX}) (void)map.find(address);
      break;
    }
    case 2: look_up_module(input); break;
    case 3: look_up_damaged(input); break;
    case 4: read_stored(input.take_text(SIZE_MAX)); break;
  }
  return 0;
}
