#include "gate/check_markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "gate/finding_stack.h"
#include "gate/finding_text.h"
#include "gate/finding_totals.h"
#include "gate/source_path.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kRows = 25;
constexpr size_t kLimits = 10;
constexpr size_t kUnseen = 10;
constexpr size_t kStacks = 10;
constexpr size_t kNameColumns = 80;
constexpr size_t kLineColumns = 200;

// Whether `c` can begin no markup after `before`, what was made of the text so far.
bool is_plain(char c, std::string_view before) {
  static constexpr std::string_view kPlain = ",/=%;?(";
  const bool is_letter = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c & 0x80) != 0;
  if (is_letter || kPlain.find(c) != std::string_view::npos) return true;
  // At the begin they make lists; "www." and "http:" are links.
  const bool is_number = before.find_first_not_of("0123456789") == std::string_view::npos;
  if (c == '.' || c == ')') return !is_number && !before.ends_with("ww") && !before.ends_with("WW");
  if (c == '-' || c == '+') return !before.empty();
  if (c == ':')
    return !before.ends_with('p') && !before.ends_with('P') && !before.ends_with('s') && !before.ends_with('S');
  // Blanks at the begin, or several, are code.
  return c == ' ' && !before.empty() && !before.ends_with(' ');
}

// Text that is Markdown and HTML of nothing: what could begin markup or a link is a character reference.
std::string markdown_text(std::string_view bytes, size_t columns) {
  std::string text;
  for (const char c : cut_text(escape_text(bytes), columns)) {
    if (is_plain(c, text))
      text += c;
    else
      text += fmt::format("&#{};", static_cast<int>(c));
  }
  return text;
}

std::string code(std::string_view bytes, size_t columns = kNameColumns) {
  return "<code>" + markdown_text(bytes, columns) + "</code>";
}

// In prose GitHub looks for "@name" once more after references are resolved, and sends that person a mail. Not in code.
std::string prose(std::string_view bytes, size_t columns) {
  return bytes.find('@') == std::string_view::npos ? markdown_text(bytes, columns) : code(bytes, columns);
}

// In <pre> Markdown means nothing, HTML does.
std::string html_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      default: result += c;
    }
  }
  return result;
}

std::string source_of(const Finding& finding, const MarkdownOptions& options) {
  const FindingFrame* frame = blamed_frame(finding);
  if (!frame || frame->file.empty()) return "";
  const std::string path = path_in_repository(frame->file, options.source_root);
  // The end of a path says more than its begin.
  const std::string shown = text_width(escape_text(path)) <= kNameColumns ? path : std::string(base_name(path));
  return "<br>" + prose(frame->line == 0 ? shown : fmt::format("{}:{}", shown, frame->line), kNameColumns + 8);
}

std::string place_of(const Finding& finding) {
  const FindingFrame* frame = blamed_frame(finding);
  return frame && !frame->function.empty() ? shorten_function(escape_text(frame->function), kNameColumns)
                                           : finding_place(finding);
}

std::string row(const Finding& finding, const MarkdownOptions& options) {
  std::string size = format_bytes(finding.bytes), blocks = format_count(finding.blocks);
  if (finding.status == FindingStatus::grown) {
    const auto [before, now] = unlike_sizes(finding.baseline_bytes, finding.bytes);
    size = fmt::format("{}<br>was {}", now, before);
    blocks += fmt::format("<br>was {}", format_count(finding.baseline_blocks));
  }
  return fmt::format("| {} | {} | {} | {}{} |\n", finding_title(finding), size, blocks, code(place_of(finding)),
                     source_of(finding, options));
}

std::string stack_details(const Finding& finding) {
  const FindingStackStyle style{.max_frames = 16, .columns = 110};
  std::string text = fmt::format("<details><summary>{}</summary>\n\n<pre>\n",
                                 prose(finding_title(finding) + ": " + finding_amount(finding), kLineColumns));
  for (const std::string& line : allocation_stack_lines(finding, style)) text += html_text(line) + "\n";
  if (!finding.free_frames.empty()) text += "freed at\n";
  for (const std::string& line : free_stack_lines(finding, style)) text += html_text(line) + "\n";
  return text + "</pre>\n</details>\n\n";
}

class BoundedText {
 public:
  explicit BoundedText(size_t max_bytes) : max_bytes_(max_bytes) {}
  // False when there is no room for it, with `reserved` bytes left.
  bool append(const std::string& text, size_t reserved = 0) {
    if (text_.size() + text.size() + reserved > max_bytes_) return false;
    text_ += text;
    return true;
  }
  const std::string& text() const { return text_; }

 private:
  size_t max_bytes_;
  std::string text_;
};

// Room for what follows a list.
constexpr size_t kReserved = 2048;

void append_list(BoundedText& text, const char* title, const std::vector<std::string>& lines, size_t most) {
  if (lines.empty()) return;
  text.append(fmt::format("\n{}\n\n", title), kReserved);
  size_t shown = 0;
  while (shown < std::min(lines.size(), most) &&
         text.append(fmt::format("* {}\n", prose(lines[shown], kLineColumns)), kReserved))
    ++shown;
  if (shown < lines.size()) text.append(fmt::format("* and {} more\n", format_count(lines.size() - shown)));
}

void append_findings(BoundedText& text, const Verdict& verdict, const MarkdownOptions& options) {
  std::vector<const Finding*> failing;
  for (const Finding& finding : verdict.findings)
    if (finding.fails) failing.push_back(&finding);
  if (failing.empty()) return;
  text.append("\n| finding | size | blocks | where |\n|---|---:|---:|---|\n", kReserved);
  size_t rows = 0;
  while (rows < std::min(failing.size(), kRows) && text.append(row(*failing[rows], options), kReserved)) ++rows;
  if (rows < failing.size())
    text.append(fmt::format("\n{} more that fail: see the log.\n", format_count(failing.size() - rows)));
  text.append("\n");
  for (size_t i = 0; i < std::min(failing.size(), kStacks); ++i)
    if (!text.append(stack_details(*failing[i]), kReserved / 2)) break;
}

std::string numbers(const Verdict& verdict) {
  const FindingTotals totals = total_findings(verdict);
  std::string list;
  const auto append = [&](const Amount& amount, const std::string& what) {
    if (amount.findings == 0) return;
    list += fmt::format("{}{} {} ({})", list.empty() ? "" : ", ", format_count(amount.findings), what,
                        amount_text(amount.bytes, amount.blocks));
  };
  append(totals.all_known(), "known to the baseline");
  append(totals.suppressed, "suppressed");
  append(totals.elsewhere, "elsewhere");
  append(totals.fixed, "fixed since the baseline");
  return list.empty() ? "" : fmt::format("\n{}\n", list);
}

}  // namespace

void print_check_markdown(const Verdict& verdict, const MarkdownOptions& options, Output& out) {
  BoundedText text(std::max<size_t>(options.max_bytes, 2 * kReserved));
  text.append(fmt::format("### memprof check {}\n\n", verdict.passed() ? "passed" : "failed"));
  const std::string verdict_line = verdict_text(verdict);
  text.append(prose(verdict_line.substr(verdict_line.find(' ') + 1), 2 * kLineColumns) + "\n");

  std::vector<std::string> limits;
  for (const BrokenLimit& limit : verdict.broken_limits) limits.push_back(describe_limit(limit));
  append_list(text, "Limits broken:", limits, kLimits);
  append_list(text, "Not seen:", verdict.unseen, kUnseen);
  append_findings(text, verdict, options);

  std::vector<std::string> stale;
  for (const SuppressionUse& use : verdict.suppressions)
    if (use.is_stale()) stale.push_back(suppression_place(use));
  append_list(text, "Stale suppressions:", stale, kLimits);
  // A passing verdict's line has the numbers.
  if (!verdict.passed()) text.append(numbers(verdict));
  out.write(text.text());
}

}  // namespace memprof
