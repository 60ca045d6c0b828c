// Findings and what is judged of them, made by hand.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gate/judge.h"
#include "model/fingerprint.h"
#include "new_directory.h"

namespace memprof::test {

inline Finding finding_at(const std::vector<std::string>& functions, uint64_t blocks, uint64_t bytes,
                          FindingKind kind = FindingKind::definite) {
  Finding finding;
  finding.kind = kind;
  finding.names = functions;
  finding.fingerprint = Fingerprinter().of_names(functions).hash;
  finding.allocator = "malloc";
  if (!is_leak(kind)) finding.free_function = "delete";
  for (const std::string& function : functions)
    finding.frames.push_back({function, "", "/repo/src/app.c", 10, "/opt/app", 0x10, false});
  finding.blocks = blocks;
  finding.bytes = bytes;
  return finding;
}

inline TraceFindings trace_with(const std::vector<Finding>& findings, const std::string& path = "trace.bin") {
  TraceFindings found;
  found.trace.path = path;
  found.trace.is_complete = true;
  found.findings = findings;
  return found;
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline Baseline baseline_of_text(const std::string& text) {
  NewDirectory directory;
  write_text(directory.at("leaks.json"), text);
  return Baseline::read(directory.at("leaks.json"));
}
inline Baseline baseline_of(const std::vector<Finding>& findings) {
  return baseline_of_text(baseline_text(findings, true));
}

inline Verdict verdict_on(std::vector<TraceFindings> traces, const Rules& rules = {},
                          const Baseline* baseline = nullptr, const std::string& suppressions = "",
                          const Blame& blame = {}) {
  Suppressions suppressed;
  if (!suppressions.empty()) suppressed.add_text(suppressions, "known.supp");
  return judge(std::move(traces), rules, blame, std::move(suppressed), baseline);
}
inline Verdict verdict_on(const std::vector<Finding>& findings, const Rules& rules = {},
                          const Baseline* baseline = nullptr, const std::string& suppressions = "",
                          const Blame& blame = {}) {
  return verdict_on(std::vector<TraceFindings>{trace_with(findings)}, rules, baseline, suppressions, blame);
}

// The one whose innermost name it is.
inline const Finding& named(const Verdict& verdict, const std::string& name) {
  for (const Finding& finding : verdict.findings)
    if (!finding.names.empty() && finding.names.front() == name) return finding;
  throw std::runtime_error("no finding at " + name);
}

}  // namespace memprof::test
