#include "gate/finding_text.h"

#include <fmt/format.h>

#include <array>

#include "report/frame_text.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kNamesOfFixed = 3;

}  // namespace

std::string kind_noun(FindingKind kind, uint64_t count) {
  const char* plural = count == 1 ? "" : "s";
  if (is_leak(kind)) return fmt::format("{} leak{}", finding_kind_name(kind), plural);
  return fmt::format("{} free{}", kind == FindingKind::mismatched_free ? "mismatched" : "double", plural);
}

std::string finding_title(const Finding& finding) {
  if (finding.suppression) return "suppressed " + kind_noun(finding.kind);
  const std::string status = finding_status_name(finding.status);
  return (status.empty() ? "" : status + " ") + kind_noun(finding.kind);
}

std::string amount_text(uint64_t bytes, uint64_t blocks) {
  return fmt::format("{} in {}", format_bytes(bytes), count_of(blocks, "block", "blocks"));
}

std::pair<std::string, std::string> unlike_sizes(uint64_t first, uint64_t second) {
  std::string one = format_bytes(first), other = format_bytes(second);
  if (first != second && one == other) return {format_count(first) + " B", format_count(second) + " B"};
  return {std::move(one), std::move(other)};
}

std::string finding_amount(const Finding& finding) {
  if (finding.status == FindingStatus::fixed)
    return "was " + amount_text(finding.baseline_bytes, finding.baseline_blocks);
  const auto [before, now] = unlike_sizes(finding.baseline_bytes, finding.bytes);
  std::string text = fmt::format("{} in {}", now, count_of(finding.blocks, "block", "blocks"));
  if (finding.status == FindingStatus::grown)
    text += fmt::format(" (the baseline has {} in {})", before, format_count(finding.baseline_blocks));
  if (!finding.allocator.empty()) text += " from " + finding.allocator;
  if (finding.indirect_blocks != 0)
    text += fmt::format(", and {} lost with {}", amount_text(finding.indirect_bytes, finding.indirect_blocks),
                        finding.blocks == 1 ? "it" : "them");
  if (!finding.free_function.empty())
    text += (finding.kind == FindingKind::double_free ? ", freed again by " : ", freed by ") + finding.free_function;
  return text;
}

const FindingFrame* blamed_frame(const Finding& finding) {
  if (finding.frames.empty()) return nullptr;
  return &finding.frames[finding.blamed < finding.frames.size() ? finding.blamed : 0];
}

std::string frame_place(const FindingFrame& frame) {
  const std::string_view module = base_name(frame.module);
  if (frame.function.empty())
    return module.empty() ? fmt::format("{:#x}", frame.offset) : fmt::format("{}+{:#x}", module, frame.offset);
  if (frame.file.empty()) return module.empty() ? frame.function : fmt::format("{} ({})", frame.function, module);
  if (frame.line == 0) return fmt::format("{} ({})", frame.function, base_name(frame.file));
  return fmt::format("{} ({}:{})", frame.function, base_name(frame.file), frame.line);
}

std::string finding_place(const Finding& finding) {
  if (const FindingFrame* frame = blamed_frame(finding)) return frame_place(*frame);
  std::string place;
  for (size_t i = 0; i < std::min(finding.names.size(), kNamesOfFixed); ++i)
    place += (i == 0 ? "" : " < ") + finding.names[i];
  return place.empty() ? "an unknown place" : place;
}

std::string finding_function(const Finding& finding) {
  if (finding.frames.empty() && !finding.names.empty()) return finding.names.front();
  const FindingFrame* frame = blamed_frame(finding);
  if (!frame) return "an unknown place";
  const std::string name = frame->function.empty() ? std::string(base_name(frame->module)) : frame->function;
  return name.empty() ? "an unknown place" : name;
}

std::string describe_finding(const Finding& finding) {
  return fmt::format("{} at {}: {}", finding_title(finding), finding_place(finding), finding_amount(finding));
}

std::string fingerprint_text(const Finding& finding) { return fmt::format("{:016x}", finding.fingerprint); }

std::string limit_name(const BrokenLimit& limit) {
  std::string name = limit.rule;
  if (limit.rule == "scope")
    name += " " + limit.subject;
  else if (!limit.subject.empty())
    name += fmt::format(" of {}", limit.subject);
  // The rule's name says what it counts, a budget's does not.
  if (limit.rule.find(limit.quantity) == std::string::npos) name += fmt::format(" ({})", limit.quantity);
  return name;
}

std::string describe_limit(const BrokenLimit& limit) {
  if (limit.quantity == "bytes" || limit.quantity == "peak") {
    const auto [found, allowed] = unlike_sizes(limit.found, limit.limit);
    return fmt::format("{}: {}, over the limit of {}", limit_name(limit), found, allowed);
  }
  return fmt::format("{}: {}, over the limit of {}", limit_name(limit), format_count(limit.found),
                     format_count(limit.limit));
}

std::string suppression_place(const SuppressionUse& use) {
  return fmt::format("{} ({})", use.name.empty() ? "without a name" : use.name,
                     use.is_built_in()  ? std::string("built in")
                     : use.file.empty() ? std::string("of the program itself")
                     : use.line == 0    ? use.file
                                        : fmt::format("{}:{}", use.file, use.line));
}

}  // namespace memprof
