#include "gate/blame.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace memprof {

bool is_runtime_frame(const FindingFrame& frame) {
  static constexpr std::array<std::string_view, 7> kModules = {"libc.so",    "libc-2.",   "ld-linux",    "libstdc++.so",
                                                               "libpthread", "libc++.so", "libc++abi.so"};
  static constexpr std::array<std::string_view, 5> kFunctions = {"std::", "__gnu_cxx::", "operator new", "__libc_",
                                                                 "_start"};
  const std::string_view module = std::string_view(frame.module).substr(frame.module.rfind('/') + 1);
  // "void std::vector<…>::…": the type of what is returned comes first in names of templates.
  const std::string_view function = frame.function;
  const size_t parameters = std::min(function.find('('), function.find('<'));
  const size_t space = function.substr(0, parameters).rfind(' ');
  const std::string_view name =
      space == std::string_view::npos || function.starts_with("operator") ? function : function.substr(space + 1);
  const auto begins = [](std::string_view text) {
    return [text](std::string_view prefix) { return text.starts_with(prefix); };
  };
  return std::any_of(kModules.begin(), kModules.end(), begins(module)) ||
         std::any_of(kFunctions.begin(), kFunctions.end(), begins(name));
}

Blame Blame::parse(const std::vector<std::string>& only_from, const std::vector<std::string>& ignored,
                   std::string& problem) {
  Blame blame;
  for (const std::string& text : only_from) {
    Origin origin{text.ends_with('/') ? text : text + "/", NamePattern::parse(text, problem)};
    if (problem.empty() && origin.pattern.is_negated()) problem = "it has a !: name what is ours";
    if (!problem.empty()) {
      problem = "--only-from " + text + ": " + problem;
      return blame;
    }
    blame.only_from_.push_back(std::move(origin));
  }
  blame.ignored_ = parse_patterns(ignored, problem);
  if (!problem.empty()) problem = "--ignore-module: " + problem;
  return blame;
}

bool Blame::is_from_here(const FindingFrame& frame) const {
  return std::any_of(only_from_.begin(), only_from_.end(), [&](const Origin& origin) {
    const std::string& directory = origin.directory;
    // A relative one anywhere in the path: what the compiler recorded is absolute, most of the time.
    const bool is_in_directory =
        frame.file.starts_with(directory) ||
        (!directory.starts_with("/") && ("/" + frame.file).find("/" + directory) != std::string::npos);
    return is_in_directory || (!frame.file.empty() && origin.pattern.matches_path(frame.file)) ||
           (!frame.module.empty() && origin.pattern.matches_module(frame.module));
  });
}

void Blame::assign(Finding& finding) const {
  const auto& frames = finding.frames;
  const auto program = std::find_if_not(frames.begin(), frames.end(), is_runtime_frame);
  auto blamed = program;
  if (!only_from_.empty()) {
    const auto ours =
        std::find_if(frames.begin(), frames.end(), [&](const auto& frame) { return is_from_here(frame); });
    finding.is_elsewhere = ours == frames.end();
    if (ours != frames.end()) blamed = ours;
  }
  if (!ignored_.is_empty() && program != frames.end() &&
      ignored_.choose([&](const NamePattern& pattern) { return pattern.matches_module(program->module); }))
    finding.is_elsewhere = true;
  finding.blamed = static_cast<size_t>(blamed - frames.begin());
}

}  // namespace memprof
