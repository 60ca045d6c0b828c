#include "gate/memcheck_xml.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gate/finding_text.h"
#include "gate/xml_writer.h"
#include "report/frame_text.h"
#include "report/numbers.h"

namespace memprof {

namespace {

const char* memcheck_kind(FindingKind kind) {
  switch (kind) {
    case FindingKind::definite: return "Leak_DefinitelyLost";
    case FindingKind::indirect: return "Leak_IndirectlyLost";
    case FindingKind::possible: return "Leak_PossiblyLost";
    case FindingKind::reachable: return "Leak_StillReachable";
    case FindingKind::mismatched_free: return "MismatchedFree";
    case FindingKind::double_free: break;
  }
  return "InvalidFree";
}

const char* lost_how(FindingKind kind) {
  switch (kind) {
    case FindingKind::indirect: return "indirectly lost";
    case FindingKind::possible: return "possibly lost";
    case FindingKind::reachable: return "still reachable";
    default: return "definitely lost";
  }
}

// Memcheck's words to the letter, its "1 blocks" too: readers look for them.
std::string memcheck_words(const Finding& finding, size_t record, size_t records) {
  if (finding.kind == FindingKind::mismatched_free) return "Mismatched free() / delete / delete []";
  if (finding.kind == FindingKind::double_free) return "Invalid free() / delete / delete[] / realloc()";
  const std::string bytes =
      finding.indirect_bytes == 0
          ? format_count(finding.bytes)
          : fmt::format("{} ({} direct, {} indirect)", format_count(finding.bytes + finding.indirect_bytes),
                        format_count(finding.bytes), format_count(finding.indirect_bytes));
  return fmt::format("{} bytes in {} blocks are {} in loss record {} of {}", bytes, format_count(finding.blocks),
                     lost_how(finding.kind), format_count(record), format_count(records));
}

// As valgrind prints it: days, hours, minutes, seconds, and a blank.
std::string elapsed(uint64_t ns) {
  const uint64_t ms = ns / 1'000'000, s = ms / 1000;
  return fmt::format("{:02}:{:02}:{:02}:{:02}.{:03} ", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60, ms % 1000);
}

void write_optional(XmlWriter& xml, const char* name, std::string_view text) {
  if (!text.empty()) xml.element(name, text);
}

void write_stack(XmlWriter& xml, const std::vector<FindingFrame>& frames) {
  xml.open("stack");
  for (const FindingFrame& frame : frames) {
    const std::string_view file = base_name(frame.file);
    std::string_view directory = std::string_view(frame.file).substr(0, frame.file.size() - file.size());
    if (directory.size() > 1) directory.remove_suffix(1);
    xml.open("frame");
    xml.element("ip", fmt::format("0x{:X}", frame.offset));
    write_optional(xml, "obj", frame.module);
    write_optional(xml, "fn", frame.function);
    write_optional(xml, "dir", directory);
    write_optional(xml, "file", file);
    if (frame.line != 0) xml.element("line", std::to_string(frame.line));
    xml.close();
  }
  // A stack has one frame at least.
  if (frames.empty()) {
    xml.open("frame");
    xml.element("ip", "0x0");
    xml.close();
  }
  xml.close();
}

std::string against_baseline(const Finding& finding) {
  switch (finding.status) {
    case FindingStatus::added: return "New: the baseline does not have it";
    case FindingStatus::grown:
      return fmt::format("Grown: the baseline has {} bytes in {} blocks", format_count(finding.baseline_bytes),
                         format_count(finding.baseline_blocks));
    case FindingStatus::known: return "Known to the baseline";
    default: return "";
  }
}

void write_error(XmlWriter& xml, const Finding& finding, size_t number, const std::string& words) {
  xml.open("error");
  xml.element("unique", fmt::format("0x{:x}", number));
  xml.element("tid", "1");
  xml.element("kind", memcheck_kind(finding.kind));
  if (is_leak(finding.kind)) {
    xml.open("xwhat");
    xml.element("text", words);
    xml.element("leakedbytes", std::to_string(finding.bytes + finding.indirect_bytes));
    xml.element("leakedblocks", std::to_string(finding.blocks));
    xml.close();
    write_stack(xml, finding.frames);
    write_optional(xml, "auxwhat", against_baseline(finding));
  } else {
    // Where it was freed comes first, as in memcheck.
    xml.element("what", words);
    write_stack(xml, finding.free_frames);
    write_optional(xml, "auxwhat", against_baseline(finding));
    xml.element("auxwhat", fmt::format("{} bytes in {} blocks, allocated by {} and freed by {}, were alloc'd at",
                                       format_count(finding.bytes), format_count(finding.blocks),
                                       finding.allocator.empty() ? "?" : finding.allocator,
                                       finding.free_function.empty() ? "?" : finding.free_function));
    write_stack(xml, finding.frames);
  }
  xml.close();
}

void write_arguments(XmlWriter& xml, const JudgedTrace& trace) {
  xml.open("args");
  xml.open("vargv");
  xml.element("exe", "memprof-analyze");
  xml.element("arg", "check");
  xml.close();
  xml.open("argv");
  xml.element("exe", trace.command.empty() ? trace.executable : trace.command.front());
  for (size_t i = 1; i < trace.command.size(); ++i) xml.element("arg", trace.command[i]);
  xml.close();
  xml.close();
}

void write_status(XmlWriter& xml, const char* state, uint64_t time_ns) {
  xml.open("status");
  xml.element("state", state);
  xml.element("time", elapsed(time_ns));
  xml.close();
}

void write_preamble(XmlWriter& xml, const Verdict& verdict, const JudgedTrace& first) {
  xml.open("preamble");
  xml.element("line", "memprof, a heap profiler: the findings of memprof-analyze check");
  if (verdict.traces.size() > 1)
    xml.element("line", fmt::format("{} traces; pid and arguments are those of the first", verdict.traces.size()));
  std::string command;
  for (const std::string& argument : first.command) (command += ' ') += argument;
  xml.element("line", "Command:" + command);
  for (const std::string& line : verdict.unseen) xml.element("line", "Not seen: " + line);
  xml.close();
  xml.element("pid", std::to_string(first.pid));
  xml.element("ppid", std::to_string(first.parent_pid));
  xml.element("tool", "memcheck");
}

}  // namespace

void print_memcheck_xml(const Verdict& verdict, Output& out) {
  const JudgedTrace first = verdict.traces.empty() ? JudgedTrace() : verdict.traces.front();
  uint64_t longest_ns = 0;
  for (const JudgedTrace& trace : verdict.traces) longest_ns = std::max(longest_ns, trace.duration_ns);
  // Memcheck meets wrong frees while the program runs, and leaks at its end.
  std::vector<const Finding*> frees, leaks;
  for (const Finding& finding : verdict.findings)
    if (finding.fails) (is_leak(finding.kind) ? leaks : frees).push_back(&finding);

  XmlWriter xml(out);
  xml.begin(R"(<?xml version="1.0"?>)");
  xml.open("valgrindoutput");
  xml.element("protocolversion", "4");
  xml.element("protocoltool", "memcheck");
  write_preamble(xml, verdict, first);
  write_arguments(xml, first);
  write_status(xml, "RUNNING", 0);
  for (size_t i = 0; i < frees.size(); ++i) write_error(xml, *frees[i], i, memcheck_words(*frees[i], 0, 0));
  write_status(xml, "FINISHED", longest_ns);
  for (size_t i = 0; i < leaks.size(); ++i)
    write_error(xml, *leaks[i], frees.size() + i, memcheck_words(*leaks[i], i + 1, leaks.size()));

  xml.open("errorcounts");
  for (size_t i = 0; i < frees.size(); ++i) {
    xml.open("pair");
    xml.element("count", std::to_string(std::max<uint64_t>(frees[i]->blocks, 1)));
    xml.element("unique", fmt::format("0x{:x}", i));
    xml.close();
  }
  xml.close();
  xml.open("suppcounts");
  for (const SuppressionUse& use : verdict.suppressions) {
    if (use.is_stale()) continue;
    xml.open("pair");
    xml.element("count", std::to_string(use.findings));
    xml.element("name", use.name.empty() ? "without a name" : use.name);
    xml.close();
  }
  xml.close();
  xml.close();

  std::string lines;
  for (const Finding* finding : frees) lines += fmt::format("=={}== {}\n", first.pid, memcheck_words(*finding, 0, 0));
  for (size_t i = 0; i < leaks.size(); ++i)
    lines += fmt::format("=={}== {}\n", first.pid, memcheck_words(*leaks[i], i + 1, leaks.size()));
  lines += fmt::format("=={}== ERROR SUMMARY: {} errors\n", first.pid, frees.size() + leaks.size());
  xml.comment("for CTest\n" + lines);
}

}  // namespace memprof
