// A copy of a trace that carries its symbols: all pages of the trace under their own numbers, then symbols pages.
#pragma once

#include <string>
#include <vector>

#include "model/analysis.h"
#include "report/symbol_options.h"

namespace memprof {

struct SymbolizedTrace {
  uint64_t addresses = 0, modules = 0;  // that the trace did not tell of before
  std::vector<std::string> problems;    // as FrameSource::symbol_problems() has them
};

// Throws NewTraceError. What is damaged, missing or never written stays so.
SymbolizedTrace write_symbolized_trace(const Trace& trace, const std::string& path, const SymbolOptions& options);

}  // namespace memprof
