// client_calls CALLS: what calls of memprof/memprof.h take, "NAME NS" a line: ns a call, the least of many stretches,
// and of a loop without a call. Who runs it without memprof learns what a program pays that nobody profiles.
#include <memprof/memprof.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kStretches = 20, kTogether = 8 };

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

// The compiler may neither leave a call out nor know for the next what this one read. Several stand
// together, as one would hide in the steps of the loop.
#define FORGET __asm__ volatile("" ::: "memory")
#define TWICE(call) \
  call;             \
  FORGET;           \
  call;             \
  FORGET
#define MEASURE(name, call)                                  \
  do {                                                       \
    double least = 1e18;                                     \
    for (int stretch = 0; stretch < kStretches; ++stretch) { \
      const double begin = now_ns();                         \
      for (long i = 0; i < calls; i += kTogether) {          \
        TWICE(TWICE(TWICE(call)));                           \
      }                                                      \
      const double took = now_ns() - begin;                  \
      if (took < least) least = took;                        \
    }                                                        \
    printf("%s %.4f\n", name, least / (double)calls);        \
  } while (0)

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const long calls = atol(arguments[1]) / kStretches;
  if (calls <= 0) return 2;
  int block;
  MEASURE("nothing", (void)0);
  MEASURE("track_alloc", memprof_track_alloc(MEMPROF_GPU, &block, 64));
  MEASURE("track_free", memprof_track_free(MEMPROF_GPU, &block));
  MEASURE("push_tag", memprof_push_tag("tag"));
  MEASURE("pop_tag", memprof_pop_tag());
  MEASURE("mark", memprof_mark("mark"));
  MEASURE("set_type", memprof_set_type(&block, "type"));
  MEASURE("is_active", (void)memprof_is_active());
  return 0;
}
