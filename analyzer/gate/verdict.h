// What `check` found in all of its traces together, and whether that passes: what every output of the gate is made of.
//
//   traces ─▶ reach/ ─▶ findings ─▶ baseline, suppressions, --only-from ─▶ limits ─▶ Verdict ─▶ text, JSON, JUnit, ...
//
// All texts are raw bytes of traces, binaries and files: escape them for what they are printed in.
// Everything is in an order that depends on what was found alone: equal runs have equal verdicts.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace memprof {

// The first four are memcheck's: nothing points to the block; only such blocks do; only pointers into its middle lead
// to it; a root does.
enum class FindingKind : uint8_t { definite, indirect, possible, reachable, mismatched_free, double_free };
inline constexpr size_t kFindingKinds = 6;
// "definite", ..., "mismatched-free", "double-free"
const char* finding_kind_name(FindingKind kind);
std::optional<FindingKind> parse_finding_kind(std::string_view name);
inline bool is_leak(FindingKind kind) { return kind < FindingKind::mismatched_free; }

// Against the baseline. `fixed`: only the baseline has it.
enum class FindingStatus : uint8_t { no_baseline, added, grown, known, fixed };
// "", "new", "grown", "known", "fixed"
const char* finding_status_name(FindingStatus status);

struct FindingFrame {
  std::string function = {};      // demangled; empty: unknown
  std::string linkage_name = {};  // as the linker knows it; empty: unknown, or the same
  std::string file = {};          // as the compiler recorded it; empty: unknown
  uint32_t line = 0;
  std::string module = {};  // path; empty: no loaded object
  uint64_t offset = 0;      // ELF virtual address in the module
  bool is_inlined = false;  // into the next frame

  friend auto operator<=>(const FindingFrame&, const FindingFrame&) = default;
};
// One place has many stacks, whose lines differ: the one that is shown must not depend on the order of events or
// traces. A stack that is not known gives way.
void keep_least(std::vector<FindingFrame>& kept, const std::vector<FindingFrame>& other);

// All blocks of one kind that were allocated (mismatched: and freed) at the same place, by fingerprint.
struct Finding {
  FindingKind kind = FindingKind::definite;
  uint64_t fingerprint = 0;             // model/fingerprint.h
  std::vector<std::string> names = {};  // that the fingerprint is made of, innermost first
  std::string allocator = {};           // "malloc", "new[]": the function that the program called
  // Of the allocation, innermost first; of a fixed one there are none. Where several stacks have the fingerprint, the
  // least.
  std::vector<FindingFrame> frames = {};
  bool is_truncated = false;
  // Of mismatched and double frees: what freed, and where if the trace has the stacks of frees.
  std::string free_function = {};
  std::vector<FindingFrame> free_frames = {};

  uint64_t blocks = 0, bytes = 0;
  // Of a definite one: the indirect blocks that are lost with it.
  uint64_t indirect_blocks = 0, indirect_bytes = 0;
  uint64_t baseline_blocks = 0, baseline_bytes = 0;
  FindingStatus status = FindingStatus::no_baseline;

  std::vector<size_t> traces = {};  // indices into Verdict::traces
  // Where to look first: the innermost frame that is of the program, or of what --only-from names. Past the end where
  // there is none.
  size_t blamed = 0;
  std::optional<size_t> suppression = {};  // index into Verdict::suppressions
  bool is_elsewhere = false;               // --only-from, --ignore-module leave it out
  bool is_judged = true;                   // the rules are about its kind
  bool fails = false;                      // it makes the gate fail

  bool counts() const { return !suppression && !is_elsewhere && status != FindingStatus::fixed; }
};

struct JudgedTrace {
  std::string path = {};
  uint32_t pid = 0, parent_pid = 0;
  std::string executable = {};
  std::vector<std::string> command = {};
  uint64_t duration_ns = 0;
  uint64_t allocations = 0, bytes_allocated = 0, temporary = 0, peak_bytes = 0;
  bool is_complete = false;
  uint64_t dropped_events = 0;
  std::string why_unclassified = {};  // empty: its blocks are classified
  // Allocated after the snapshot that the others were judged by, and open at the end; without what is left out.
  uint64_t unjudged_blocks = 0, unjudged_bytes = 0;
};

// A number that is larger than it may be.
struct BrokenLimit {
  std::string rule = {};      // "max-leaked-bytes", ..., "budget", "scope"
  std::string subject = {};   // of a budget: its pattern; of a scope: its name; empty: everything
  std::string quantity = {};  // "bytes", "blocks", "peak", "allocations", "temporary"
  uint64_t limit = 0, found = 0;
  std::optional<size_t> finding = {};  // index, where it is of one site

  // Of findings, so that a baseline lifts it.
  bool is_of_leaks() const { return rule.starts_with("max-leaked-") || rule.starts_with("max-site-leaked-"); }
};

struct SuppressionUse {
  std::string name = {};  // of valgrind's; the pattern of LeakSanitizer's
  std::string file = {};  // "" where the program brings it; kBuiltIn
  uint32_t line = 0;
  uint64_t findings = 0, blocks = 0, bytes = 0;  // that it took

  static constexpr const char* kBuiltIn = "(built in)";
  bool is_built_in() const { return file == kBuiltIn; }
  bool is_stale() const { return findings == 0 && !is_built_in(); }
};

// A program that left no trace, in a process that a recorded one started or was itself.
struct UnrecordedProgram {
  std::string name = {};     // as exec was given it; empty: unknown
  std::string starter = {};  // the program that started it
  uint32_t pid = 0;
  bool is_replacement = false;  // the starter's own process
  bool is_allowed = false;
};

struct Verdict {
  std::vector<JudgedTrace> traces;
  // Those that fail first, then by kind, bytes and fingerprint; suppressed, foreign and fixed ones at last.
  std::vector<Finding> findings;
  std::vector<BrokenLimit> broken_limits;
  std::vector<SuppressionUse> suppressions;
  std::vector<UnrecordedProgram> unrecorded;
  bool has_baseline = false;
  bool fails_on_stale = false;
  // Why it cannot pass, whatever was found: a line for each thing that it did not see and may not overlook.
  std::vector<std::string> unseen;
  // What is good to know and decides nothing: a line each, with paths of traces.
  std::vector<std::string> notes = {};

  bool passed() const;
  // Whether it would if a baseline had all of the findings.
  bool passes_with_findings() const;

  // Without the findings that the rules are not about. Their numbers depend on what happens to lie in memory at the
  // end, such as words of threads that wait: equal runs have them different.
  Verdict judged_only() const;
};

}  // namespace memprof
