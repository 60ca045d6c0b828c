#include "gate/check_text.h"

#include "gate/finding_stack.h"
#include "gate/finding_text.h"
#include "gate/finding_totals.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"

namespace memprof {

namespace {

// Long lists that nobody has to act on at once.
constexpr size_t kShortList = 10;

void print_lines(const std::vector<std::string>& lines, Output& out) {
  for (const std::string& line : lines) out.print("  {}\n", line);
}

void print_finding(const Verdict& verdict, const Finding& finding, const CheckTextOptions& options, Output& out) {
  const FindingStackStyle style{options.max_frames, kTextColumns - 2};
  out.print("{}: {}", finding_title(finding), escape_text(finding_amount(finding)));
  if (verdict.traces.size() > 1)
    out.print(", in {} of {} traces", format_count(finding.traces.size()), format_count(verdict.traces.size()));
  out.print("   [{}]\n", fingerprint_text(finding));
  print_lines(allocation_stack_lines(finding, style), out);
  if (!finding.free_frames.empty()) {
    out.write("  freed at\n");
    print_lines(free_stack_lines(finding, style), out);
  }
  out.write("\n");
}

void print_failing(const Verdict& verdict, const CheckTextOptions& options, Output& out) {
  Amount rest;
  size_t shown = 0;
  for (const Finding& finding : verdict.findings) {
    if (!finding.fails) continue;
    if (shown++ < options.max_findings)
      print_finding(verdict, finding, options, out);
    else
      rest.add(finding.blocks, finding.bytes);
  }
  if (rest.findings != 0)
    out.print("... and {} that fail, {}\n\n", count_of(rest.findings, "other", "others"),
              amount_text(rest.bytes, rest.blocks));
}

void print_broken_limits(const Verdict& verdict, Output& out) {
  if (verdict.broken_limits.empty()) return;
  out.write("limits broken:\n");
  for (const BrokenLimit& limit : verdict.broken_limits) {
    out.print("  {}\n", escape_text(describe_limit(limit)));
    // One that fails stands above with its stack.
    if (limit.finding && *limit.finding < verdict.findings.size())
      out.print("      by the {}\n",
                cut_text(escape_text(describe_finding(verdict.findings[*limit.finding])), kTextColumns - 13));
  }
  out.write("\n");
}

void print_unjudged(const Verdict& verdict, Output& out) {
  for (const JudgedTrace& trace : verdict.traces)
    if (trace.unjudged_blocks != 0)
      out.print("{}: judged as of the last snapshot; allocated after it and not freed: {}\n\n", escape_text(trace.path),
                amount_text(trace.unjudged_bytes, trace.unjudged_blocks));
}

void print_notes(const Verdict& verdict, Output& out) {
  for (const std::string& line : verdict.notes) out.print("note: {}\n", escape_text(line));
  if (!verdict.notes.empty()) out.write("\n");
}

void print_unseen(const Verdict& verdict, Output& out) {
  if (verdict.unseen.empty()) return;
  out.write("not seen, so nothing can pass:\n");
  for (const std::string& line : verdict.unseen) out.print("  {}\n", escape_text(line));
  out.write("\n");
}

void print_suppressions(const Verdict& verdict, Output& out) {
  bool has_title = false;
  for (const SuppressionUse& use : verdict.suppressions) {
    if (use.is_stale() || use.is_built_in()) continue;
    if (!has_title) out.write("suppressions used:\n");
    has_title = true;
    out.print("  {}: {}, {}\n", escape_text(suppression_place(use)), count_of(use.findings, "finding", "findings"),
              amount_text(use.bytes, use.blocks));
  }
  if (has_title) out.write("\n");

  has_title = false;
  for (const SuppressionUse& use : verdict.suppressions) {
    if (!use.is_stale()) continue;
    if (!has_title) out.write("stale suppressions, which match nothing any more:\n");
    has_title = true;
    out.print("  {}\n", escape_text(suppression_place(use)));
  }
  if (has_title) out.write("\n");
}

void print_fixed(const Verdict& verdict, const Amount& fixed, Output& out) {
  if (fixed.findings == 0) return;
  out.write("fixed, but still in the baseline (write it anew, or they may come back unseen):\n");
  size_t shown = 0;
  for (const Finding& finding : verdict.findings)
    if (finding.status == FindingStatus::fixed && shown++ < kShortList)
      out.print("  {}   [{}]\n",
                cut_text(escape_text(kind_noun(finding.kind) + " at " + finding_place(finding) + ": " +
                                     finding_amount(finding)),
                         kTextColumns - 23),
                fingerprint_text(finding));
  if (fixed.findings > kShortList)
    out.print("  ... and {}\n", count_of(fixed.findings - kShortList, "other", "others"));
  out.write("\n");
}

void print_row(const std::string& name, const Amount& amount, const std::string& note, Output& out) {
  if (amount.findings == 0) return;
  out.print("  {:<17}{:>9}{:>12}{:>14}{}{}\n", name, format_count(amount.findings), format_count(amount.blocks),
            format_bytes(amount.bytes), note.empty() ? "" : "   ", note);
}

// Each block is in one row.
void print_totals(const Verdict& verdict, const FindingTotals& totals, Output& out) {
  bool has_any = totals.suppressed.findings + totals.elsewhere.findings != 0;
  for (const Amount& amount : totals.kinds) has_any = has_any || amount.findings != 0;
  if (!has_any) return;
  out.print("{:<19}{:>9}{:>12}{:>14}\n", "found", "findings", "blocks", "size");
  for (size_t kind = 0; kind < kFindingKinds; ++kind) {
    std::string note;
    if (const uint64_t failing = totals.failing[kind].findings; failing != 0)
      note = fmt::format("{} {}", format_count(failing), failing == 1 ? "fails" : "fail");
    if (const uint64_t known = totals.known[kind].findings; known != 0)
      note += fmt::format("{}{} known", note.empty() ? "" : ", ", format_count(known));
    print_row(finding_kind_name(static_cast<FindingKind>(kind)), totals.kinds[kind], note, out);
  }
  print_row("suppressed", totals.suppressed, "", out);
  print_row("elsewhere", totals.elsewhere, "in code that the gate was told to leave out", out);
  if (const Amount known = totals.all_known(); known.findings != 0)
    out.print("The baseline knows {} of them, {}: not listed.\n", format_count(known.findings),
              amount_text(known.bytes, known.blocks));
  for (const JudgedTrace& trace : verdict.traces)
    if (!trace.why_unclassified.empty())
      out.print("{}: leaks are not told apart by kind: {}\n", escape_text(trace.path),
                escape_text(trace.why_unclassified));
  out.write("\n");
}

}  // namespace

void print_check_text(const Verdict& verdict, const CheckTextOptions& options, Output& out) {
  const FindingTotals totals = total_findings(verdict);
  print_failing(verdict, options, out);
  print_broken_limits(verdict, out);
  print_unseen(verdict, out);
  print_fixed(verdict, totals.fixed, out);
  print_suppressions(verdict, out);
  print_totals(verdict, totals, out);
  print_unjudged(verdict, out);
  print_notes(verdict, out);
  out.print("check: {}\n", escape_text(verdict_text(verdict)));
}

}  // namespace memprof
