// Frames found in earlier runs, kept on disk: one file a module, named after its build id.
//
// The rule: an entry counts for the very files that it was made from. It is asked for only after the files of a module
// were found as without a cache, and its key holds the build id, the part of the module that was mapped, and of the
// binary, its debug file and what dwz made of that: path, size and time of change, or that there is none. So a debug
// package that is installed later is seen, and messages about missing files do not depend on the cache.
//
// Only modules with a build id are cached, none whose lines lie in .dwo files. What is damaged is as if it were not
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "symbols/module_file.h"
#include "symbols/module_info.h"
#include "trace/cache_directory.h"

namespace memprof {

class SymbolCache {
 public:
  static constexpr uint64_t kMaxBytes = uint64_t{256} << 20;  // of all files; the least used ones go first

  explicit SymbolCache(std::string directory, uint64_t max_bytes = kMaxBytes)
      : directory_(std::move(directory)), max_bytes_(max_bytes) {}

  struct Key {
    std::string file_name;
    std::vector<std::byte> bytes;
  };
  // Empty when the module is not to be cached.
  static std::optional<Key> key_of(const ModuleInfo& module, const ModuleFiles& files);

  struct Entry {
    bool has_lines = false, has_symbols = false;  // what the files had, whatever the addresses told
    std::vector<std::byte> frames;                // for StoredFrames
  };
  // Both may be called by several threads.
  std::optional<Entry> load(const Key& key) const;
  void store(const Key& key, const Entry& entry) const;
  // Keeps the bound. To be called when all is stored.
  void trim() const;

 private:
  const CacheDirectory directory_;
  const uint64_t max_bytes_;
};

}  // namespace memprof
