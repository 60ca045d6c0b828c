// A signal handler at each instruction of what pushes and pops tags: the processor's trap flag raises SIGTRAP behind
// every one. Names, stacks and the thread's state are known before, as the recorder blocks signals while it makes them.
#include <memprof/memprof.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void block(size_t bytes) { free(malloc(bytes)); }

#if defined(__x86_64__)
static __thread volatile long traps, wanted_trap, most_traps;
static __thread volatile sig_atomic_t is_rehearsal;
static __thread sigjmp_buf out;

// What lies below the stack pointer belongs to the caller.
#define CHANGE_FLAGS(change)                                                                             \
  __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\t" change "\n\tpopfq\n\tlea 128(%%rsp), %%rsp" :: \
                       : "memory", "cc")
static void step(void) {
  traps = 0;
  if (!is_rehearsal) CHANGE_FLAGS("orq $0x100, (%%rsp)");
}
static void run_on(void) {
  CHANGE_FLAGS("andq $~0x100, (%%rsp)");
  if (most_traps < traps) most_traps = traps;
}
static int is_reached(void) { return traps >= wanted_trap && !is_rehearsal; }

static void pops_what_it_pushes(int signal) {
  (void)signal;
  block(30);
  memprof_push_tag("handler");
  block(31);
  memprof_pop_tag();
  block(32);
}
static void leaves_what_it_pushes(int signal) {
  (void)signal;
  if (++traps == wanted_trap) memprof_push_tag("left");
}
static void jumps_out(int signal) {
  (void)signal;
  if (++traps != wanted_trap) return;
  most_traps = traps;
  siglongjmp(out, 1);
}

static void balanced(void) {
  if (is_rehearsal) pops_what_it_pushes(0);
  memprof_push_tag("outer");
  if (is_rehearsal) pops_what_it_pushes(0);
  step();
  memprof_push_tag("step");
  if (is_rehearsal) pops_what_it_pushes(0);
  block(21);
  memprof_pop_tag();
  block(22);
  run_on();
  memprof_pop_tag();
}

static void left(void) {
  memprof_push_tag("outer");
  step();
  memprof_push_tag("step");
  run_on();
  if (is_reached()) {
    block(41);
    memprof_pop_tag();
    block(42);
  }
  memprof_pop_tag();
  block(43);
  memprof_push_tag("step");
  step();
  memprof_pop_tag();
  run_on();
  if (is_reached()) {
    block(44);
    memprof_pop_tag();
  }
  block(45);
  memprof_pop_tag();
}

static void jumped(void) {
  memprof_push_tag("outer");
  if (sigsetjmp(out, 1) == 0) {
    step();
    memprof_push_tag("step");
    memprof_pop_tag();
    run_on();
  }
  block(51);
  memprof_push_tag("after");
  block(52);
  memprof_pop_tag();
  block(53);
  memprof_pop_tag();
}

static const struct {
  const char* name;
  void (*run)(void);
  void (*handle)(int);
} works[] = {
    {"balanced", balanced, pops_what_it_pushes}, {"left", left, leaves_what_it_pushes}, {"jumped", jumped, jumps_out}};

struct Job {
  void (*run)(void);
  long wanted_trap, most_traps;
};

// A thread has tags of its own.
static void* do_job(void* argument) {
  struct Job* const job = argument;
  wanted_trap = job->wanted_trap;
  is_rehearsal = 1;
  job->run();
  is_rehearsal = 0;
  job->run();
  job->most_traps = most_traps;
  return NULL;
}

int main(int count, char** arguments) {
  if (count < 2) return 2;
  for (size_t i = 0; i < sizeof works / sizeof *works; ++i) {
    if (strcmp(works[i].name, arguments[1]) != 0) continue;
    signal(SIGTRAP, works[i].handle);
    struct Job job = {works[i].run, 0, 0};
    do {
      pthread_t thread;
      ++job.wanted_trap;
      job.most_traps = 0;
      if (pthread_create(&thread, NULL, do_job, &job) != 0) return 2;
      pthread_join(thread, NULL);
    } while (job.most_traps >= job.wanted_trap);
    return 0;
  }
  return 2;
}
#else
int main(void) { return 0; }
#endif
