#include "report/selection_text.h"

#include <nlohmann/json.hpp>

#include "report/escape.h"
#include "report/number_range.h"
#include "report/numbers.h"

namespace memprof {

namespace {

struct NamedList {
  const char* option;  // without its dashes; the key of JSON
  const std::vector<std::string>& texts;
  FilterCounts::Count FilterCounts::*count;  // null: of stacks, together with others
  const char* counted;
};

std::vector<NamedList> lists_of(const FilterTexts& filters) {
  return {{"thread", filters.threads, &FilterCounts::threads, "threads"},
          {"tag", filters.tags, &FilterCounts::tags, "tags"},
          {"function", filters.functions, nullptr, ""},
          {"module", filters.modules, nullptr, ""},
          {"file", filters.files, nullptr, ""}};
}

// "open_* or close_*, not std::*"
std::string list_text(const std::vector<std::string>& texts) {
  std::string wanted, unwanted;
  for (const std::string& text : texts) {
    const bool is_negated = text.starts_with('!');
    std::string& list = is_negated ? unwanted : wanted;
    list += (list.empty() ? "" : " or ") + escape_text(text.substr(is_negated));
  }
  if (unwanted.empty()) return wanted;
  return wanted + (wanted.empty() ? "not " : ", not ") + unwanted;
}

void add_part(std::string& text, const std::string& part) {
  if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
}

}  // namespace

std::string describe_window(const Trace& trace, const ReportOptions& options) {
  if (!options.filters.has_window()) return {};
  const Selection& selection = trace.selection;
  return fmt::format("window {} to {}", selection.from_ns == 0 ? "the start" : format_duration(selection.from_ns),
                     selection.to_ns == Selection::kNoLimit ? "the end" : format_duration(selection.to_ns));
}

std::string describe_filters(const ReportOptions& options) {
  const FilterTexts& filters = options.filters;
  std::string text;
  if (!filters.state.empty()) add_part(text, "state " + escape_text(filters.state));
  if (!filters.alive_at.empty()) add_part(text, "alive at " + escape_text(filters.alive_at));
  if (!filters.temporary.empty()) add_part(text, filters.temporary == "yes" ? "temporary" : "not temporary");
  if (!filters.size.empty()) add_part(text, "size " + escape_text(spaced_range(filters.size)));
  if (!filters.lifetime.empty()) add_part(text, "lifetime " + escape_text(spaced_range(filters.lifetime)));
  for (const NamedList& list : lists_of(filters))
    if (!list.texts.empty()) add_part(text, fmt::format("{} {}", list.option, list_text(list.texts)));
  if (!filters.hide_frames.empty()) add_part(text, "frames hidden: " + list_text(filters.hide_frames));
  return text;
}

namespace {

std::string selection_line(const Trace& trace, const ReportOptions& options) {
  std::string text = describe_window(trace, options);
  add_part(text, describe_filters(options));
  return options.filters.choose() ? "only: " + text : text;
}

// What was asked about and how much of it was chosen. Conditions that no block came to say nothing.
std::vector<std::string> count_lines(const ReportOptions& options) {
  std::vector<std::string> lines;
  if (!options.filter_counts) return lines;
  const auto add = [&](const std::string& filter, const FilterCounts::Count& count, const char* what) {
    if (count.asked() != 0)
      lines.push_back(
          fmt::format("{} chose {} of {} {}", filter, format_count(count.chosen()), format_count(count.asked()), what));
  };
  std::string frames;
  for (const NamedList& list : lists_of(options.filters)) {
    if (list.texts.empty()) continue;
    const std::string filter = fmt::format("--{} {}", list.option, list_text(list.texts));
    if (list.count)
      add(filter, (*options.filter_counts).*list.count, list.counted);
    else
      frames += (frames.empty() ? "" : " ") + filter;
  }
  if (!frames.empty()) add(frames, options.filter_counts->stacks, "stacks");
  return lines;
}

}  // namespace

void print_selection(Output& out, const Trace& trace, const ReportOptions& options) {
  if (const std::string line = selection_line(trace, options); !line.empty()) out.print("{}\n", line);
}

std::string describe_emptiness(const Trace& trace, const ReportOptions& options) {
  std::string text;
  if (options.filters.choose()) {
    text += "; " + selection_line(trace, options);
    for (const std::string& line : count_lines(options)) text += "; " + line;
  }
  if (const std::string stripped = describe_stripped(trace); !stripped.empty()) text += "; " + stripped;
  return text;
}

std::string describe_stripped(const Trace& trace) {
  const format::Stripped& stripped = trace.metadata.stripped;
  if (stripped.allocations == 0 && stripped.frees == 0) return {};
  return fmt::format("{} of {} and {} were stripped", count_of(stripped.allocations, "allocation", "allocations"),
                     format_bytes(stripped.bytes), count_of(stripped.frees, "free", "frees"));
}

void print_why_empty(Output& out, const Trace& trace, const ReportOptions& options) {
  if (options.filters.choose()) {
    print_selection(out, trace, options);
    for (const std::string& line : count_lines(options)) out.print("  {}\n", line);
  }
  if (const std::string stripped = describe_stripped(trace); !stripped.empty()) out.print("{}\n", stripped);
}

Json window_json(const Analysis& analysis, const Account* account) {
  return {{"from_ns", analysis.from_ns()},
          {"to_ns", analysis.end_ns()},
          {"open_at_start",
           {{"chunks", account ? account->carried_chunks() : 0}, {"bytes", account ? account->carried_bytes() : 0}}}};
}

Json filters_json(const ReportOptions& options) {
  const FilterTexts& filters = options.filters;
  Json json = Json::object();
  const auto put = [&](const char* key, const std::string& text) {
    if (!text.empty()) json[key] = to_utf8(text);
  };
  put("from", filters.from);
  put("to", filters.to);
  put("alive_at", filters.alive_at);
  put("state", filters.state);
  put("temporary", filters.temporary);
  put("size", filters.size);
  put("lifetime", filters.lifetime);
  const auto put_list = [&](const char* key, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) json[key].push_back(to_utf8(text));
  };
  for (const NamedList& list : lists_of(filters)) put_list(list.option, list.texts);
  put_list("hide_frames", filters.hide_frames);
  return json;
}

void put_selection(Json& document, const Analysis& analysis, const ReportOptions& options, const Account* account) {
  // An extracted trace has a window of its own, which nobody typed.
  if (options.filters.has_window() || analysis.trace.selection.has_window())
    document["window"] = window_json(analysis, account);
  if (Json filters = filters_json(options); !filters.empty()) document["filters"] = std::move(filters);
}

bool ends_early(const Trace& trace) { return trace.selection.to_ns != Selection::kNoLimit; }

std::string at_end(const Trace& trace) {
  return ends_early(trace) ? "at " + format_duration(trace.selection.to_ns) : "at the end";
}

std::string describe_rank(RankBy by, const Trace& trace) {
  return by == RankBy::open ? "bytes open " + at_end(trace) : rank_info(by).description;
}

}  // namespace memprof
