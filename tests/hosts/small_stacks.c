// Threads with the smallest stack that there is still have room for the recorder, and under a few hundred frames too.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

// Down to where about 4 KiB are left, which is what glibc itself needs for printf and the like.
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

static size_t room_below(const char* here) {
  pthread_attr_t attributes;
  void* lowest = NULL;
  size_t bytes = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &lowest, &bytes);
  pthread_attr_destroy(&attributes);
  return (size_t)(here - (const char*)lowest);
}

static void* body(void* argument) {
  const char here = 0;
  const char* top = hidden((void*)&here);
  const size_t room = room_below(top);
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
  if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0) return 1;
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, body, left) != 0) return 2;
    pthread_join(thread, NULL);
  }
  pthread_attr_destroy(&attributes);
  expect_tally();
  return 0;
}
