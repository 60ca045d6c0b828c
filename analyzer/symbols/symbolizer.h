#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "symbols/module_file.h"
#include "symbols/module_info.h"
#include "symbols/module_symbols.h"
#include "symbols/perf_map.h"
#include "symbols/source_frame.h"
#include "symbols/stored_frames.h"
#include "symbols/symbol_cache.h"

namespace memprof {

// Turns addresses of a trace into source frames. A module's files are opened when its first address is asked for;
// an address is looked up once, in one run or, with a cache, in all. Never throws on what a trace or a file contains
// and never runs anything.
//
// Threads: resolve() may run at the same time for different module indices, not for one (kNoModule counts as one).
// prepare() brings its own.
class Symbolizer {
 public:
  struct Options {
    FileSearch files;
    bool debuginfod = true;  // takes effect only where DEBUGINFOD_URLS is set
    bool jit_maps = true;
    std::string jit_map_dir = "/tmp";
    pid_t pid = 0;             // of the traced process; names its JIT map
    int64_t start_time_s = 0;  // of the trace, since 1970; an older JIT map is another process's. 0: unknown
    unsigned workers = 1;      // threads of prepare(); 0: as many as there are processors
    std::string cache = {};    // directory; empty: none
  };
  static constexpr uint32_t kNoModule = UINT32_MAX;

  // What became of a module, for the report.
  struct ModuleReport {
    uint32_t module;  // index, or kNoModule for the JIT map
    std::string path;
    ModuleSymbols::Detail detail;
    std::string debug_file;  // where the lines come from; empty: no lines
    std::string problem;     // empty: nothing to tell
  };

  Symbolizer(std::vector<ModuleInfo> modules, Options options);
  ~Symbolizer();  // writes what is new to the cache
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // The frames of `address`, as the traced process saw it; innermost inlined one first, always at least one.
  // `is_return_address`: look at the call before it. The result lives as long as the Symbolizer.
  std::span<const SourceFrame> resolve(uint32_t module, uint64_t address, bool is_return_address);

  struct Wanted {
    uint32_t module;
    CodeAddress code;  // as the traced process saw it
    auto operator<=>(const Wanted&) const = default;
  };
  // Looks up what will be asked for, different modules and parts of a large one at the same time. What resolve() then
  // returns is the same as without, and does not depend on the number of workers.
  void prepare(std::vector<Wanted> wanted);

  // The modules that resolve() or prepare() was asked about, in order.
  std::vector<ModuleReport> module_reports() const;

 private:
  class JitFrames;

  const std::vector<ModuleInfo> modules_;
  const Options options_;
  DebuginfodSource debuginfod_;
  std::optional<SymbolCache> cache_;
  std::vector<std::unique_ptr<ModuleSymbols>> symbols_;
  std::unique_ptr<JitFrames> jit_;
};

}  // namespace memprof
