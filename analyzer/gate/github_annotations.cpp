#include "gate/github_annotations.h"

#include <algorithm>
#include <vector>

#include "gate/finding_stack.h"
#include "gate/finding_text.h"
#include "gate/source_path.h"
#include "report/escape.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kShown = 10;
constexpr size_t kMessageFrames = 6;

struct Annotation {
  std::string title;
  std::vector<std::string> message;  // lines
  std::string file = {};             // empty: of the whole run
  uint32_t line = 0;
};

// What the runner undoes: nothing else ends a command or a property.
std::string escape_data(std::string_view text, bool is_property) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '%': result += "%25"; break;
      case '\r': result += "%0D"; break;
      case '\n': result += "%0A"; break;
      case ':': result += is_property ? "%3A" : ":"; break;
      case ',': result += is_property ? "%2C" : ","; break;
      default: result += c;
    }
  }
  return result;
}

void print_annotation(const char* command, const Annotation& annotation, Output& out) {
  std::string text;
  for (const std::string& line : annotation.message) (text += text.empty() ? "" : "\n") += escape_text(line);
  const auto property = [](std::string_view bytes) { return escape_data(escape_text(bytes), true); };
  out.print("::{} ", command);
  if (!annotation.file.empty()) out.print("file={},", property(annotation.file));
  if (!annotation.file.empty() && annotation.line != 0) out.print("line={},", annotation.line);
  out.print("title={}::{}\n", property(annotation.title), escape_data(text, false));
}

void place(Annotation& annotation, const Finding& finding, const GithubOptions& options) {
  const FindingFrame* frame = blamed_frame(finding);
  if (!frame || frame->file.empty()) return;
  annotation.file = path_in_repository(frame->file, options.source_root);
  annotation.line = frame->line;
}

std::vector<Annotation> collect_errors(const Verdict& verdict, const GithubOptions& options) {
  std::vector<Annotation> errors;
  for (const std::string& line : verdict.unseen) errors.push_back({"memprof did not see everything", {line}});
  for (const BrokenLimit& limit : verdict.broken_limits) {
    Annotation annotation{"limit broken: " + limit_name(limit), {describe_limit(limit)}};
    if (limit.finding && *limit.finding < verdict.findings.size())
      place(annotation, verdict.findings[*limit.finding], options);
    errors.push_back(std::move(annotation));
  }
  for (const Finding& finding : verdict.findings) {
    if (!finding.fails) continue;
    Annotation annotation{finding_title(finding), {describe_finding(finding)}};
    for (std::string& line : allocation_stack_lines(finding, {.max_frames = kMessageFrames}))
      annotation.message.push_back(std::move(line));
    place(annotation, finding, options);
    errors.push_back(std::move(annotation));
  }
  return errors;
}

std::vector<Annotation> collect_stale(const Verdict& verdict, const GithubOptions& options) {
  std::vector<Annotation> stale;
  for (const SuppressionUse& use : verdict.suppressions)
    if (use.is_stale())
      stale.push_back({"stale suppression",
                       {suppression_place(use) + " matches nothing any more"},
                       use.file.empty() ? "" : path_in_repository(use.file, options.source_root),
                       use.line});
  return stale;
}

void print_shown(const char* command, const std::vector<Annotation>& annotations, const Verdict& verdict, Output& out) {
  const size_t shown = annotations.size() <= kShown ? annotations.size() : kShown - 1;
  for (size_t i = 0; i < shown; ++i) print_annotation(command, annotations[i], out);
  if (const size_t more = annotations.size() - shown; more != 0)
    print_annotation(
        command,
        {"memprof check",
         {fmt::format("{} more, not shown here: see the log of this step", format_count(more)), verdict_text(verdict)}},
        out);
}

}  // namespace

void print_github_annotations(const Verdict& verdict, const GithubOptions& options, Output& out) {
  std::vector<Annotation> errors = collect_errors(verdict, options);
  std::vector<Annotation> stale = collect_stale(verdict, options);
  if (verdict.fails_on_stale) {
    errors.insert(errors.end(), stale.begin(), stale.end());
    stale.clear();
  }
  print_shown("error", errors, verdict, out);
  print_shown("warning", stale, verdict, out);
}

}  // namespace memprof
