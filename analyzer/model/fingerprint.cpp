#include "model/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "model/fingerprint_name.h"

namespace memprof {

namespace {

// Longer cycles of mutual recursion are not folded.
constexpr size_t kLongestCycle = 8;

bool is_c_library(std::string_view module) {
  return module.starts_with("libc.so") || module.starts_with("libc-2.") || module.starts_with("ld-linux") ||
         module.starts_with("libpthread");
}

bool is_library_name(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kPrefixes = {"std::",          "__gnu_cxx::", "operator new",
                                                                "(libstdc++.so)", "(libc++.so)", "(libc++abi.so)"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_startup_name(std::string_view name) {
  static constexpr std::array<std::string_view, 20> kNames = {"_start",
                                                              "start",
                                                              "libc_start_main",
                                                              "libc_start_main_impl",
                                                              "libc_start_call_main",
                                                              "__libc_start_main",
                                                              "libc_csu_init",
                                                              "__libc_csu_init",
                                                              "call_init",
                                                              "_dl_init",
                                                              "_dl_start_user",
                                                              "_dl_start",
                                                              "start_thread",
                                                              "clone",
                                                              "clone3",
                                                              "execute_native_thread_routine",
                                                              "std::execute_native_thread_routine",
                                                              "(libc.so)",
                                                              "(ld-linux.so)",
                                                              "(libpthread.so)"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// Of a C library with its debug information "__GI___strdup" is what another calls "strdup".
std::string canonical_libc_function(std::string_view function) {
  std::string name = canonical_function(function);
  std::string_view text = name;
  if (text.starts_with("__GI_")) text.remove_prefix(5);
  while (text.starts_with("__") && text.size() > 2) text.remove_prefix(2);
  return std::string(text);
}

std::string unknown_frame(std::string_view module, std::string_view program) {
  if (module.empty()) return "(unknown)";
  if (module == program) return "(program)";
  const std::string_view name = canonical_module(module);
  // "ld-linux-x86-64.so.2", "libc-2.31.so", "libpthread-2.31.so"
  if (name.starts_with("ld-linux")) return "(ld-linux.so)";
  if (name.starts_with("libc-2.")) return "(libc.so)";
  if (name.starts_with("libpthread")) return "(libpthread.so)";
  return fmt::format("({})", name);
}

// Drops what has just been repeated.
void fold_repetition(std::vector<uint32_t>& names) {
  for (size_t cycle = 1; cycle <= kLongestCycle && 2 * cycle <= names.size(); ++cycle) {
    const auto last = names.end() - static_cast<std::ptrdiff_t>(cycle);
    if (!std::equal(last, names.end(), last - static_cast<std::ptrdiff_t>(cycle))) continue;
    names.resize(names.size() - cycle);
    return;
  }
}

}  // namespace

Fingerprint Fingerprinter::fingerprint(const std::vector<NamedFrame>& frames, std::string_view program,
                                       bool is_truncated) {
  std::vector<uint32_t> all;
  for (const NamedFrame& frame : frames) all.push_back(number_of_frame(frame, program));
  size_t end = all.size();
  while (!is_truncated && end > 1 && names_[all[end - 1]].is_startup) --end;
  size_t begin = 0;
  while (begin + 1 < end && names_[all[begin]].is_operator_new) ++begin;

  Fingerprint result;
  for (size_t i = begin; i < end; ++i) {
    if (i + 1 < end && names_[all[i]].is_library && names_[all[i + 1]].is_library) continue;
    result.names.push_back(all[i]);
    fold_repetition(result.names);
  }
  if (is_truncated) result.names.push_back(intern("(truncated)"));
  set_hash(result);
  return result;
}

Fingerprint Fingerprinter::of_names(const std::vector<std::string>& names) {
  Fingerprint result;
  for (const std::string& name : names) result.names.push_back(intern(name));
  set_hash(result);
  return result;
}

std::vector<uint32_t> Fingerprinter::names_of_program(const Fingerprint& fingerprint) const {
  std::vector<uint32_t> names;
  for (const uint32_t number : fingerprint.names)
    if (!names_[number].is_library) names.push_back(number);
  return names;
}

void Fingerprinter::set_hash(Fingerprint& fingerprint) const {
  const std::string text = text_of(fingerprint, "\n");
  fingerprint.hash = XXH3_64bits(text.data(), text.size());
}

std::string Fingerprinter::text_of(const Fingerprint& fingerprint, std::string_view separator) const {
  std::string text;
  for (const uint32_t number : fingerprint.names) {
    if (!text.empty()) text += separator;
    text += name(number);
  }
  return text;
}

uint32_t Fingerprinter::number_of_frame(const NamedFrame& frame, std::string_view program) {
  if (frame.function.empty()) return intern(unknown_frame(frame.module, program));
  if (is_c_library(canonical_module(frame.module))) return intern(canonical_libc_function(frame.function));
  const auto [found, is_new] = of_function_.try_emplace(std::string(frame.function), 0);
  if (is_new) found->second = intern(canonical_function(frame.function));
  return found->second;
}

uint32_t Fingerprinter::intern(std::string text) {
  const auto [found, is_new] = numbers_.try_emplace(std::move(text), static_cast<uint32_t>(names_.size()));
  if (is_new) {
    const std::string_view kept = found->first;
    names_.push_back({kept, is_library_name(kept), is_startup_name(kept), kept.starts_with("operator new")});
  }
  return found->second;
}

std::string fingerprint_text(uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace memprof
