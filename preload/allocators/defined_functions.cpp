#include "allocators/defined_functions.h"

#include <atomic>

#include "lifecycle/settings.h"
#include "platform/rare_lock.h"
#include "platform/text.h"
#include "trace_writer/record_stream.h"

namespace memprof {

using format::Domain;
using format::Function;

namespace {

struct Definition {
  const char* prefix;
  const char* name;
  Domain domain;
  uint8_t family;
  std::atomic<bool> is_told;
};
constinit Definition definitions[kMostDefinedFunctions] = {};
constinit uint32_t defined = 0;
constinit RareLock telling;

Definition& definition_of(Function function) {
  return definitions[static_cast<uint16_t>(function) - format::kFirstDefinedTag];
}

bool is_accepted(const char* prefix, const char* name, const char* allocator, Domain domain) {
  const Filter& filter = settings.filter;
  Text<64> called;
  called.add(prefix).add(name);
  const char* const domain_name = format::kDomainNames[static_cast<uint16_t>(domain)];
  const auto is_named = [&](const char* text) {
    return names_contain(filter.allocators.c_str(), text, text_length(text));
  };
  const bool has_allocator = filter.allocators.length() == 0 || is_named(called.c_str()) || is_named(allocator) ||
                             (text_equals(called.c_str(), "new[]") && is_named("new"));
  return has_allocator &&
         (filter.domains.length() == 0 || names_contain(filter.domains.c_str(), domain_name, text_length(domain_name)));
}

}  // namespace

Function define_function(const char* prefix, const char* name, const char* allocator, Domain domain, uint8_t family) {
  for (uint32_t i = 0; i < defined; ++i) {
    const Definition& known = definitions[i];
    if (known.name == name && known.prefix == prefix && known.family == family) {
      return static_cast<Function>(format::kFirstDefinedTag + i);
    }
  }
  if (defined == kMostDefinedFunctions) return Function::none;
  Definition& added = definitions[defined];
  added.prefix = prefix;
  added.name = name;
  added.domain = domain;
  added.family = family;
  settings.filter.denied_definitions[defined] = !is_accepted(prefix, name, allocator, domain);
  return static_cast<Function>(format::kFirstDefinedTag + defined++);
}

void tell_function(Function function) {
  Definition& definition = definition_of(function);
  if (definition.is_told.load(std::memory_order_acquire)) return;  // pairs with the release below
  const RareGuard guard(telling);
  if (!guard.held() || definition.is_told.load(std::memory_order_relaxed)) return;
  const format::FunctionDefinition head{
      static_cast<uint16_t>(function), static_cast<uint16_t>(definition.domain), definition.family, {}};
  const Piece pieces[] = {{&head, sizeof(head)},
                          {definition.prefix, text_length(definition.prefix)},
                          {definition.name, text_length(definition.name)}};
  write_metadata_record(format::MetadataRecord::function, pieces, 3);
  definition.is_told.store(true, std::memory_order_release);
}

Domain domain_of_function(Function function) {
  if (is_defined_function(function)) return definition_of(function).domain;
  return format::kFunctions[static_cast<uint16_t>(function)].domain;
}

void forget_told_functions() {
  for (Definition& definition : definitions) definition.is_told.store(false, std::memory_order_relaxed);
}

}  // namespace memprof
