#include "cli/filter_options.h"

#include <fmt/format.h>

#include "report/selection_builder.h"

namespace memprof {

namespace {

struct TextOption {
  const char* name;
  std::string FilterTexts::*text;
  const char* type;
  const char* description;
};
constexpr TextOption kTexts[] = {
    {"--from", &FilterTexts::from, "T", "Only from here on: 1.5s, 40%, start, or a mark (NAME, NAME#2)"},
    {"--to", &FilterTexts::to, "T", "Only what is before this time"},
    {"--alive-at", &FilterTexts::alive_at, "T", "Only blocks that were open at this time"},
    {"--size", &FilterTexts::size, "RANGE", "Only blocks of this size: '>=4096', '<1K', 4K..1M, 100"},
    {"--lifetime", &FilterTexts::lifetime, "RANGE", "Only blocks that lived so long: '>=5s', '<1ms', 1s..2min"},
    {"--state", &FilterTexts::state, "STATE", "Only blocks in this state: open, closed, orphaned"},
};

struct ListOption {
  const char* name;
  std::vector<std::string> FilterTexts::*texts;
  const char* description;
};
constexpr ListOption kLists[] = {
    {"--thread", &FilterTexts::threads, "Only blocks that such a thread allocated: a number or a name"},
    {"--tag", &FilterTexts::tags, "Only of an allocating function or a tag of the program's: realloc, 'new*'"},
    {"--function", &FilterTexts::functions, "Only stacks with such a function: open_session, 'ns::*', /re/, '!name'"},
    {"--module", &FilterTexts::modules, "Only stacks through such a file: libfoo.so, '/usr/lib/*'"},
    {"--file", &FilterTexts::files, "Only stacks through such a source file: a.cpp, 'src/*'"},
    {"--hide-frames", &FilterTexts::hide_frames, "Show no frames of such functions: 'std::*', module:libc.so.6"},
};

constexpr const char* kGroup = "Filters (names: word, glob with * and ?, /regex/; ! negates; again: one more)";

}  // namespace

void add_filter_options(CLI::App& app, FilterTexts& filters, bool is_taken) {
  const char* const group = is_taken ? kGroup : "";  // options of no group are in no help
  for (const TextOption& option : kTexts)
    app.add_option(option.name, filters.*option.text, option.description)->type_name(option.type)->group(group);
  app.add_flag("--temporary{yes}", filters.temporary,
               "Only blocks that the very next event of their thread ended (=no: the others)")
      ->group(group);
  for (const ListOption& option : kLists) {
    std::vector<std::string>& texts = filters.*option.texts;
    // Before and after the command: both count.
    app.add_option_function<std::vector<std::string>>(
           option.name,
           [&texts](const std::vector<std::string>& more) { texts.insert(texts.end(), more.begin(), more.end()); },
           option.description)
        ->type_name("PATTERN")
        ->allow_extra_args(false)
        ->group(group);
  }
}

std::string check_filter_options(ReportOptions& options) {
  if (std::string problem = filter_problem(options.filters); !problem.empty()) return problem;
  std::string problem;
  options.hidden_frames = HiddenFrames(options.filters.hide_frames, problem);
  return problem.empty() ? problem : "--hide-frames " + problem;
}

std::string given_filters(const FilterTexts& filters) {
  std::string given;
  const auto add = [&](const char* name) { given += (given.empty() ? "" : ", ") + std::string(name); };
  for (const TextOption& option : kTexts)
    if (!(filters.*option.text).empty()) add(option.name);
  if (!filters.temporary.empty()) add("--temporary");
  for (const ListOption& option : kLists)
    if (!(filters.*option.texts).empty()) add(option.name);
  return given;
}

}  // namespace memprof
