// Rows of the tables of allocators' functions. Numbers are those of arguments.
#pragma once

#include "allocators/allocator.h"

namespace memprof::rows {

using Function = AllocatorFunction;

constexpr Function allocates(const char* name, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size};
}
constexpr Function allocates(const char* name, int8_t count, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size, .count = count};
}
constexpr Function stores(const char* name, int8_t where, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size, .stores = where};
}
constexpr Function stores(const char* name, int8_t where, size_t (*size_of)(const Arguments&)) {
  return {.name = name, .does = Does::allocate, .stores = where, .size_of = size_of};
}
constexpr Function reallocates(const char* name, int8_t block, int8_t size) {
  return {.name = name, .does = Does::reallocate, .block = block, .size = size};
}
constexpr Function reallocates(const char* name, int8_t block, int8_t count, int8_t size) {
  return {.name = name, .does = Does::reallocate, .block = block, .size = size, .count = count};
}
constexpr Function releases(const char* name, int8_t block = 0) {
  return {.name = name, .does = Does::release, .block = block};
}
constexpr Function releases_or_fails(const char* name) {
  return {.name = name, .does = Does::release, .block = 0, .returns_status = true};
}
constexpr Function keeps_handle(const char* name) { return {.name = name, .does = Does::keep_handle, .stores = 0}; }
constexpr Function releases_handle(const char* name) {
  return {.name = name, .does = Does::release_handle, .block = 0};
}
constexpr Function copies_text(const char* name) { return {.name = name, .does = Does::copy_text}; }

constexpr Function keeps_heaps(const char* name) { return {.name = name, .does = Does::stand_for_calls}; }

}  // namespace memprof::rows
