#include "symbols/module_symbols.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace memprof {

namespace {

// Of debugging entries; takes 30 ms or so. To open handles takes less, unless the sections are compressed: then as much
// as to read a quarter of them all.
constexpr uint64_t kLeastPartBytes = uint64_t{4} << 20;

}  // namespace

void ModuleSymbols::open() {
  detail_ = Detail::none;
  files_ = find_module_files(module_, search_, debuginfod_);
  if (cache_ != nullptr) key_ = SymbolCache::key_of(module_, files_);
  if (key_) {
    if (auto entry = cache_->load(*key_)) {
      cached_.add(std::move(entry->frames));
      detail_ = entry->has_lines ? Detail::lines : entry->has_symbols ? Detail::symbols : Detail::none;
      return;
    }
  }
  open_lookup();
}

void ModuleSymbols::open_lookup() {
  if (files_.binary) {
    symbols_.add(*files_.binary);
    mini_debug_info_ = unpack_mini_debug_info(*files_.binary);
    if (mini_debug_info_) symbols_.add(*mini_debug_info_);
  }
  if (files_.debug_info) symbols_.add(*files_.debug_info);
  symbols_.build();
  lookup_ = std::make_unique<FrameLookup>(files_, symbols_);

  detail_ = lookup_->has_dwarf() ? Detail::lines : symbols_.empty() ? Detail::none : Detail::symbols;
  const bool is_unreadable = files_.dwarf() != nullptr && !lookup_->has_dwarf();
  if (is_unreadable && files_.problem.empty())
    files_.problem = "no lines: the debug information of " + files_.dwarf()->path() + " cannot be read";
  // Of .dwo files nothing is known here, and the message above is made where the file was read.
  if (is_unreadable || lookup_->is_split()) key_.reset();
}

std::span<const SourceFrame> ModuleSymbols::resolve(CodeAddress code) {
  if (detail_ == Detail::not_asked) open();
  const auto [place, is_new] = known_[code.is_exact].try_emplace(code.address, static_cast<uint32_t>(frames_.size()));
  if (is_new) {
    std::vector<SourceFrame> frames = cached_at(code);
    if (frames.empty()) {
      if (!lookup_) open_lookup();
      frames = frames_at(code, *lookup_);
      has_news_ = true;
    }
    frames_.push_back(std::move(frames));
  }
  return frames_[place->second];
}

std::vector<CodeAddress> ModuleSymbols::find_known(std::span<const CodeAddress> codes) {
  if (detail_ == Detail::not_asked) open();
  std::vector<CodeAddress> unknown;
  for (const CodeAddress code : codes)
    if (!known_[code.is_exact].contains(code.address) && !cached_.has(stored_code(code))) unknown.push_back(code);
  if (!unknown.empty() && !lookup_) open_lookup();
  return unknown;
}

std::vector<std::span<const CodeAddress>> ModuleSymbols::parts_of(std::span<const CodeAddress> codes,
                                                                  size_t most) const {
  std::vector<std::span<const CodeAddress>> parts;
  if (!lookup_) return parts;
  std::vector<uint64_t> addresses;
  for (const CodeAddress code : codes) addresses.push_back(looked_at(code));
  const std::vector<uint64_t> bytes = lookup_->bytes_to_read(addresses);
  const uint64_t total = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  const uint64_t count = std::clamp<uint64_t>(total / kLeastPartBytes, 1, std::max<size_t>(most, 1));
  // Neighbours in one part: they share units.
  size_t begin = 0;
  uint64_t read = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    read += bytes[i];
    const bool is_last = i + 1 == codes.size();
    if (!is_last && read < total / count * (parts.size() + 1)) continue;
    if (!is_last && parts.size() + 1 == count) continue;
    parts.push_back(codes.subspan(begin, i + 1 - begin));
    begin = i + 1;
  }
  return parts;
}

void ModuleSymbols::look_up(Part& part) const {
  FrameLookup* lookup = lookup_.get();
  if (!part.is_first) {
    part.lookup = FrameLookup::another(files_, symbols_);
    lookup = part.lookup.get();
  }
  if (lookup == nullptr) return;  // resolve() will find them
  part.frames.reserve(part.codes.size());
  for (const CodeAddress code : part.codes) part.frames.push_back(frames_at(code, *lookup));
}

void ModuleSymbols::keep(Part part) {
  for (size_t i = 0; i < part.frames.size(); ++i) {
    const CodeAddress code = part.codes[i];
    if (!known_[code.is_exact].try_emplace(code.address, static_cast<uint32_t>(frames_.size())).second) continue;
    frames_.push_back(std::move(part.frames[i]));
    has_news_ = true;
  }
  if (part.lookup) others_.push_back(std::move(part.lookup));
}

bool ModuleSymbols::save() {
  if (!has_news_ || !key_) return false;
  has_news_ = false;
  // Where the cache and this both know an address, they know the same.
  std::map<CodeAddress, std::span<const SourceFrame>> all;
  for (const bool is_exact : {false, true})
    for (const auto& [address, place] : known_[is_exact]) all[stored_code({address, is_exact})] = frames_[place];
  std::deque<std::vector<SourceFrame>> older;
  for (const CodeAddress code : cached_.addresses()) {
    const auto [found, is_new] = all.try_emplace(code);
    if (is_new) found->second = older.emplace_back(cached_.find(code));
  }
  StoredFramesWriter writer(StoredNames::of_cache);
  for (const auto& [code, frames] : all) writer.add(code, frames);
  cache_->store(*key_, {detail_ == Detail::lines, !symbols_.empty(), writer.take()});
  return true;
}

bool ModuleSymbols::is_code(uint64_t virtual_address) const {
  const uint64_t address = virtual_address + module_.load_bias;
  if (module_.start < module_.end && (address < module_.start || address >= module_.end)) return false;
  const auto& file = files_.binary ? files_.binary : files_.debug_info;
  return file && file->has_code_at(virtual_address);
}

std::vector<SourceFrame> ModuleSymbols::placed(std::vector<SourceFrame> frames, CodeAddress code) const {
  for (SourceFrame& frame : frames) {
    frame.module = module_.path;
    frame.offset = code.address - module_.load_bias;
  }
  return frames;
}

std::vector<SourceFrame> ModuleSymbols::cached_at(CodeAddress code) const {
  return placed(cached_.find(stored_code(code)), code);
}

std::vector<SourceFrame> ModuleSymbols::frames_at(CodeAddress code, FrameLookup& lookup) const {
  const uint64_t virtual_address = looked_at(code);
  if (!is_code(virtual_address)) return placed({SourceFrame{}}, code);
  return placed(lookup.find(virtual_address), code);
}

}  // namespace memprof
