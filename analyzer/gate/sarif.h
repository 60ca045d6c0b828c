// The verdict in SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format). It depends on what was found alone:
// equal runs have equal files.
#pragma once

#include <string>

#include "gate/verdict.h"
#include "report/output.h"

namespace memprof {

struct SarifOptions {
  std::string tool_version;  // "0.1.0"; empty: not told
  std::string source_root;   // paths below it are told relative to it; empty: as the compiler recorded them
};

void print_sarif(const Verdict& verdict, const SarifOptions& options, Output& out);

}  // namespace memprof
