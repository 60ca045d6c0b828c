#include "gate/own_stacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "report/frame_text.h"
#include "report/frames.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kModulesTold = 3;

template <class Frames>
bool any_is_from_here(const Frames& frames, const Blame& blame) {
  return std::any_of(frames.begin(), frames.end(),
                     [&](const FindingFrame& frame) { return blame.is_from_here(frame); });
}

// Frames of a program that was built without -g have no file.
void add_modules_without_lines(const Finding& finding, std::set<std::string>& modules) {
  for (const FindingFrame& frame : finding.frames)
    if (frame.file.empty() && !frame.module.empty() && !is_runtime_frame(frame))
      modules.insert(std::string(base_name(frame.module)));
}

}  // namespace

bool leaves_all_out(const std::vector<TraceFindings>& traces, const Rules& rules, const Blame& blame) {
  if (!blame.has_origins()) return false;
  bool any_may_fail = false;
  for (const TraceFindings& trace : traces) {
    for (const Finding& finding : trace.findings) {
      if (any_is_from_here(finding.frames, blame)) return false;
      any_may_fail = any_may_fail || rules.judges(finding.kind);
    }
  }
  return any_may_fail;
}

bool has_own_stack(const Trace& trace, const SymbolOptions& symbols, const Blame& blame) {
  FrameSource source(trace, symbols);
  source.prepare_all();
  const StackId limit = trace.nodes.id_limit();
  for (StackId stack = 0; stack < limit; ++stack) {
    if (!trace.nodes.is_frame(stack) || trace.nodes.canonical(stack) != stack) continue;
    // Each stack's innermost frame: the others are stacks of their own.
    for (const Frame& frame : source.frames(stack, 1))
      if (blame.is_from_here({.file = std::string(frame.file), .module = std::string(frame.module)})) return true;
  }
  return false;
}

std::string describe_unmatched(const Verdict& verdict, const Rules& rules) {
  uint64_t count = 0;
  std::set<std::string> modules;
  for (const Finding& finding : verdict.findings) {
    const bool is_left_out = finding.is_elsewhere && !finding.suppression && finding.status != FindingStatus::fixed;
    if (!is_left_out || !rules.judges(finding.kind)) continue;
    ++count;
    add_modules_without_lines(finding, modules);
  }
  if (count == 0) return {};
  std::string text = fmt::format("--only-from {}: no stack goes through it, so {} left out; is it misspelled",
                                 fmt::join(rules.only_from, ", "), count_of(count, "finding is", "findings are"));
  if (modules.empty()) return text + "?";
  text += ", or built without -g? There are no source lines in ";
  size_t told = 0;
  for (const std::string& module : modules) {
    if (told == kModulesTold) break;
    text += fmt::format("{}{}", told++ == 0 ? "" : ", ", module);
  }
  if (const size_t more = modules.size() - told; more != 0) text += fmt::format(" and {} more", more);
  return text;
}

}  // namespace memprof
