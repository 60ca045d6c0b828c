#include "report/selection_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "report/moment.h"
#include "report/name_pattern.h"
#include "report/nearest_word.h"
#include "report/number_range.h"
#include "report/numbers.h"
#include "report/stack_filter.h"

namespace memprof {

namespace {

const std::vector<std::string> kStates = {"open", "closed", "orphaned"};  // in the order of BlockState

constexpr size_t kMostNamesShown = 12;

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == kMostNamesShown) return text + fmt::format(", and {} more", names.size() - i);
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text;
}

class Builder {
 public:
  Builder(const Trace& trace, const FilterTexts& texts, const SymbolOptions& symbols, ProgressSink* progress)
      : trace_(trace), texts_(texts), symbols_(symbols), progress_(progress) {}

  BuiltSelection build() {
    built_.counts = counts_;
    if (texts_.has_window() || !texts_.alive_at.empty()) built_.problem = set_times();
    if (built_.problem.empty() && !texts_.files.empty() && !symbols_.wanted)
      built_.problem = "--file needs the symbols: leave out --no-symbols";
    if (!built_.problem.empty()) return std::move(built_);
    set_numbers();
    if (!texts_.threads.empty()) set_threads();
    if (!texts_.tags.empty()) set_tags();
    if (texts_.has_frames()) set_stacks();
    return std::move(built_);
  }

 private:
  Selection& selection() { return built_.selection; }

  std::string set_times() {
    const uint64_t end = end_of_trace_ns(trace_, progress_);
    const auto moment = [&](const char* option, const std::string& text, uint64_t& ns) -> std::string {
      if (text.empty()) return {};
      const Moment found = find_moment(text, trace_, end);
      ns = found.ns;
      return found.problem.empty() ? found.problem : fmt::format("{}: {}", option, found.problem);
    };
    uint64_t from = 0, to = Selection::kNoLimit, alive_at = 0;
    for (std::string problem : {moment("--from", texts_.from, from), moment("--to", texts_.to, to),
                                moment("--alive-at", texts_.alive_at, alive_at)})
      if (!problem.empty()) return problem;
    if (from != 0 && from >= end)
      return fmt::format("--from {}: {} is not before the end; {}", texts_.from, format_duration(from),
                         describe_extent(trace_, end));
    if (to <= from)
      return fmt::format("--to {}: {} is not after the start of the window, {}; {}", texts_.to, format_duration(to),
                         format_duration(from), describe_extent(trace_, end));
    const uint64_t window_end = std::min(to, end);
    if (!texts_.alive_at.empty() && alive_at > window_end)
      return fmt::format("--alive-at {}: {} is behind the end of the {}, {}; {}", texts_.alive_at,
                         format_duration(alive_at), window_end < end ? "window" : "trace", format_duration(window_end),
                         describe_extent(trace_, end));
    selection().from_ns = from;
    // To the end of the trace means with its last event.
    if (to < end) selection().to_ns = to;
    if (!texts_.alive_at.empty()) selection().alive_at_ns = alive_at;
    return {};
  }

  void set_numbers() {
    if (!texts_.size.empty()) {
      const NumberRange range = parse_size_range(texts_.size);
      selection().least_size = range.least;
      selection().most_size = range.most;
    }
    if (!texts_.lifetime.empty()) {
      const NumberRange range = parse_time_range(texts_.lifetime);
      selection().least_lifetime_ns = range.least;
      selection().most_lifetime_ns = range.most;
    }
    if (!texts_.temporary.empty()) selection().temporary = texts_.temporary == "yes";
    const auto state = std::find(kStates.begin(), kStates.end(), texts_.state);
    if (state != kStates.end()) selection().state = static_cast<BlockState>(state - kStates.begin());
  }

  void add_unknown(const char* option, const std::string& text, const std::string& why) {
    built_.unknown.push_back({fmt::format("{} {}", option, text), fmt::format("{} {}: {}", option, text, why)});
  }

  static bool matches_thread(const NamePattern& pattern, uint32_t serial, const std::string& name) {
    uint32_t number = 0;
    const std::string& word = pattern.word();
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error == std::errc() && rest == word.data() + word.size()) return number == serial;
    return !name.empty() && pattern.matches(name);
  }

  void set_threads() {
    std::string problem;
    const NamePatterns patterns = parse_patterns(texts_.threads, problem);
    std::map<uint32_t, std::string> names;  // by serial: those with blocks and those with names
    for (const StreamPages pages : trace_.file.streams(format::StreamKind::events))
      if (!pages.empty()) names[pages.front().thread_serial];
    for (const Metadata::ThreadName& name : trace_.metadata.thread_names) names[name.thread_serial] = name.name;
    check_words(
        "--thread", patterns,
        [&](const NamePattern& pattern) {
          return std::any_of(names.begin(), names.end(),
                             [&](const auto& thread) { return matches_thread(pattern, thread.first, thread.second); });
        },
        [&] {
          std::vector<std::string> known, words;
          for (const auto& [serial, name] : names) {
            known.push_back(name.empty() ? std::to_string(serial) : fmt::format("{} {}", serial, name));
            if (!name.empty()) words.push_back(name);
          }
          return std::pair(words, "the trace has the threads " + some_of(known));
        });
    selection().thread = [patterns, names = std::move(names), counts = counts_](const Thread& thread) {
      const auto found = names.find(thread.serial);
      const std::string name = found == names.end() ? std::string() : found->second;
      const bool is_chosen =
          patterns.choose([&](const NamePattern& pattern) { return matches_thread(pattern, thread.serial, name); });
      counts->threads.note(thread.serial, is_chosen);
      return is_chosen;
    };
  }

  static bool matches_tag(const NamePattern& pattern, const Domains& domains, uint16_t tag) {
    const std::string user = domains.user_tag(tag);
    return pattern.matches(domains.function_name(tag)) ||
           (!user.empty() && (pattern.matches(user) || pattern.matches(domains.tag_name(tag))));
  }

  void set_tags() {
    std::string problem;
    const NamePatterns patterns = parse_patterns(texts_.tags, problem);
    const Domains& domains = trace_.domains;
    check_words(
        "--tag", patterns,
        [&](const NamePattern& pattern) {
          for (size_t tag = 0; tag <= UINT16_MAX; ++tag) {
            const auto number = static_cast<uint16_t>(tag);
            if (domains.tag(number).is_known && matches_tag(pattern, domains, number)) return true;
          }
          return false;
        },
        [&] {
          std::set<std::string> words;
          for (size_t tag = 0; tag <= UINT16_MAX; ++tag) {
            const auto number = static_cast<uint16_t>(tag);
            if (!domains.tag(number).is_known) continue;
            words.insert(domains.function_name(number));
            if (const std::string user = domains.user_tag(number); !user.empty()) words.insert(user);
          }
          return std::pair(std::vector<std::string>(words.begin(), words.end()),
                           std::string("it is neither an allocating function nor a tag of the program"));
        });
    selection().tag = [patterns, &domains, counts = counts_](uint16_t tag) {
      const bool is_chosen =
          patterns.choose([&](const NamePattern& pattern) { return matches_tag(pattern, domains, tag); });
      if (domains.tag(tag).is_known) counts->tags.note(tag, is_chosen);
      return is_chosen;
    };
  }

  // `known`: whether something has the word. `describe`: the words that there are, and a sentence about them.
  template <class IsKnown, class Describe>
  void check_words(const char* option, const NamePatterns& patterns, IsKnown is_known, Describe describe) {
    for (const auto* list : {&patterns.wanted, &patterns.unwanted})
      for (const NamePattern& pattern : *list) {
        if (!pattern.is_word() || is_known(pattern)) continue;
        const auto [words, sentence] = describe();
        const std::string near = did_you_mean(pattern.word(), words);
        add_unknown(option, pattern.text(), near.empty() ? sentence : "there is none" + near);
      }
  }

  void set_stacks() {
    std::string problem;
    FramePatterns patterns{parse_patterns(texts_.functions, problem), parse_patterns(texts_.modules, problem),
                           parse_patterns(texts_.files, problem)};
    const auto filter = std::make_shared<StackFilter>(trace_, std::move(patterns), symbols_);
    for (const StackFilter::Unknown& unknown : filter->unknown_words()) {
      const std::string near = did_you_mean(unknown.word, unknown.candidates);
      add_unknown(unknown.option, unknown.text,
                  symbols_.wanted || unknown.option != std::string_view("--function")
                      ? "no stack of the trace has it" + near
                      : "without symbols no frame has a name: leave out --no-symbols");
    }
    selection().stack = [filter, counts = counts_](StackId stack) {
      const bool is_chosen = filter->matches(stack);
      counts->stacks.note(stack, is_chosen);
      return is_chosen;
    };
  }

  const Trace& trace_;
  const FilterTexts& texts_;
  const SymbolOptions symbols_;
  ProgressSink* const progress_;
  BuiltSelection built_;
  const std::shared_ptr<FilterCounts> counts_ = std::make_shared<FilterCounts>();
};

}  // namespace

std::string filter_problem(const FilterTexts& texts) {
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"--thread", &texts.threads}, {"--tag", &texts.tags},   {"--function", &texts.functions},
      {"--module", &texts.modules}, {"--file", &texts.files},
  };
  for (const auto& [option, list] : lists) {
    std::string problem;
    parse_patterns(*list, problem);
    if (!problem.empty()) return fmt::format("{} {}", option, problem);
  }
  if (!texts.size.empty())
    if (const NumberRange range = parse_size_range(texts.size); !range.problem.empty())
      return "--size: " + range.problem;
  if (!texts.lifetime.empty())
    if (const NumberRange range = parse_time_range(texts.lifetime); !range.problem.empty())
      return "--lifetime: " + range.problem;
  if (!texts.state.empty() && std::find(kStates.begin(), kStates.end(), texts.state) == kStates.end())
    return fmt::format("--state {} is unknown{}, one of: {}", texts.state, did_you_mean(texts.state, kStates),
                       fmt::join(kStates, ", "));
  if (!texts.temporary.empty() && texts.temporary != "yes" && texts.temporary != "no")
    return fmt::format("--temporary={} is neither yes nor no", texts.temporary);
  return {};
}

BuiltSelection build_selection(const Trace& trace, const FilterTexts& texts, const SymbolOptions& symbols,
                               ProgressSink* progress) {
  return Builder(trace, texts, symbols, progress).build();
}

}  // namespace memprof
