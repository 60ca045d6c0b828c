// Stacks as lines of text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "report/frames.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

inline constexpr size_t kTextColumns = 100;

// In characters.
size_t text_width(std::string_view text);

std::string_view base_name(std::string_view path);

// "  (module)", escaped; empty where a frame without a name is called by its module.
std::string module_note(std::string_view function, std::string_view module);

// Makes a C++ name fit: template arguments go first, then parameters, then their brackets, then the tail. `width` in
// characters.
std::string shorten_function(std::string_view name, size_t width);

// Cuts at the end. `width` in characters.
std::string cut_text(std::string text, size_t width);

// Code of the C++ library that passes an allocation on: a run of it tells less than its length.
bool is_library_plumbing(const Frame& frame);

// What lies outside main or a thread's function: the same for every stack.
bool is_startup(const Frame& frame);

// "#0 function  file.cpp:123  (module)", escaped and cut to `columns`.
std::string frame_line(const Frame& frame, size_t number, size_t columns);

struct StackStyle {
  size_t max_frames = 8;  // lines, inlined frames included
  std::string indent = "     ";
  bool fold = true;  // runs of frames inside the standard library, and the start-up frames at the outer end
  HiddenFrames hidden{};
};
// Whoever says how many frames wants them as they are.
StackStyle stack_style(const ReportOptions& options, size_t default_frames);
// One line a frame, then what was left out and, for a truncated stack, why it ends where it does.
void print_stack(Output& out, const Trace& trace, FrameSource& source, StackId stack, const StackStyle& style);

using Json = nlohmann::ordered_json;
// object[key] is the stack. Where frames are hidden, object["KEY_hidden_frames"] says how many.
void put_stack(Json& object, const char* key, FrameSource& source, StackId stack, const ReportOptions& options);
// Of those that are shown.
Json frames_json(const ShownFrames& shown);
size_t shown_limit(const ReportOptions& options);
// One document with a line feed; bytes that are no UTF-8 are replaced.
void print_json(Output& out, const Json& document);

}  // namespace memprof
