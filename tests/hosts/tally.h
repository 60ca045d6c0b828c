// A host program counts what it does to the heap and prints it, for the driver that compares it with the trace.
// Nothing here allocates. C and C++.
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t tally_allocations, tally_frees, tally_bytes, tally_freed_bytes;

static inline void* tally_add(void* block, size_t bytes) {
  __atomic_fetch_add(&tally_allocations, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&tally_bytes, bytes, __ATOMIC_RELAXED);
  return block;
}
static inline void tally_sub(size_t bytes) {
  __atomic_fetch_add(&tally_frees, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&tally_freed_bytes, bytes, __ATOMIC_RELAXED);
}

static inline void print_text(const char* text) {
  size_t length = strlen(text);
  while (length > 0) {
    ssize_t written = write(1, text, length);
    if (written <= 0) return;
    text += written;
    length -= (size_t)written;
  }
}

// Like printf, but without a buffer of its own on the heap, and out at once.
#define print(...)                                        \
  do {                                                    \
    char print_line[512];                                 \
    snprintf(print_line, sizeof print_line, __VA_ARGS__); \
    print_text(print_line);                               \
  } while (0)

static inline void expect(const char* key, uint64_t value) { print("expect %s %lu\n", key, (unsigned long)value); }

static inline void expect_tally(void) {
  expect("allocations", tally_allocations);
  expect("frees", tally_frees);
  expect("bytes", tally_bytes);
  expect("open", tally_allocations - tally_frees);
  expect("open_bytes", tally_bytes - tally_freed_bytes);
}

// Keeps the compiler from knowing what a pointer points to.
static inline void* hidden(void* pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

// A block whose content is written and checked, so that a damaged block is seen in the output.
static inline void fill(void* block, size_t bytes, unsigned char seed) {
  for (size_t i = 0; i < bytes; ++i) ((unsigned char*)block)[i] = (unsigned char)(seed + i);
}
static inline int holds(const void* block, size_t bytes, unsigned char seed) {
  for (size_t i = 0; i < bytes; ++i)
    if (((const unsigned char*)block)[i] != (unsigned char)(seed + i)) return 0;
  return 1;
}

// A random number generator of one's own: the same numbers in every run.
static inline uint32_t next_random(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}
