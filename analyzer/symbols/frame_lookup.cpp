#include "symbols/frame_lookup.h"

#include <cstring>

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

FrameLookup::FrameLookup(const ModuleFiles& files, const ElfSymbols& symbols) : symbols_(symbols) {
  if (const ElfFile* file = files.dwarf())
    dwarf_ = DwarfLookup::open(*file, files.alternate ? &*files.alternate : nullptr);
}

std::unique_ptr<FrameLookup> FrameLookup::another(const ModuleFiles& files, const ElfSymbols& symbols) {
  std::unique_ptr<FrameLookup> lookup(new FrameLookup(symbols));
  const ElfFile* const file = files.dwarf();
  if (file == nullptr) return lookup;
  lookup->own_file_ = file->duplicate();
  if (files.alternate) lookup->own_alternate_ = files.alternate->duplicate();
  if (!lookup->own_file_ || lookup->own_alternate_.has_value() != files.alternate.has_value()) return nullptr;
  lookup->dwarf_ = DwarfLookup::open(*lookup->own_file_, lookup->own_alternate_ ? &*lookup->own_alternate_ : nullptr);
  return lookup->dwarf_ ? std::move(lookup) : nullptr;
}

std::vector<SourceFrame> FrameLookup::find(uint64_t virtual_address) {
  std::vector<SourceFrame> frames;
  const std::string_view symbol = symbols_.find(virtual_address);
  if (dwarf_) {
    for (const DwarfFrame& found : dwarf_->find(virtual_address)) {
      const std::string_view function = name_of(found, symbol);
      frames.push_back({.function = function,
                        .file = file_of(found),
                        .line = found.line,
                        .inlined = found.inlined,
                        .linkage_name = linkage_name_of(found, symbol, function)});
    }
  }
  if (frames.empty()) {
    const std::string_view function = demangled(symbol);
    frames.push_back({.function = function, .linkage_name = linkage_name_of({}, symbol, function)});
  }
  return frames;
}

namespace {

// Rust's old mangling, _ZN…17h and 16 hexadecimal digits E, says Vec<T>::push of every T. The debug information has
// push<Widget>: what stands in the brackets.
std::string_view generic_arguments(std::string_view linkage_name, std::string_view name) {
  constexpr size_t kHashBytes = 20;
  if (!linkage_name.starts_with("_ZN") || linkage_name.size() < kHashBytes) return {};
  const std::string_view hash = linkage_name.substr(linkage_name.size() - kHashBytes);
  const bool is_old_rust = hash.starts_with("17h") && hash.ends_with('E') &&
                           hash.substr(3, 16).find_first_not_of("0123456789abcdef") == std::string_view::npos;
  const size_t open = name.find('<');
  if (!is_old_rust || open == 0 || open == std::string_view::npos || !name.ends_with('>')) return {};
  return name.substr(open);
}

}  // namespace

std::string_view FrameLookup::file_of(const DwarfFrame& frame) {
  const std::string_view file = bounded(frame.file);
  if (frame.directory == nullptr || file.empty()) return names_.keep(file);
  return names_.keep(fmt::format("{}/{}", bounded(frame.directory), file));
}

// The linkage name if it is mangled: it has scope and parameters, but for Rust's old one. (glibc's are internal
// aliases, "__GI_getline".) Else the symbol if that is mangled, else the bare name with its scope.
std::string_view FrameLookup::name_of(const DwarfFrame& frame, std::string_view symbol) {
  if (const auto linkage_name = bounded(frame.linkage_name); demangled(linkage_name) != linkage_name) {
    const std::string_view arguments = generic_arguments(linkage_name, bounded(frame.name));
    if (arguments.empty()) return demangled(linkage_name);
    return names_.keep(fmt::format("{}::{}", demangled(linkage_name), arguments));
  }
  if (!frame.inlined && demangled(symbol) != symbol) return demangled(symbol);
  const std::string_view name = bounded(frame.name);
  if (frame.scope != nullptr && !name.empty()) return names_.keep(fmt::format("{}::{}", *frame.scope, name));
  if (!name.empty()) return names_.keep(name);
  return names_.keep(frame.inlined || frame.linkage_name != nullptr ? bounded(frame.linkage_name) : symbol);
}

std::string_view FrameLookup::linkage_name_of(const DwarfFrame& frame, std::string_view symbol,
                                              std::string_view function) {
  const std::string_view name = frame.inlined || symbol.empty() ? bounded(frame.linkage_name) : symbol;
  return name == function ? std::string_view() : names_.keep(name);
}

std::string_view FrameLookup::demangled(std::string_view name) {
  if (name.empty()) return {};
  if (const auto known = demangled_.find(name); known != demangled_.end()) return known->second;
  const std::string_view readable = names_.keep(demangle(name));
  demangled_.emplace(names_.keep(name), readable);
  return readable;
}

}  // namespace memprof
