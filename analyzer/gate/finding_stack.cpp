#include "gate/finding_stack.h"

#include "report/frame_text.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kNoFrame = SIZE_MAX;
// A run that is shorter is no longer than the line that tells of it.
constexpr size_t kShortestRun = 3;

Frame as_frame(const FindingFrame& frame) {
  return {frame.function, frame.file, frame.line, frame.module, frame.offset, frame.is_inlined};
}

std::vector<std::string> stack_lines(const std::vector<FindingFrame>& frames, size_t blamed, bool is_truncated,
                                     const FindingStackStyle& style) {
  size_t end = frames.size();
  while (!is_truncated && end > 1 && end - 1 != blamed && is_startup(as_frame(frames[end - 1]))) --end;
  std::vector<std::string> lines;
  const auto add_frame = [&](size_t at) {
    lines.push_back((at == blamed ? "> " : "  ") + frame_line(as_frame(frames[at]), at, style.columns - 2));
  };
  const auto add_gap = [&](size_t count, const char* one, const char* many) {
    lines.push_back("      ... " + count_of(count, one, many));
  };

  size_t at = 0;
  while (at < end && lines.size() < style.max_frames) {
    size_t run = at;
    while (run < end && run != blamed && is_library_plumbing(as_frame(frames[run]))) ++run;
    if (run - at >= kShortestRun) {
      // The outermost of the run stays: it is what the program called.
      add_gap(run - at - 1, "frame of the C++ library", "frames of the C++ library");
      at = run - 1;
    } else {
      add_frame(at++);
    }
  }
  if (blamed >= at && blamed < end) {
    if (blamed != at) add_gap(blamed - at, "frame", "frames");
    add_frame(blamed);
    at = blamed + 1;
  }
  if (at < end)
    add_gap(end - at, "more frame", "more frames");
  else if (is_truncated)
    lines.emplace_back("      (truncated here: the outer frames are unknown)");
  return lines;
}

}  // namespace

std::vector<std::string> allocation_stack_lines(const Finding& finding, const FindingStackStyle& style) {
  if (finding.frames.empty()) return {"      (no stack)"};
  return stack_lines(finding.frames, finding.blamed, finding.is_truncated, style);
}

std::vector<std::string> free_stack_lines(const Finding& finding, const FindingStackStyle& style) {
  return stack_lines(finding.free_frames, kNoFrame, false, style);
}

}  // namespace memprof
