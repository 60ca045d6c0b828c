// Obstacks that grow over many chunks and are freed in parts, on chunks of the program's that it counts.
#define _GNU_SOURCE  // obstack_printf
#include <errno.h>
#include <obstack.h>
#include <setjmp.h>
#include <stdlib.h>

#include "tally.h"

enum { kMost = 4096 };
static struct {
  void* block;
  size_t bytes;
} chunks[kMost];
static uint64_t taken, taken_of_heap, taken_bytes, given, given_bytes;
static int is_empty;

static void* take(long bytes) {
  if (is_empty) return NULL;
  void* block = malloc((size_t)bytes);
  for (int i = 0; i < kMost; ++i) {
    if (chunks[i].block != NULL) continue;
    chunks[i].block = block;
    chunks[i].bytes = (size_t)bytes;
    break;
  }
  ++taken;
  ++taken_of_heap;
  taken_bytes += (size_t)bytes;
  return block;
}
static void give(void* block) {
  for (int i = 0; i < kMost; ++i) {
    if (chunks[i].block != block) continue;
    chunks[i].block = NULL;
    ++given;
    given_bytes += chunks[i].bytes;
    break;
  }
  free(block);
}
static void* take_of(void* arena, long bytes) {
  char** at = arena;
  ++taken;
  taken_bytes += (size_t)bytes;
  void* block = *at;
  *at += (bytes + 15) & ~15L;
  return block;
}
static void give_back(void* arena, void* block) {
  (void)arena, (void)block;
  ++given;
}

#define obstack_chunk_alloc take
#define obstack_chunk_free give

static jmp_buf place;
static void fail(void) { longjmp(place, 1); }

static void grow(struct obstack* stack, int objects, int bytes) {
  for (int i = 0; i < objects; ++i) memset(obstack_alloc(stack, bytes), i, (size_t)bytes);
}

int main(void) {
  struct obstack stack;
  // Many objects, freed in parts.
  obstack_init(&stack);
  obstack_alloc(&stack, 10);
  grow(&stack, 500, 100);
  void* middle = obstack_alloc(&stack, 10);
  grow(&stack, 500, 100);
  obstack_free(&stack, middle);
  grow(&stack, 10, 50000);  // larger than a chunk
  obstack_free(&stack, NULL);

  // One object that takes its chunk with it, and one that has company there.
  obstack_begin(&stack, 256);
  for (int i = 0; i < 300; ++i) obstack_grow(&stack, "0123456789abcdef", 16);
  obstack_finish(&stack);
  obstack_alloc(&stack, 16);
  for (int i = 0; i < 300; ++i) obstack_grow(&stack, "0123456789abcdef", 16);
  obstack_finish(&stack);
  obstack_free(&stack, NULL);

  // Chunks that are no heap blocks.
  static char memory[1 << 20] __attribute__((aligned(16)));
  char* arena = memory;
  struct obstack other;
  obstack_specify_allocation_with_arg(&other, 512, 16, take_of, give_back, &arena);
  grow(&other, 100, 200);
  obstack_free(&other, NULL);
  given_bytes += (uint64_t)(arena - memory);

  // It cannot grow, and goes on. errno is the program's.
  obstack_begin(&stack, 512);
  obstack_alloc_failed_handler = fail;
  errno = 77;
  for (int i = 0; i < 3; ++i) {
    is_empty = 1;
    if (setjmp(place) == 0) obstack_alloc(&stack, 4000);
    is_empty = 0;
    obstack_alloc(&stack, 1000);
  }
  int kept = errno;
  // libc grows it by itself.
  for (int i = 0; i < 100; ++i) obstack_printf(&stack, "line %d of a text that is long enough\n", i);
  obstack_1grow(&stack, '\0');
  print("%.6s, errno %d\n", (char*)obstack_finish(&stack), kept);  // it stays

  expect("chunks", taken);
  expect("heap_chunks", taken_of_heap);
  expect("chunk_bytes", taken_bytes);
  expect("given", given);
  expect("given_bytes", given_bytes);
  return 0;
}
