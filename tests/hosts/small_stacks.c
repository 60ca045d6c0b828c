// Threads with the smallest stack that there is still have room for the recorder, and under a few hundred frames too.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

// Down to the frame that has used `room` bytes of the stack.
static __attribute__((noinline)) void dive(const char* top, size_t room) {
  const char here = 0;
  if ((size_t)(top - (const char*)hidden((void*)&here)) < room) {
    dive(top, room);
    __asm__ volatile("");
    return;
  }
  free(hidden(tally_add(malloc(333), 333)));
  tally_sub(333);
}

static char* lowest;

static void* body(void* argument) {
  const char here = 0;
  const char* top = hidden((void*)&here);
  const size_t room = (size_t)(top - lowest);
  for (int i = 1; i <= 50; ++i) {
    void* block = tally_add(malloc((size_t)i), (size_t)i);
    block = realloc(block, (size_t)i * 100);
    tally_sub((size_t)i);
    tally_add(block, (size_t)i * 100);
    free(block);
    tally_sub((size_t)i * 100);
  }
  // What the loader binds at the first call is bound by now, which takes more stack than all the rest.
  if (argument != NULL) dive(top, room - (size_t)argument);
  return NULL;
}

// small_stacks LEFT: how many bytes of the stack the deepest malloc has left; 0: no deep call.
int main(int count, char** arguments) {
  if (count != 2) return 3;
  void* left = (void*)strtoul(arguments[1], NULL, 10);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // Below it lies a page that nobody may touch.
  const size_t bytes = PTHREAD_STACK_MIN, page = 4096;
  char* memory = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) return 1;
  lowest = memory + page;
  if (pthread_attr_setstack(&attributes, lowest, bytes) != 0) return 1;
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, body, left) != 0) return 2;
    pthread_join(thread, NULL);
  }
  pthread_attr_destroy(&attributes);
  expect_tally();
  return 0;
}
