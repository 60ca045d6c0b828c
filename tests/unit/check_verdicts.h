// Verdicts made by hand, for what the gate's outputs make of them.
#pragma once

#include <functional>
#include <string>

#include "gate/verdict.h"

namespace memprof::test {

inline FindingFrame frame_at(const char* function, const char* file, uint32_t line) {
  return {function, "", file, line, "/opt/app/bin/app", 0x1234, false};
}

inline JudgedTrace trace_of_app() {
  JudgedTrace trace;
  trace.path = "trace.bin";
  trace.pid = 4242;
  trace.parent_pid = 4200;
  trace.executable = "/opt/app/bin/app";
  trace.command = {"./app", "--fast"};
  trace.duration_ns = 1'500'000'000;
  trace.is_complete = true;
  return trace;
}

inline Verdict passing_verdict() {
  Verdict verdict;
  verdict.traces = {trace_of_app()};
  return verdict;
}

// Something of everything.
inline Verdict failing_verdict() {
  Verdict verdict;
  verdict.traces = {trace_of_app(), trace_of_app()};
  verdict.has_baseline = true;

  Finding leak;
  leak.kind = FindingKind::definite;
  leak.fingerprint = 0x0123456789abcdef;
  leak.allocator = "malloc";
  leak.frames = {frame_at("std::allocate<int>()", "/usr/include/c++/12/bits/alloc.h", 7),
                 frame_at("make_node(int)", "/repo/src/list.c", 12),
                 frame_at("main", "/repo/src/main.c", 30),
                 {"__libc_start_call_main", "", "", 0, "/lib/libc.so.6", 0x99, false}};
  leak.blamed = 1;
  leak.blocks = 3;
  leak.bytes = 1232;
  leak.indirect_blocks = 2;
  leak.indirect_bytes = 64;
  leak.status = FindingStatus::added;
  leak.traces = {0, 1};
  leak.fails = true;

  Finding grown = leak;
  grown.kind = FindingKind::possible;
  grown.fingerprint = 0x2;
  grown.frames = {frame_at("grow(char const*)", "/repo/src/grow.c", 5)};
  grown.blamed = 0;
  grown.indirect_blocks = grown.indirect_bytes = 0;
  grown.baseline_blocks = 1;
  grown.baseline_bytes = 512;
  grown.status = FindingStatus::grown;
  grown.traces = {1};

  Finding mismatched = grown;
  mismatched.kind = FindingKind::mismatched_free;
  mismatched.fingerprint = 0x3;
  mismatched.allocator = "new[]";
  mismatched.free_function = "free";
  mismatched.free_frames = {frame_at("drop()", "/repo/src/drop.c", 8)};
  mismatched.blocks = 1;
  mismatched.bytes = 24;
  mismatched.baseline_blocks = mismatched.baseline_bytes = 0;
  mismatched.status = FindingStatus::added;

  Finding known = leak;
  known.fingerprint = 0x4;
  known.status = FindingStatus::known;
  known.fails = false;

  Finding reachable = grown;
  reachable.kind = FindingKind::reachable;
  reachable.fingerprint = 0x5;
  reachable.status = FindingStatus::added;
  reachable.fails = false;

  Finding suppressed = known;
  suppressed.fingerprint = 0x6;
  suppressed.suppression = 0;

  Finding elsewhere = known;
  elsewhere.fingerprint = 0x7;
  elsewhere.is_elsewhere = true;

  Finding fixed;
  fixed.fingerprint = 0x8;
  fixed.names = {"old_parse", "main"};
  fixed.baseline_blocks = 2;
  fixed.baseline_bytes = 100;
  fixed.status = FindingStatus::fixed;

  verdict.findings = {leak, grown, mismatched, known, reachable, suppressed, elsewhere, fixed};
  verdict.broken_limits = {{"max-peak", "", "peak", 10 << 20, 12 << 20, {}}, {"budget", "*list*", "blocks", 2, 3, 0}};
  verdict.suppressions = {{"glibc-dlopen", "/repo/known.supp", 12, 1, 3, 1232}, {"old-leak", "/repo/known.supp", 40}};
  return verdict;
}

// What breaks documents, terminals, comments and workflow commands.
inline const std::string& hostile_bytes() {
  // The first part ends in a byte of its own: it has a NUL.
  static constexpr char kBroken[] = "]]>--><script>alert(1)</script>&amp;&#0;'\"\0\x01\x1b[2J\xff\xc0\xaf\xed\xa0\x80";
  static const std::string bytes =
      std::string(kBroken, sizeof(kBroken) - 1) +
      "\xef\xbf\xbe\xef\xbf\xbf\u202e\u2028\x7f\xc2\x85\n::error::x\r\n==1== %0A,:|`*_~~[x](http://e.example)![i](y)"
      " <img src=x>@someone #1 www.example.org {0}{ \\ $x$ <!-- </details></pre></code>\t# h\n# h2\n- item";
  return bytes;
}

// failing_verdict() with every text of a name or a path made so.
inline Verdict verdict_of_hostile_names() {
  Verdict verdict = failing_verdict();
  const std::string& evil = hostile_bytes();
  for (JudgedTrace& trace : verdict.traces) {
    trace.path = trace.executable = trace.why_unclassified = evil;
    trace.command = {evil, evil};
  }
  for (Finding& finding : verdict.findings) {
    finding.names = {evil, evil};
    finding.allocator = finding.free_function = evil;
    finding.free_frames = finding.frames;
    for (std::vector<FindingFrame>* frames : {&finding.frames, &finding.free_frames})
      for (FindingFrame& frame : *frames) frame.function = frame.linkage_name = frame.file = frame.module = evil;
  }
  for (BrokenLimit& limit : verdict.broken_limits) limit.rule = limit.subject = limit.quantity = evil;
  for (SuppressionUse& use : verdict.suppressions) use.name = use.file = evil;
  verdict.unseen = {evil, evil};
  return verdict;
}

// The same shape with paths that are empty, and nothing that is known.
inline Verdict verdict_of_unknown_names() {
  Verdict verdict = failing_verdict();
  for (JudgedTrace& trace : verdict.traces) trace = JudgedTrace{};
  for (Finding& finding : verdict.findings) {
    finding.names.clear();
    finding.allocator.clear();
    finding.free_function.clear();
    finding.free_frames.clear();
    for (FindingFrame& frame : finding.frames) frame = FindingFrame{};
    finding.blamed = 99;
  }
  verdict.findings.front().frames.clear();
  for (SuppressionUse& use : verdict.suppressions) use.name = use.file = "";
  return verdict;
}

inline Verdict verdict_of_many(size_t count) {
  Verdict verdict = failing_verdict();
  const Finding one = verdict.findings.front();
  verdict.findings.clear();
  for (size_t i = 0; i < count; ++i) {
    verdict.findings.push_back(one);
    verdict.findings.back().fingerprint = i + 1;
    verdict.findings.back().frames[1].function = "make_" + std::to_string(i) + "(" + std::string(300, 'x') + ")";
  }
  return verdict;
}

}  // namespace memprof::test
