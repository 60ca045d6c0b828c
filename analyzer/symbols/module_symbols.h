#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "symbols/elf_symbols.h"
#include "symbols/frame_lookup.h"
#include "symbols/module_file.h"
#include "symbols/source_frame.h"
#include "symbols/stored_frames.h"
#include "symbols/symbol_cache.h"

namespace memprof {

// Everything about one module of the trace: its files, opened when its first address is asked for, and the frames
// found so far. One thread at a time, LookupTask::run excepted; different modules share nothing but the debuginfod
// client and the cache.
class ModuleSymbols {
 public:
  enum class Detail { not_asked, none, symbols, lines };

  // All must outlive this; `cache` may be null.
  ModuleSymbols(const ModuleInfo& module, const FileSearch& search, DebuginfodSource& debuginfod,
                const SymbolCache* cache = nullptr)
      : module_(module), search_(search), debuginfod_(debuginfod), cache_(cache) {}

  // At least one frame, the same memory each time. Addresses are the traced process's.
  std::span<const SourceFrame> resolve(CodeAddress code);

  // Many at once, in three steps. The first opens what is needed and returns those that are not known yet.
  std::vector<CodeAddress> find_known(std::span<const CodeAddress> codes);
  // Cuts them into at most `most` parts that have about the same to read, and enough that a thread of their own is
  // worth the handles that it must open.
  std::vector<std::span<const CodeAddress>> parts_of(std::span<const CodeAddress> codes, size_t most) const;
  // The second takes a part of them, at the same time as others take the rest. `is_first` uses the module's own
  // handles.
  struct Part {
    std::span<const CodeAddress> codes;
    bool is_first = true;
    std::unique_ptr<FrameLookup> lookup = {};  // when it is not the module's own
    std::vector<std::vector<SourceFrame>> frames = {};
  };
  void look_up(Part& part) const;
  // The third keeps what was found.
  void keep(Part part);

  // Writes what is new to the cache. True if there was something.
  bool save();

  Detail detail() const { return detail_; }
  const std::string& problem() const { return files_.problem; }
  std::string debug_file() const { return files_.dwarf() != nullptr ? files_.dwarf()->path() : std::string(); }

 private:
  using Known = std::map<uint64_t, uint32_t>;  // by address; the place in frames_

  void open();
  void open_lookup();
  bool is_code(uint64_t virtual_address) const;
  // Where a return address is looked at, the call before it.
  uint64_t looked_at(CodeAddress code) const { return code.address - module_.load_bias - (code.is_exact ? 0 : 1); }
  std::vector<SourceFrame> frames_at(CodeAddress code, FrameLookup& lookup) const;
  // From the cache; empty if it is not there.
  std::vector<SourceFrame> cached_at(CodeAddress code) const;
  std::vector<SourceFrame> placed(std::vector<SourceFrame> frames, CodeAddress code) const;
  CodeAddress stored_code(CodeAddress code) const { return {code.address - module_.load_bias, code.is_exact}; }

  const ModuleInfo& module_;
  const FileSearch& search_;
  DebuginfodSource& debuginfod_;
  const SymbolCache* const cache_;
  Detail detail_ = Detail::not_asked;

  ModuleFiles files_;
  std::optional<ElfFile> mini_debug_info_;
  ElfSymbols symbols_;                                // refers to the files
  std::unique_ptr<FrameLookup> lookup_;               // refers to the files; null until something is not cached
  std::vector<std::unique_ptr<FrameLookup>> others_;  // have strings of frames_

  std::optional<SymbolCache::Key> key_;  // empty: not to be cached
  StoredFrames cached_{StoredNames::of_cache};
  bool has_news_ = false;

  // Apart for plain and return addresses. No hash map: a trace chooses the addresses, and could choose them for one
  // bucket.
  std::array<Known, 2> known_;
  std::deque<std::vector<SourceFrame>> frames_;
};

}  // namespace memprof
