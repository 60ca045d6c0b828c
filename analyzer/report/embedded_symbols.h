// The symbols that a trace carries: see SymbolRecord in memprof/trace_format.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/stored_frames.h"
#include "trace/trace_file.h"

namespace memprof {

class EmbeddedSymbols {
 public:
  // Reads all symbols pages; what does not decode is noted as damage of its page.
  explicit EmbeddedSymbols(const TraceFile& file);

  // Empty when the trace does not tell. `module_id` is a stack node's, so is the address. Module and offset are not
  // set.
  std::vector<SourceFrame> find(uint32_t module_id, CodeAddress code) const;
  bool has(uint32_t module_id, CodeAddress code) const;

  struct Module {
    std::string name;     // of what frames name as their module; empty: the module's own path
    std::string problem;  // empty: nothing to tell
  };
  const Module* module(uint32_t module_id) const;  // nullptr: no record

 private:
  bool add_module(std::span<const std::byte> payload);
  bool add_frames(std::span<const std::byte> payload);

  // Keyed by what a trace chooses.
  std::map<uint32_t, Module> modules_;
  std::map<uint32_t, StoredFrames> frames_;
};

}  // namespace memprof
