#include "gate/valgrind_suppressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace memprof {

namespace {

using Location = ValgrindSuppression::Location;
using Kinds = std::array<bool, kFindingKinds>;

constexpr std::string_view kMatchLeakKinds = "match-leak-kinds:";

// The faults that memcheck suppresses, up to version 3.24.
constexpr std::string_view kMemcheckFaults[] = {
    "Leak",    "Free",       "Param",    "User",    "CoreMem",      "Overlap",       "Mempool",
    "Jump",    "Cond",       "Value0",   "Value1",  "Value2",       "Value4",        "Value8",
    "Value16", "Value32",    "Addr1",    "Addr2",   "Addr4",        "Addr8",         "Addr16",
    "Addr32",  "FishyValue", "BadAlign", "BadSize", "SizeMismatch", "AlignMismatch", "ReallocZero"};

// Calls `visit` with each part of a list, until it returns false.
template <class Visit>
bool visit_parts(std::string_view list, Visit visit) {
  for (;;) {
    const size_t comma = std::min(list.find(','), list.size());
    if (!visit(list.substr(0, comma))) return false;
    if (comma == list.size()) return true;
    list.remove_prefix(comma + 1);
  }
}

bool names_memcheck(std::string_view tools) {
  return !visit_parts(tools, [](std::string_view tool) { return tool != "Memcheck"; });
}

bool parse_leak_kinds(std::string_view text, Kinds& kinds) {
  const auto set_all = [&](bool value) {
    for (size_t i = 0; i < kFindingKinds; ++i) kinds[i] = value && is_leak(static_cast<FindingKind>(i));
    return true;
  };
  if (text == "all") return set_all(true);
  set_all(false);
  if (text == "none") return true;
  return visit_parts(text, [&](std::string_view name) {
    const auto kind = parse_finding_kind(name);
    if (!kind || !is_leak(*kind)) return false;
    return kinds[static_cast<size_t>(*kind)] = true;
  });
}

std::optional<Location> parse_location(std::string_view line) {
  using Kind = Location::Kind;
  if (line == "...") return Location{Kind::any_frames, SuppressionPattern::glob({})};
  const std::string_view text = line.substr(std::min<size_t>(line.size(), 4));
  if (line.starts_with("fun:")) return Location{Kind::function, SuppressionPattern::glob(text)};
  if (line.starts_with("obj:")) return Location{Kind::object, SuppressionPattern::glob(text)};
  if (!line.starts_with("src:")) return std::nullopt;
  const size_t colon = std::min(text.find(':'), text.size());
  Location location{Kind::source, SuppressionPattern::glob(text.substr(0, colon))};
  if (colon == text.size()) return location;
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (number != 0) location.line = number;
  return location;
}

class Parser {
 public:
  Parser(SuppressionLines lines, std::string& problem) : lines_(lines), problem_(problem) {}

  // False at the end of the file, and where it is wrong. Empty: the suppression is not for memprof.
  bool parse(std::optional<ValgrindSuppression>& out) {
    out.reset();
    if (!lines_.next(line_)) return false;
    if (line_ != "{") return fail("{");
    ValgrindSuppression suppression;
    if (!next("the suppression's name")) return false;
    if (line_ == "}") return fail("the suppression's name");
    suppression.name = line_;
    suppression.line = lines_.line_number();
    if (!next(kFaultLine)) return false;
    const size_t colon = line_.find(':');
    if (colon == std::string_view::npos) return fail(kFaultLine);
    if (!names_memcheck(line_.substr(0, colon))) return skip();
    const std::string_view fault = line_.substr(colon + 1);
    if (std::find(std::begin(kMemcheckFaults), std::end(kMemcheckFaults), fault) == std::end(kMemcheckFaults))
      return fail("a fault that memcheck knows, such as Memcheck:Leak");
    if (fault != "Leak" && fault != "Free") return skip();
    if (!next(kLocationLine)) return false;
    if (fault == "Free") {
      suppression.kinds[static_cast<size_t>(FindingKind::mismatched_free)] = true;
      suppression.kinds[static_cast<size_t>(FindingKind::double_free)] = true;
    } else if (!parse_kinds(suppression.kinds)) {
      return false;
    }
    if (!parse_locations(suppression.locations)) return false;
    out = std::move(suppression);
    return true;
  }

 private:
  static constexpr std::string_view kFaultLine = "TOOL[,TOOL...]:FAULT, such as Memcheck:Leak";
  static constexpr std::string_view kLocationLine = "fun:..., obj:..., src:... or ...";

  bool fail(std::string_view expected) {
    problem_ = lines_.problem(expected, line_);
    return false;
  }

  bool next(std::string_view expected) {
    if (lines_.next(line_)) return true;
    line_ = {};
    return fail(expected);
  }

  bool skip() {
    while (next("}"))
      if (line_ == "}") return true;
    return false;
  }

  bool parse_kinds(Kinds& kinds) {
    parse_leak_kinds("all", kinds);
    if (!line_.starts_with(kMatchLeakKinds)) return true;
    std::string_view text = line_.substr(kMatchLeakKinds.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (!parse_leak_kinds(text, kinds))
      return fail(
          fmt::format("{} definite, indirect, possible, reachable (with commas), all or none", kMatchLeakKinds));
    return next(kLocationLine);
  }

  bool parse_locations(std::vector<Location>& locations) {
    for (; line_ != "}";) {
      std::optional<Location> location = parse_location(line_);
      if (!location) return fail(kLocationLine);
      locations.push_back(std::move(*location));
      if (!next("}")) return false;
    }
    // Such a one would hide everything.
    const bool says_something = std::any_of(locations.begin(), locations.end(), [](const Location& location) {
      return location.kind != Location::Kind::any_frames;
    });
    return says_something || fail("a line with fun:, obj: or src:");
  }

  SuppressionLines lines_;
  std::string& problem_;
  std::string_view line_;
};

// Nobody knows which library a suppression that somebody wrote for valgrind means with the allocating function's.
bool is_allocator_object(const SuppressionPattern& pattern) {
  constexpr std::string_view kNames[] = {"vgpreload", "libc.so", "libc-", "libstdc++", "libmemprof"};
  constexpr std::string_view kObjects[] = {"/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so",
                                           "/usr/lib/x86_64-linux-gnu/libc.so.6",
                                           "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "libmemprof.so"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view name) { return pattern.text().find(name) != std::string::npos; }) ||
         std::any_of(std::begin(kObjects), std::end(kObjects),
                     [&](std::string_view object) { return pattern.matches(object); });
}

std::string_view base_name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool matches_frame(const Location& location, const SuppressibleFrame& frame) {
  const SuppressionPattern& pattern = location.pattern;
  switch (location.kind) {
    case Location::Kind::any_frames: return true;
    case Location::Kind::function: {
      const auto is_named = [&](std::string_view name) { return pattern.matches(name); };
      return std::any_of(frame.functions.begin(), frame.functions.end(), is_named) ||
             std::any_of(frame.other_functions.begin(), frame.other_functions.end(), is_named);
    }
    case Location::Kind::object:
      if (frame.is_allocator) return is_allocator_object(pattern);
      return pattern.matches(frame.module.empty() ? kUnknownName : frame.module);
    case Location::Kind::source:
      if (frame.file.empty() || (location.line && *location.line != frame.line)) return false;
      return pattern.matches(frame.file) || pattern.matches(base_name_of(frame.file));
  }
  return false;
}

// As one matches a glob whose `*` is `...` and whose end is open: after `...` the first place where what comes up to
// the next `...` fits is as good as any.
bool matches_from(const std::vector<Location>& locations, const std::vector<SuppressibleFrame>& frames, size_t begin) {
  size_t frame = begin, location = 0;
  std::optional<size_t> after_any;  // of the last `...`: the location behind it
  size_t tried = 0;                 // the frame where that was tried
  while (location < locations.size()) {
    if (locations[location].kind == Location::Kind::any_frames) {
      after_any = ++location;
      tried = frame;
    } else if (frame < frames.size() && matches_frame(locations[location], frames[frame])) {
      ++frame;
      ++location;
    } else if (after_any && tried < frames.size()) {
      location = *after_any;
      frame = ++tried;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

bool ValgrindSuppression::matches(FindingKind kind, const SuppressibleStack& stack) const {
  if (!kinds[static_cast<size_t>(kind)]) return false;
  for (size_t begin = 0; begin <= stack.last_begin && begin < stack.frames.size(); ++begin)
    if (matches_from(locations, stack.frames, begin)) return true;
  return false;
}

std::vector<ValgrindSuppression> parse_valgrind_suppressions(SuppressionLines lines, std::string& problem) {
  std::vector<ValgrindSuppression> all;
  Parser parser(lines, problem);
  for (std::optional<ValgrindSuppression> one; parser.parse(one);)
    if (one) all.push_back(std::move(*one));
  return all;
}

}  // namespace memprof
