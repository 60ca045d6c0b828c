#include "gate/check_json.h"

#include <nlohmann/json.hpp>

#include "gate/finding_text.h"
#include "gate/finding_totals.h"
#include "report/escape.h"
#include "report/frame_text.h"

namespace memprof {

namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(to_utf8(text)); }

Json texts_json(const std::vector<std::string>& texts) {
  Json array = Json::array();
  for (const std::string& text : texts) array.push_back(to_utf8(text));
  return array;
}

template <class Number>
Json number_or_null(const std::optional<Number>& number) {
  return number ? Json(*number) : Json();
}

Json amount_json(const Amount& amount) {
  return {{"findings", amount.findings}, {"chunks", amount.blocks}, {"bytes", amount.bytes}};
}

Json stack_json(const std::vector<FindingFrame>& frames) {
  Json array = Json::array();
  for (const FindingFrame& frame : frames)
    array.push_back({{"function", text_or_null(frame.function)},
                     {"linkage_name", text_or_null(frame.linkage_name)},
                     {"file", text_or_null(frame.file)},
                     {"line", frame.line == 0 ? Json() : Json(frame.line)},
                     {"module", text_or_null(frame.module)},
                     {"offset", frame.offset},
                     {"inlined", frame.is_inlined}});
  return array;
}

Json finding_json(const Finding& finding) {
  const bool is_fixed = finding.status == FindingStatus::fixed;
  return {{"kind", finding_kind_name(finding.kind)},
          {"status", text_or_null(finding_status_name(finding.status))},
          {"fails", finding.fails},
          {"counts", finding.counts()},
          {"fingerprint", fingerprint_text(finding)},
          {"allocator", text_or_null(finding.allocator)},
          {"free_function", text_or_null(finding.free_function)},
          {"chunks", finding.blocks},
          {"bytes", finding.bytes},
          {"indirect", {{"chunks", finding.indirect_blocks}, {"bytes", finding.indirect_bytes}}},
          {"baseline", finding.baseline_blocks == 0 && !is_fixed
                           ? Json()
                           : Json({{"chunks", finding.baseline_blocks}, {"bytes", finding.baseline_bytes}})},
          {"traces", finding.traces},
          {"suppression", number_or_null(finding.suppression)},
          {"elsewhere", finding.is_elsewhere},
          {"blamed", finding.blamed < finding.frames.size() ? Json(finding.blamed) : Json()},
          {"truncated", finding.is_truncated},
          {"names", texts_json(finding.names)},
          {"stack", stack_json(finding.frames)},
          {"free_stack", stack_json(finding.free_frames)}};
}

Json trace_json(const JudgedTrace& trace) {
  return {{"path", to_utf8(trace.path)},
          {"pid", trace.pid},
          {"parent_pid", trace.parent_pid},
          {"executable", to_utf8(trace.executable)},
          {"command", texts_json(trace.command)},
          {"duration_ns", trace.duration_ns},
          {"allocations", trace.allocations},
          {"bytes_allocated", trace.bytes_allocated},
          {"temporary", trace.temporary},
          {"peak_bytes", trace.peak_bytes},
          {"complete", trace.is_complete},
          {"dropped_events", trace.dropped_events},
          {"unclassified", text_or_null(trace.why_unclassified)},
          {"unjudged", {{"chunks", trace.unjudged_blocks}, {"bytes", trace.unjudged_bytes}}}};
}

Json unrecorded_json(const UnrecordedProgram& program) {
  return {{"program", text_or_null(program.name)},
          {"pid", program.pid},
          {"started_by", to_utf8(program.starter)},
          {"replaced", program.is_replacement},
          {"allowed", program.is_allowed}};
}

Json limit_json(const BrokenLimit& limit) {
  return {{"rule", to_utf8(limit.rule)}, {"subject", text_or_null(limit.subject)},
          {"quantity", limit.quantity},  {"limit", limit.limit},
          {"found", limit.found},        {"finding", number_or_null(limit.finding)}};
}

Json suppression_json(const SuppressionUse& use) {
  return {
      {"name", to_utf8(use.name)}, {"file", text_or_null(use.file)}, {"line", use.line == 0 ? Json() : Json(use.line)},
      {"findings", use.findings},  {"chunks", use.blocks},           {"bytes", use.bytes},
      {"stale", use.is_stale()}};
}

Json totals_json(const FindingTotals& totals) {
  Json kinds = Json::object();
  for (size_t kind = 0; kind < kFindingKinds; ++kind) {
    Json& entry = kinds[finding_kind_name(static_cast<FindingKind>(kind))] = amount_json(totals.kinds[kind]);
    entry["failing"] = amount_json(totals.failing[kind]);
    entry["known"] = amount_json(totals.known[kind]);
  }
  return {{"kinds", kinds},
          {"suppressed", amount_json(totals.suppressed)},
          {"elsewhere", amount_json(totals.elsewhere)},
          {"fixed", amount_json(totals.fixed)}};
}

template <class Range, class ToJson>
Json array_json(const Range& range, ToJson to_json) {
  Json array = Json::array();
  for (const auto& element : range) array.push_back(to_json(element));
  return array;
}

}  // namespace

void print_check_json(const Verdict& verdict, Output& out) {
  print_json(out, {{"schema", "memprof.check/1"},
                   {"passed", verdict.passed()},
                   {"verdict", to_utf8(verdict_text(verdict))},
                   {"has_baseline", verdict.has_baseline},
                   {"fails_on_stale", verdict.fails_on_stale},
                   {"unseen", texts_json(verdict.unseen)},
                   {"notes", texts_json(verdict.notes)},
                   {"unrecorded", array_json(verdict.unrecorded, unrecorded_json)},
                   {"totals", totals_json(total_findings(verdict))},
                   {"broken_limits", array_json(verdict.broken_limits, limit_json)},
                   {"findings", array_json(verdict.findings, finding_json)},
                   {"suppressions", array_json(verdict.suppressions, suppression_json)},
                   {"traces", array_json(verdict.traces, trace_json)}});
}

}  // namespace memprof
