// Where a module has which functions: by its dynamic symbols, as the loader finds them, and for the program itself by
// the symbol table of its file, which also names what it does not export.
//
// No allocation, no lock of its own. Not in a signal handler.
#pragma once

#include <link.h>
#include <stddef.h>
#include <stdint.h>

#include "entry_patch/entry_patch.h"

namespace memprof {

struct FoundFunction {
  uintptr_t address;  // 0: there is none
  size_t bytes;       // 0: not known
};

// The functions of the program's file whose names are asked for, found in one pass over its symbol table.
class ProgramFile {
 public:
  static constexpr unsigned kMostNames = 1024;

  explicit ProgramFile(const char* path);
  ProgramFile(const ProgramFile&) = delete;
  ProgramFile& operator=(const ProgramFile&) = delete;
  ~ProgramFile();

  bool has_symbols() const { return symbols_count_ != 0; }
  // `prefix` and `name` are not copied.
  void ask_for(const char* prefix, const char* name);
  void read(uintptr_t load_bias);
  FoundFunction find(const char* prefix, const char* name) const;

  // From the first to the last function whose name begins with Builtins_, if V8 is in the program: what Node and others
  // have of it that was compiled before. Else empty.
  CodeSegment v8_builtins() const { return has_v8_ ? v8_builtins_ : CodeSegment{}; }

 private:
  struct Entry {
    const char* prefix;
    const char* name;
    uint32_t hash;
    FoundFunction found;
  };
  static constexpr unsigned kPlaces = 4096;

  bool is_ready();

  template <typename T>
  const T* part(uint64_t offset, uint64_t count) const;  // null: it is not in the file
  void find_symbol_table();

  const char* start_ = nullptr;
  size_t bytes_ = 0;
  const ElfW(Sym) * symbols_ = nullptr;
  uint64_t symbols_count_ = 0;
  const char* strings_ = nullptr;
  uint64_t strings_bytes_ = 0;
  CodeSegment v8_builtins_{UINTPTR_MAX, 0, 0};
  bool has_v8_ = false;
  Entry* entries_ = nullptr;
  uint16_t* places_ = nullptr;  // numbers of entries, from 1, by their hash
  unsigned count_ = 0;
};

class ModuleSymbols {
 public:
  // `file` may be null.
  ModuleSymbols(const dl_phdr_info& module, const ProgramFile* file);

  FoundFunction find(const char* prefix, const char* name) const;
  bool exports(const char* name) const { return find_exported("", name).address != 0; }
  // The segment of code that holds the address; empty if none does.
  CodeSegment code_of(uintptr_t address) const;
  bool has_text_relocations() const { return has_text_relocations_; }
  uintptr_t begin() const;
  uintptr_t end() const;

 private:
  FoundFunction find_exported(const char* prefix, const char* name) const;
  FoundFunction find_by_gnu_hash(const char* prefix, const char* name) const;
  FoundFunction find_by_hash(const char* prefix, const char* name) const;
  FoundFunction found(const ElfW(Sym) & symbol, const char* prefix, const char* name) const;

  const dl_phdr_info& module_;
  const ProgramFile* const file_;
  const ElfW(Sym) * symbols_ = nullptr;
  const char* strings_ = nullptr;
  const uint32_t* gnu_hash_ = nullptr;
  const uint32_t* hash_ = nullptr;
  bool has_text_relocations_ = false;
};

}  // namespace memprof
