#include "recorder/filter.h"

#include <stddef.h>

#include "allocators/allocator.h"
#include "recorder/functions.h"

namespace memprof {
namespace {

using format::Function;

// A piece of the text, not terminated.
struct Word {
  const char* begin;
  const char* end;
  bool empty() const { return begin == end; }
  bool is(const char* text) const {
    const char* at = begin;
    while (at != end && *text != '\0' && *at == *text) ++at, ++text;
    return at == end && *text == '\0';
  }
  bool is_but_for_case(const char* text) const {
    const char* at = begin;
    while (at != end && *text != '\0' && lower(*at) == lower(*text)) ++at, ++text;
    return at == end && *text == '\0';
  }
  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
};

// Takes the text up to one of the two stops, and the stop itself.
Word take(const char** text, char stop, char other_stop, char* stopped_by) {
  const char* at = *text;
  while (*at != '\0' && *at != stop && *at != other_stop) ++at;
  const Word word{*text, at};
  *stopped_by = *at;
  *text = *at == '\0' ? at : at + 1;
  return word;
}

bool parse_size_word(Word word, uint64_t* out) {
  if (word.empty()) return false;
  uint64_t value = 0;
  const char* at = word.begin;
  for (; at != word.end && *at >= '0' && *at <= '9'; ++at) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value)) return false;
  }
  if (at == word.begin) return false;
  unsigned shift = 0;
  if (at != word.end) {
    switch (*at++) {
      case 'k':
      case 'K': shift = 10; break;
      case 'm':
      case 'M': shift = 20; break;
      case 'g':
      case 'G': shift = 30; break;
      default: return false;
    }
  }
  if (at != word.end || (shift != 0 && value >> (64 - shift) != 0)) return false;
  *out = value << shift;
  return true;
}

bool is_aligned_function(Function function) {
  return function == Function::memalign || function == Function::aligned_alloc ||
         function == Function::posix_memalign || function == Function::valloc || function == Function::pvalloc;
}
bool is_jemalloc_function(Function function) {
  return function == Function::mallocx || function == Function::rallocx || function == Function::xallocx;
}

bool names_allocator(Word word, const format::FunctionInfo& info) {
  if (word.is("memalign")) return is_aligned_function(info.function);
  if (word.is("new")) return info.function == Function::operator_new || info.function == Function::operator_new_array;
  if (word.is("jemalloc")) return is_jemalloc_function(info.function);
  if (word.is("mmap")) return is_mapping_function(info.function);
  return word.is(info.name);
}
bool names_domain(Word word, const format::FunctionInfo& info) {
  return word.is(format::kDomainNames[static_cast<unsigned>(info.domain)]);
}

// The known name that the word is but for the case of its letters; nullptr: none.
const char* domain_like(Word word) {
  for (const char* const name : format::kDomainNames)
    if (word.is_but_for_case(name)) return name;
  return nullptr;
}
const char* allocator_like(Word word) {
  for (const format::FunctionInfo& info : format::kFunctions)
    if (word.is_but_for_case(info.name)) return info.name;
  for (unsigned i = 0; i < kAllocatorCount; ++i) {
    const Allocator& allocator = kAllocators[i];
    if (word.is_but_for_case(allocator.name)) return allocator.name;
    for (unsigned n = 0; n < allocator.count; ++n)
      if (word.is_but_for_case(allocator.functions[n].name)) return allocator.functions[n].name;
  }
  return nullptr;
}

// What the values of a condition may be.
struct Names {
  bool (*name)(Word, const format::FunctionInfo&);
  const char* (*like)(Word);
  bool may_be_unknown;
};
constexpr Names kDomains = {names_domain, domain_like, true};
constexpr Names kAllocatorsAndFunctions = {names_allocator, allocator_like, false};

bool is_known(Word value, const Names& names) {
  if (value.empty()) return false;
  if (names.may_be_unknown) {
    const char* const like = names.like(value);
    return like == nullptr || value.is(like);
  }
  if (is_allocator_name(value.begin, static_cast<size_t>(value.end - value.begin))) return true;
  for (const format::FunctionInfo& info : format::kFunctions)
    if (names.name(value, info)) return true;
  return false;
}

// Denies, in `denied`, every function that none of the bar-separated values names. False when a value names nothing at
// all.
bool restrict_functions(Word values, const Names& names, bool (&denied)[format::kFunctionCount], const char** meant) {
  bool is_named[format::kFunctionCount] = {};
  const char* at = values.begin;
  do {
    const char* bar = at;
    while (bar != values.end && *bar != '|') ++bar;
    const Word value{at, bar};
    if (!is_known(value, names)) {
      if (meant != nullptr) *meant = names.like(value);
      return false;
    }
    for (const format::FunctionInfo& info : format::kFunctions)
      if (names.name(value, info)) is_named[static_cast<unsigned>(info.function)] = true;
    at = bar == values.end ? bar : bar + 1;
    if (bar != values.end && at == values.end) return false;  // a bar with nothing behind it
  } while (at != values.end);
  for (unsigned i = 0; i < format::kFunctionCount; ++i) denied[i] |= !is_named[i];
  return true;
}

// Once: one block has one.
bool keep_names(Word values, Text<256>* out) {
  if (values.empty() || out->length() != 0) return false;
  out->add(values.begin, static_cast<size_t>(values.end - values.begin));
  return !out->cut();
}

bool restrict_size(char comparison, bool or_equal, Word value, Filter* out) {
  uint64_t bytes = 0;
  if (!parse_size_word(value, &bytes)) return false;
  uint64_t least = 0;
  uint64_t most = UINT64_MAX;
  if (comparison == '=') {
    least = most = bytes;
  } else if (comparison == '>') {
    if (!or_equal && bytes == UINT64_MAX) return false;
    least = or_equal ? bytes : bytes + 1;
  } else {
    if (!or_equal && bytes == 0) return false;
    most = or_equal ? bytes : bytes - 1;
  }
  if (least > out->least_bytes) out->least_bytes = least;
  if (most < out->most_bytes) out->most_bytes = most;
  return true;
}

bool parse_condition(Word condition, Filter* out, const char** meant) {
  const char* at = condition.begin;
  while (at != condition.end && *at != '=' && *at != '<' && *at != '>') ++at;
  if (at == condition.end) return false;
  const Word name{condition.begin, at};
  const char comparison = *at++;
  const bool or_equal = comparison != '=' && at != condition.end && *at == '=';
  if (or_equal) ++at;
  const Word value{at, condition.end};
  if (name.is("size")) return restrict_size(comparison, or_equal, value, out);
  if (comparison != '=') return false;
  if (name.is("tag")) return keep_names(value, &out->tags);
  if (name.is("domain"))
    return keep_names(value, &out->domains) && restrict_functions(value, kDomains, out->denied, meant);
  if (!name.is("allocator") || !keep_names(value, &out->allocators) ||
      !restrict_functions(value, kAllocatorsAndFunctions, out->unnamed, meant))
    return false;
  for (unsigned i = 0; i < format::kFunctionCount; ++i) out->denied[i] |= out->unnamed[i];
  return true;
}

}  // namespace

bool parse_size(const char* text, uint64_t* out) {
  const char* end = text;
  while (*end != '\0') ++end;
  return parse_size_word({text, end}, out);
}

bool names_contain(const char* names, const char* name, size_t bytes) {
  for (const char* at = names;; ++at) {
    const char* end = at;
    while (*end != '\0' && *end != '|') ++end;
    if (static_cast<size_t>(end - at) == bytes && __builtin_memcmp(at, name, bytes) == 0) return true;
    if (*end == '\0') return false;
    at = end;
  }
}

bool parse_filter(const char* text, Filter* out, const char** meant) {
  char stopped_by = ',';
  while (stopped_by == ',') {
    if (!parse_condition(take(&text, ',', ',', &stopped_by), out, meant)) return false;
  }
  out->active = true;
  return true;
}

}  // namespace memprof
