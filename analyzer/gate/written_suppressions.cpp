#include "gate/written_suppressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "gate/suppressible_stack.h"

namespace memprof {

namespace {

constexpr size_t kMostLocations = 24;

// A name is bytes that nobody vouches for: what would end the line, or be lost at its end, becomes a wildcard.
std::string location(std::string_view kind, std::string_view name) {
  std::string line = fmt::format("   {}{}", kind, name);
  for (size_t at = line.size() - name.size(); at < line.size(); ++at) {
    const bool is_last = at + 1 == line.size();
    if (static_cast<unsigned char>(line[at]) < 0x20 || line[at] == 0x7f || (is_last && line[at] == ' ')) line[at] = '?';
  }
  return line + "\n";
}

std::string location(const FindingFrame& frame) {
  if (frame.is_inlined && !frame.function.empty()) {
    // Compilers write template arguments their own ways.
    const std::string name = source_name(frame.function);
    const bool has_arguments = name.size() != source_name_with_arguments(frame.function).size();
    return location("fun:", has_arguments ? name + "<*" : name);
  }
  if (!frame.linkage_name.empty()) return location("fun:", frame.linkage_name);
  if (!frame.function.empty()) return location("fun:", frame.function);
  return location("obj:", frame.module.empty() ? "*" : frame.module);
}

// Up to main, or without what starts a thread: as far as valgrind tells too, and the rest depends on the C library.
size_t frames_to_write(const std::vector<FindingFrame>& frames) {
  constexpr std::string_view kThreadStarts[] = {"start_thread", "clone", "__clone", "clone3", "__clone3", "_start"};
  const auto is_main = [](const FindingFrame& frame) { return frame.function == "main"; };
  if (const auto main = std::find_if(frames.rbegin(), frames.rend(), is_main); main != frames.rend())
    return static_cast<size_t>(frames.rend() - main);
  size_t count = frames.size();
  while (count > 1 && std::find(std::begin(kThreadStarts), std::end(kThreadStarts), frames[count - 1].function) !=
                          std::end(kThreadStarts))
    --count;
  return count;
}

// Without, the suppression would hide all that is allocated by the same function.
bool says_where(const Finding& finding) {
  return std::any_of(finding.frames.begin(), finding.frames.end(),
                     [](const FindingFrame& frame) { return !frame.function.empty() || !frame.module.empty(); });
}

std::string written(const Finding& finding) {
  const char* const kind = finding_kind_name(finding.kind);
  std::string text = fmt::format("   Memcheck:Leak\n   match-leak-kinds: {}\n", kind);
  const AllocatorPattern allocator = allocator_pattern(finding.allocator);
  size_t locations = 1;
  if (allocator.may_call_another) {
    text += "   ...\n";
    ++locations;
  }
  text += location("fun:", allocator.function);
  for (size_t i = 0; i < frames_to_write(finding.frames); ++i) {
    if (locations++ == kMostLocations) {
      text += "   ...\n";
      break;
    }
    text += location(finding.frames[i]);
  }
  return text;
}

}  // namespace

std::string written_suppressions(std::span<const Finding> findings) {
  std::string text;
  std::set<std::string> seen;
  for (const Finding& finding : findings) {
    if (!is_leak(finding.kind) || !finding.counts() || !says_where(finding)) continue;
    const std::string body = written(finding);
    if (!seen.insert(body).second) continue;
    text +=
        fmt::format("{{\n   memprof-{:016x}-{}\n{}}}\n", finding.fingerprint, finding_kind_name(finding.kind), body);
  }
  return text;
}

}  // namespace memprof
