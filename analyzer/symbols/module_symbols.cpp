#include "symbols/module_symbols.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "symbols/demangle.h"

namespace memprof {
namespace {

// A name in a damaged file ends only where its section ends.
constexpr size_t kMaxTextBytes = 65536;

std::string_view bounded(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text, strnlen(text, kMaxTextBytes));
}

}  // namespace

void ModuleSymbols::open() {
  detail_ = Detail::none;
  files_ = find_module_files(module_, search_, debuginfod_);
  if (files_.binary) {
    symbols_.add(*files_.binary);
    mini_debug_info_ = unpack_mini_debug_info(*files_.binary);
    if (mini_debug_info_) symbols_.add(*mini_debug_info_);
  }
  if (files_.debug_info) symbols_.add(*files_.debug_info);
  symbols_.build();
  if (!symbols_.empty()) detail_ = Detail::symbols;

  if (const ElfFile* file = files_.dwarf()) {
    dwarf_ = DwarfLookup::open(*file, files_.alternate ? &*files_.alternate : nullptr);
    if (dwarf_) {
      detail_ = Detail::lines;
    } else if (files_.problem.empty()) {
      files_.problem = "no lines: the debug information of " + file->path() + " cannot be read";
    }
  }
}

std::span<const SourceFrame> ModuleSymbols::resolve(uint64_t address, bool is_return_address) {
  if (detail_ == Detail::not_asked) open();
  const auto [place, is_new] = known_[is_return_address].try_emplace(address, static_cast<uint32_t>(frames_.size()));
  if (is_new) {
    // A return address may be the first one of the next line or of the next function.
    const uint64_t offset = address - module_.load_bias;
    auto frames = look_up(is_return_address ? offset - 1 : offset);
    for (SourceFrame& frame : frames) {
      frame.module = module_.path;
      frame.offset = offset;
    }
    frames_.push_back(std::move(frames));
  }
  return frames_[place->second];
}

bool ModuleSymbols::is_code(uint64_t virtual_address) const {
  const uint64_t address = virtual_address + module_.load_bias;
  if (module_.start < module_.end && (address < module_.start || address >= module_.end)) return false;
  const auto& file = files_.binary ? files_.binary : files_.debug_info;
  return file && file->has_code_at(virtual_address);
}

std::vector<SourceFrame> ModuleSymbols::look_up(uint64_t virtual_address) {
  std::vector<SourceFrame> frames;
  if (is_code(virtual_address)) {
    const std::string_view symbol = symbols_.find(virtual_address);
    if (dwarf_) {
      for (const DwarfFrame& found : dwarf_->find(virtual_address))
        frames.push_back(
            {.function = name_of(found, symbol), .file = file_of(found), .line = found.line, .inlined = found.inlined});
    }
    if (frames.empty()) frames.push_back({.function = demangled(symbol)});
  }
  if (frames.empty()) frames.emplace_back();
  return frames;
}

std::string_view ModuleSymbols::file_of(const DwarfFrame& frame) {
  const std::string_view file = bounded(frame.file);
  if (frame.directory == nullptr || file.empty()) return names_.keep(file);
  return names_.keep(fmt::format("{}/{}", bounded(frame.directory), file));
}

// The linkage name if it is mangled: it has scope and parameters. (glibc's are internal aliases, "__GI_getline".)
// Else the symbol if that is mangled, else the bare name with its scope.
std::string_view ModuleSymbols::name_of(const DwarfFrame& frame, std::string_view symbol) {
  if (const auto linkage_name = bounded(frame.linkage_name); demangled(linkage_name) != linkage_name)
    return demangled(linkage_name);
  if (!frame.inlined && demangled(symbol) != symbol) return demangled(symbol);
  const std::string_view name = bounded(frame.name);
  if (frame.scope != nullptr && !name.empty()) return names_.keep(fmt::format("{}::{}", *frame.scope, name));
  if (!name.empty()) return names_.keep(name);
  return names_.keep(frame.inlined || frame.linkage_name != nullptr ? bounded(frame.linkage_name) : symbol);
}

std::string_view ModuleSymbols::demangled(std::string_view name) {
  if (name.empty()) return {};
  if (const auto known = demangled_.find(name); known != demangled_.end()) return known->second;
  const std::string_view readable = names_.keep(demangle(name));
  demangled_.emplace(names_.keep(name), readable);
  return readable;
}

}  // namespace memprof
