#include "report/frame_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

#include "report/escape.h"
#include "report/numbers.h"

namespace memprof {

namespace {

constexpr std::string_view kEllipsis = "...";

// Everything between the outermost pair of brackets becomes "...". "operator<" and "operator>" are no brackets.
std::string collapse(std::string_view name, char open, char close) {
  std::string result;
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool in_operator =
        depth == 0 && result.size() >= 8 && std::string_view(result).substr(result.size() - 8) == "operator";
    const bool is_arrow = c == '>' && i > 0 && name[i - 1] == '-';
    if (c == open && !in_operator) {
      if (depth++ == 0) (result += open) += kEllipsis;
    } else if (c == close && depth > 0 && !is_arrow) {
      if (--depth == 0) result += close;
    } else if (depth == 0) {
      result += c;
    }
  }
  return depth == 0 ? result : std::string(name);
}

bool starts_with_any(std::string_view name, std::span<const std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// Rust's own crates by their modules: alloc and core are words that other programs use too. <Vec<T> as Trait>::function
// begins with a bracket.
bool is_rust_library(std::string_view name) {
  static constexpr std::array<std::string_view, 29> kModules = {"alloc::alloc::",
                                                                "alloc::borrow::",
                                                                "alloc::boxed::",
                                                                "alloc::collections::",
                                                                "alloc::ffi::",
                                                                "alloc::fmt::",
                                                                "alloc::raw_vec::",
                                                                "alloc::rc::",
                                                                "alloc::slice::",
                                                                "alloc::str::",
                                                                "alloc::string::",
                                                                "alloc::sync::",
                                                                "alloc::vec::",
                                                                "core::alloc::",
                                                                "core::array::",
                                                                "core::clone::",
                                                                "core::convert::",
                                                                "core::fmt::",
                                                                "core::iter::",
                                                                "core::mem::",
                                                                "core::ops::",
                                                                "core::option::",
                                                                "core::ptr::",
                                                                "core::result::",
                                                                "core::slice::",
                                                                "core::str::",
                                                                "core::hint::",
                                                                "hashbrown::",
                                                                "std::"};
  // The program's own allocator, and what leads to it.
  if (name.find("GlobalAlloc>::") != std::string_view::npos || name.starts_with("__rust")) return true;
  while (name.starts_with('<')) name.remove_prefix(1);
  return starts_with_any(name, kModules);
}

const char* describe_root(StackRoot root) {
  switch (root) {
    case StackRoot::depth_limit: return "cut here: deeper than MEMPROF_MAX_DEPTH, outer frames unknown";
    case StackRoot::gave_up: return "truncated here: the unwinder could not go on";
    case StackRoot::lost: return "truncated here: the rest is in a damaged part of the trace";
    case StackRoot::none: return "no stack was recorded";
    case StackRoot::whole: break;
  }
  return nullptr;
}

}  // namespace

size_t text_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

namespace {

// What the compiler did not inline of memprof/memprof.h and memprof/tracked.h.
bool is_client_api(const Frame& frame) {
  if (!frame.file.empty())
    return frame.file.ends_with("/memprof/memprof.h") || frame.file.ends_with("/memprof/tracked.h");
  static constexpr std::array<std::string_view, 3> kPrefixes = {"memprof::tracked_allocator<",
                                                                "memprof::tracked_resource::", "memprof::scoped_tag::"};
  static constexpr std::array<std::string_view, 3> kFunctions = {"memprof_track_alloc", "memprof_track_realloc",
                                                                 "memprof_pool_alloc"};
  return starts_with_any(frame.function, kPrefixes) ||
         std::find(kFunctions.begin(), kFunctions.end(), frame.function) != kFunctions.end();
}

}  // namespace

bool is_library_plumbing(const Frame& frame) {
  static constexpr std::array<std::string_view, 7> kPrefixes = {
      "std::", "__gnu_cxx::", "void std::", "bool std::", "decltype", "auto std::", "std::__"};
  return starts_with_any(frame.function, kPrefixes) || is_rust_library(frame.function) || is_client_api(frame);
}

bool is_startup(const Frame& frame) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "_start",  "__libc_start_main", "__libc_start_call_main", "start_thread", "clone", "clone3",
      "__clone", "__clone3"};
  const std::string_view name =
      frame.function.substr(0, std::min(frame.function.find('@'), frame.function.find("_impl")));
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::string cut_text(std::string text, size_t width) {
  if (text_width(text) <= width) return text;
  const size_t room = width > kEllipsis.size() ? width - kEllipsis.size() : 0;
  // To the first byte of the first character that has no room.
  size_t bytes = 0;
  for (size_t characters = 0; bytes < text.size(); ++bytes) {
    const bool begins_character = (static_cast<unsigned char>(text[bytes]) & 0xc0) != 0x80;
    if (begins_character && characters++ == room) break;
  }
  text.resize(bytes);
  return text.append(kEllipsis);
}

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

std::string module_note(std::string_view function, std::string_view module) {
  const std::string_view name = base_name(module);
  return name.empty() || function.starts_with(fmt::format("{}+0x", name)) ? ""
                                                                          : fmt::format("  ({})", escape_text(name));
}

std::string shorten_function(std::string_view name, size_t width) {
  std::string text(name);
  if (text_width(text) > width) text = collapse(text, '<', '>');
  if (text_width(text) > width) text = collapse(text, '(', ')');
  // "(..." says less than the letters that it takes from the name.
  if (const size_t at = text.rfind("(...)"); text_width(text) > width && at != std::string::npos && at != 0)
    text.erase(at, 5);
  return cut_text(std::move(text), width);
}

std::string frame_line(const Frame& frame, size_t index, size_t columns) {
  const std::string number = fmt::format("#{:<2} ", index);
  const std::string module = escape_text(base_name(frame.module));
  if (frame.function.empty()) {
    const std::string place = module.empty() ? fmt::format("{:#x}  (no module)", frame.offset)
                                             : fmt::format("{}+{:#x}", module, frame.offset);
    return cut_text(number + place, columns);
  }
  std::string place;
  if (!frame.file.empty())
    place = fmt::format("  {}{}", escape_text(base_name(frame.file)),
                        frame.line != 0 ? fmt::format(":{}", frame.line) : "");
  if (frame.inlined)
    place += "  (inlined)";
  else if (!module.empty())
    place += fmt::format("  ({})", module);
  const size_t taken = text_width(number) + text_width(place);
  const size_t room = std::max<size_t>(columns > taken ? columns - taken : 0, 24);
  return cut_text(number + shorten_function(escape_text(frame.function), room) + place, columns);
}

StackStyle stack_style(const ReportOptions& options, size_t default_frames) {
  StackStyle style;
  style.max_frames = options.max_frames.value_or(default_frames);
  style.fold = !options.max_frames.has_value();
  style.hidden = options.hidden_frames;
  return style;
}

void print_stack(Output& out, const Trace& trace, FrameSource& source, StackId stack, const StackStyle& style) {
  const size_t columns = kTextColumns - style.indent.size();
  size_t more = 0;
  // How many hidden frames lie between is known when they have names.
  const size_t limit = style.hidden.is_empty() ? style.max_frames + 64 : StackNodes::kMaxFrames;
  std::vector<Frame> frames = source.frames(stack, limit, &more);
  if (style.fold && more == 0) {
    size_t kept = frames.size();
    while (kept > 1 && is_startup(frames[kept - 1])) --kept;
    frames.resize(kept);
  }
  size_t lines = 0;
  size_t at = 0;
  const auto is_hidden = [&](size_t i) { return style.hidden.hides(frames[i]); };
  while (at < frames.size() && lines < style.max_frames) {
    size_t run = at;
    while (run < frames.size() && is_hidden(run)) ++run;
    if (run != at) {
      out.print("{}    ... {} hidden\n", style.indent, count_of(run - at, "frame", "frames"));
      at = run;
      continue;
    }
    while (style.fold && run < frames.size() && is_library_plumbing(frames[run]) && !is_hidden(run)) ++run;
    // The outermost of the run stays: it is what the program called.
    if (run - at >= 3) {
      out.print("{}    ... {} frames of the C++ library\n", style.indent, run - at - 1);
      at = run - 1;
    } else {
      out.print("{}{}\n", style.indent, frame_line(frames[at], at, columns));
      ++at;
    }
    ++lines;
  }
  if (const size_t left = frames.size() - at + more; left != 0)
    out.print("{}    ... {}\n", style.indent, count_of(left, "more frame", "more frames"));
  else if (const char* why = describe_root(trace.nodes.root(stack)))
    out.print("{}    ({})\n", style.indent, why);
}

size_t shown_limit(const ReportOptions& options) { return options.max_frames.value_or(StackNodes::kMaxFrames); }

Json frames_json(const ShownFrames& shown) {
  Json array = Json::array();
  for (const Frame& frame : shown.frames) {
    array.push_back({{"function", frame.function.empty() ? Json() : Json(to_utf8(frame.function))},
                     {"file", frame.file.empty() ? Json() : Json(to_utf8(frame.file))},
                     {"line", frame.line == 0 ? Json() : Json(frame.line)},
                     {"module", frame.module.empty() ? Json() : Json(to_utf8(frame.module))},
                     {"offset", frame.offset},
                     {"inlined", frame.inlined}});
  }
  return array;
}

void put_stack(Json& object, const char* key, FrameSource& source, StackId stack, const ReportOptions& options) {
  const ShownFrames shown = shown_frames(source, stack, shown_limit(options), options.hidden_frames);
  object[key] = frames_json(shown);
  if (!options.hidden_frames.is_empty()) object[fmt::format("{}_hidden_frames", key)] = shown.hidden;
}

void print_json(Output& out, const Json& document) {
  // In ASCII: DEL and what lies behind it is escaped as well, so that no name can move the cursor.
  out.write(document.dump(2, ' ', true, Json::error_handler_t::replace));
  out.write("\n");
}

}  // namespace memprof
