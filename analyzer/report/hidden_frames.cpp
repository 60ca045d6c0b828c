#include "report/hidden_frames.h"

#include "report/stack_filter.h"

namespace memprof {

namespace {

constexpr std::string_view kModulePrefix = "module:";

}  // namespace

HiddenFrames::HiddenFrames(const std::vector<std::string>& texts, std::string& problem) {
  std::vector<std::string> functions, modules;
  for (const std::string& text : texts) {
    const bool is_negated = text.starts_with('!');
    const std::string rest = text.substr(is_negated);
    if (rest.starts_with(kModulePrefix))
      modules.push_back((is_negated ? "!" : "") + rest.substr(kModulePrefix.size()));
    else
      functions.push_back(text);
  }
  functions_ = parse_patterns(functions, problem);
  modules_ = parse_patterns(modules, problem);
}

bool HiddenFrames::hides(const Frame& frame) const {
  if (is_empty()) return false;
  const std::string function = function_text(frame);
  const auto any = [&](const std::vector<NamePattern>& functions, const std::vector<NamePattern>& modules) {
    for (const NamePattern& pattern : functions)
      if (pattern.matches_function(function)) return true;
    for (const NamePattern& pattern : modules)
      if (!frame.module.empty() && pattern.matches_module(frame.module)) return true;
    return false;
  };
  const bool has_wanted = !functions_.wanted.empty() || !modules_.wanted.empty();
  return (!has_wanted || any(functions_.wanted, modules_.wanted)) && !any(functions_.unwanted, modules_.unwanted);
}

ShownFrames shown_frames(FrameSource& source, StackId stack, size_t limit, const HiddenFrames& hidden) {
  ShownFrames shown;
  size_t recorded = 0;
  bool is_seen = false;  // something of the recorded frame
  // Which frames are needed is known when they have names: with patterns all are looked up.
  for (const Frame& frame : source.frames(stack, hidden.is_empty() ? limit : StackNodes::kMaxFrames)) {
    if (recorded == limit) break;
    if (hidden.hides(frame)) {
      ++shown.hidden;
    } else {
      shown.frames.push_back(frame);
      is_seen = true;
    }
    if (frame.inlined) continue;
    recorded += is_seen;
    is_seen = false;
  }
  return shown;
}

}  // namespace memprof
