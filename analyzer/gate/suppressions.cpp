#include "gate/suppressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "symbols/regular_file.h"
#include "trace/read_bytes.h"

namespace memprof {

namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;

bool is_valgrind(SuppressionLines lines) {
  std::string_view first;
  return lines.next(first) && first == "{";
}

}  // namespace

std::string Suppressions::add_file(const std::string& path) {
  const RegularFile file = open_regular_file(path, kMaxFileBytes);
  if (!file.fd) return fmt::format("{}: cannot be read: {}", path, file.error);
  std::string text(static_cast<size_t>(file.status.st_size), '\0');
  int error = 0;
  text.resize(read_bytes(file.fd.get(), 0, std::as_writable_bytes(std::span(text)), error));
  if (error != 0) return fmt::format("{}: cannot be read: {}", path, strerrordesc_np(error));
  return add_text(text, path);
}

std::string Suppressions::add_text(std::string_view text, const std::string& file) {
  const SuppressionLines lines(text, file);
  std::string problem;
  if (is_valgrind(lines)) {
    auto found = parse_valgrind_suppressions(lines, problem);
    if (!problem.empty()) return problem;
    for (ValgrindSuppression& one : found) {
      uses_.push_back({.name = one.name, .file = file, .line = one.line});
      all_.emplace_back(std::move(one));
    }
    return {};
  }
  auto found = parse_lsan_suppressions(lines, problem);
  if (!problem.empty()) return problem;
  for (LsanSuppression& one : found) {
    uses_.push_back({.name = one.pattern.text(), .file = file, .line = one.line});
    all_.emplace_back(std::move(one));
  }
  return {};
}

bool Suppressions::is_embedded(const std::string& pattern) const {
  return std::any_of(uses_.begin(), uses_.end(),
                     [&](const SuppressionUse& use) { return use.file.empty() && use.name == pattern; });
}

std::string Suppressions::add_embedded(std::string_view text, const std::string& program) {
  std::string problem;
  for (LsanSuppression& one : parse_lsan_suppressions(SuppressionLines(text, program), problem)) {
    if (!problem.empty()) break;
    if (is_embedded(one.pattern.text())) continue;
    uses_.push_back({.name = one.pattern.text(), .line = one.line});
    all_.emplace_back(std::move(one));
  }
  return problem;
}

std::optional<size_t> Suppressions::match(const Finding& finding) const {
  if (finding.status == FindingStatus::fixed || all_.empty()) return std::nullopt;
  SuppressibleStack stack = is_leak(finding.kind) ? allocation_stack(finding) : free_stack(finding);
  const auto by_valgrind = [&](const One& one) {
    const auto* const valgrind = std::get_if<ValgrindSuppression>(&one);
    return valgrind != nullptr && valgrind->matches(finding.kind, stack);
  };
  const auto by_any = [&](const One& one) {
    const auto* const lsan = std::get_if<LsanSuppression>(&one);
    return lsan != nullptr ? is_leak(finding.kind) && lsan->matches(stack) : by_valgrind(one);
  };
  auto found = std::find_if(all_.begin(), all_.end(), by_any);
  if (found == all_.end() && !stack.jumped_to.empty()) {
    std::vector<std::string>& names = stack.frames[stack.jumped_to.size()].other_functions;
    names.insert(names.end(), stack.jumped_to.begin(), stack.jumped_to.end());
    found = std::find_if(all_.begin(), all_.end(), by_valgrind);
  }
  if (found == all_.end()) return std::nullopt;
  return static_cast<size_t>(found - all_.begin());
}

void Suppressions::apply(std::vector<Finding>& findings) {
  for (Finding& finding : findings) {
    finding.suppression = match(finding);
    if (!finding.suppression) continue;
    SuppressionUse& use = uses_[*finding.suppression];
    ++use.findings;
    use.blocks += finding.blocks;
    use.bytes += finding.bytes;
  }
}

}  // namespace memprof
