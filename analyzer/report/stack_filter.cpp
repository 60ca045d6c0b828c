#include "report/stack_filter.h"

#include <fmt/format.h>

#include <set>

#include "model/fingerprint_name.h"
#include "report/frame_text.h"

namespace memprof {

namespace {

enum : size_t { kFunction, kModule, kFile };

}  // namespace

std::string function_text(const Frame& frame) {
  if (!frame.function.empty()) return std::string(frame.function);
  if (frame.module.empty()) return fmt::format("{:#x}", frame.offset);
  return fmt::format("{}+{:#x}", base_name(frame.module), frame.offset);
}

StackFilter::StackFilter(const Trace& trace, FramePatterns patterns, const SymbolOptions& symbols)
    : trace_(trace), source_(trace, symbols), masks_(trace.nodes.id_limit()) {
  kinds_ = {{"--function", std::move(patterns.functions), {}, {}},
            {"--module", std::move(patterns.modules), {}, {}},
            {"--file", std::move(patterns.files), {}, {}}};
  for (Kind& kind : kinds_) {
    kind.is_found_wanted.resize(kind.patterns.wanted.size());
    kind.is_found_unwanted.resize(kind.patterns.unwanted.size());
  }
  source_.prepare_all();
}

bool StackFilter::match(const NamePattern& pattern, size_t kind, const Frame& frame, const std::string& function) {
  switch (kind) {
    case kFunction: return pattern.matches_function(function);
    case kModule: return !frame.module.empty() && pattern.matches_module(frame.module);
    default: return !frame.file.empty() && pattern.matches_path(frame.file);
  }
}

StackFilter::Mask StackFilter::own_mask(StackId node) {
  Mask mask = 0;
  for (const Frame& frame : source_.frames(node, 1)) {
    const std::string function = function_text(frame);
    for (size_t k = 0; k < kinds_.size(); ++k) {
      Kind& kind = kinds_[k];
      const auto look = [&](const std::vector<NamePattern>& patterns, std::vector<bool>& is_found, size_t bit) {
        for (size_t i = 0; i < patterns.size(); ++i) {
          if (!match(patterns[i], k, frame, function)) continue;
          is_found[i] = true;
          mask = static_cast<Mask>(mask | 1u << bit);
        }
      };
      look(kind.patterns.wanted, kind.is_found_wanted, 2 * k);
      look(kind.patterns.unwanted, kind.is_found_unwanted, 2 * k + 1);
    }
  }
  return mask;
}

StackFilter::Mask StackFilter::mask_of(StackId stack) {
  // A parent's id is lower than its children's, so this ends.
  std::vector<StackId> unknown;
  StackId id = stack;
  while (id < masks_.size() && trace_.nodes.is_frame(id) && !(masks_[id] & kKnown)) {
    unknown.push_back(id);
    id = trace_.nodes.node(id).parent;
  }
  Mask mask = id < masks_.size() ? masks_[id] : Mask{0};
  for (size_t i = unknown.size(); i-- > 0;) {
    mask = static_cast<Mask>(mask | own_mask(unknown[i]) | kKnown);
    masks_[unknown[i]] = mask;
  }
  return mask;
}

bool StackFilter::matches(StackId stack) {
  const Mask mask = mask_of(stack);
  for (size_t k = 0; k < kinds_.size(); ++k) {
    if (!kinds_[k].patterns.wanted.empty() && !(mask & 1u << 2 * k)) return false;
    if (mask & 1u << (2 * k + 1)) return false;
  }
  return true;
}

namespace {

template <class Visit>
void for_each_unfound_word(const std::vector<NamePattern>& patterns, const std::vector<bool>& is_found, Visit visit) {
  for (size_t i = 0; i < patterns.size(); ++i)
    if (patterns[i].is_word() && !is_found[i]) visit(patterns[i]);
}

}  // namespace

bool StackFilter::has_unfound_words() const {
  bool has = false;
  for (const Kind& kind : kinds_) {
    for_each_unfound_word(kind.patterns.wanted, kind.is_found_wanted, [&](const auto&) { has = true; });
    for_each_unfound_word(kind.patterns.unwanted, kind.is_found_unwanted, [&](const auto&) { has = true; });
  }
  return has;
}

std::vector<std::string> StackFilter::names_of(size_t kind) {
  std::set<std::string> names;
  const auto add_path = [&](std::string_view path) {
    names.emplace(base_name(path));
    if (kind == kModule) names.emplace(canonical_module(path));
  };
  if (kind == kModule)
    for (const Module& module : trace_.modules.all()) add_path(module.path);
  for (StackId id = format::kFirstNode; id < masks_.size(); ++id) {
    if (!trace_.nodes.is_frame(id)) continue;
    for (const Frame& frame : source_.frames(id, 1)) {
      if (kind != kFunction) {
        add_path(kind == kModule ? frame.module : frame.file);
        continue;
      }
      const std::string name = canonical_function(frame.function);
      const size_t last = name.rfind("::");
      if (last != std::string::npos) names.insert(name.substr(last + 2));
      names.insert(name);
    }
  }
  names.erase("");
  return {names.begin(), names.end()};
}

std::vector<StackFilter::Unknown> StackFilter::unknown_words() {
  // An object may be loaded and on no stack.
  Kind& modules = kinds_[kModule];
  for (const Module& module : trace_.modules.all()) {
    for (size_t i = 0; i < modules.patterns.wanted.size(); ++i)
      if (modules.patterns.wanted[i].matches_module(module.path)) modules.is_found_wanted[i] = true;
    for (size_t i = 0; i < modules.patterns.unwanted.size(); ++i)
      if (modules.patterns.unwanted[i].matches_module(module.path)) modules.is_found_unwanted[i] = true;
  }
  for (StackId id = format::kFirstNode; id < masks_.size() && has_unfound_words(); ++id)
    if (trace_.nodes.is_frame(id)) mask_of(id);
  std::vector<Unknown> unknown;
  for (size_t k = 0; k < kinds_.size(); ++k) {
    const auto add = [&](const NamePattern& pattern) {
      unknown.push_back({kinds_[k].option, pattern.text(), pattern.word(), names_of(k)});
    };
    for_each_unfound_word(kinds_[k].patterns.wanted, kinds_[k].is_found_wanted, add);
    for_each_unfound_word(kinds_[k].patterns.unwanted, kinds_[k].is_found_unwanted, add);
  }
  return unknown;
}

}  // namespace memprof
