#include "allocators/families.h"

#include "allocators/defined_functions.h"
#include "platform/text.h"

namespace memprof {

using format::Domain;
using format::Family;
using format::Function;

namespace {

// Memory of devices, of the host, handles of memory and arrays of both kinds are freed by functions of their own each,
// the driver's as well as the runtime's.
constexpr unsigned kGpuKinds = 5;
unsigned gpu_kind_of(const char* function) {
  if (text_contains(function, "Host")) return 1;
  if (text_contains(function, "Mipmapped")) return 2;
  if (text_contains(function, "Array")) return 3;
  return text_contains(function, "MemCreate") || text_contains(function, "MemRelease") ? 4 : 0;
}

}  // namespace

Function known_function(const char* prefix, const char* name) {
  if (*prefix != '\0') return Function::none;
  if (text_contains(name, "_Znw")) return Function::operator_new;
  if (text_contains(name, "_Zna")) return Function::operator_new_array;
  if (text_contains(name, "_Zdl")) return Function::operator_delete;
  if (text_contains(name, "_Zda")) return Function::operator_delete_array;
  if (text_equals(name, "cfree")) return Function::free;
  for (const format::FunctionInfo& info : format::kFunctions)
    if (text_equals(info.name, name)) return info.function;
  return Function::none;
}

// Of allocators whose blocks libc's free takes as well: malloc's.
uint8_t family_of(const Allocator& allocator, const AllocatorFunction& function, bool serves_malloc) {
  if (serves_malloc && allocator.domain == Domain::cpu) {
    const bool is_tcmalloc = text_equals(allocator.name, "tcmalloc");
    if (is_tcmalloc && (text_contains(function.name, "newarray") || text_contains(function.name, "deletearray"))) {
      return static_cast<uint8_t>(Family::array_new);
    }
    if (is_tcmalloc && (text_contains(function.name, "_new") || text_contains(function.name, "_delete"))) {
      return static_cast<uint8_t>(Family::scalar_new);
    }
    return static_cast<uint8_t>(Family::malloc);
  }
  unsigned first = 0;
  while (!text_equals(kAllocators[first].name, allocator.name)) ++first;
  const unsigned kind = allocator.domain == Domain::gpu ? gpu_kind_of(function.name) : 0;
  return static_cast<uint8_t>(format::kFirstDefinedFamily + first * kGpuKinds + kind);
}

uint8_t family_of(Function known) {
  return static_cast<uint8_t>(format::kFunctions[static_cast<uint16_t>(known)].family);
}

Function number_of_function(const char* allocator, const char* function) {
  for (unsigned i = 0; i < kAllocatorCount; ++i) {
    const Allocator& one = kAllocators[i];
    for (unsigned j = 0; j < one.count && text_equals(one.name, allocator); ++j) {
      const AllocatorFunction& found = one.functions[j];
      if (!text_equals(found.name, function)) continue;
      return define_function(one.prefixes[0], found.name, one.name, one.domain, family_of(one, found, false));
    }
  }
  return Function::none;
}

}  // namespace memprof
