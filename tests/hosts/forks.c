// forks HOW: a child frees blocks that it inherited, makes its own and keeps one; the parent goes on with all of its.
// HOW: fork; atfork (allocations in atfork handlers); atfork_fork (every atfork handler forks, too); and without the
// library's fork, so that no atfork handler runs: raw (the system call), clone, clone3.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tally.h"

static void* blocks[10];

static void in_handler(void) { free(hidden(malloc(1))); }

// A process of its own in every handler of one fork; the handlers of these forks do nothing.
static void fork_in_handler(void) {
  static int inside;
  if (inside) return;
  inside = 1;
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 3; ++i) free(hidden(malloc(11)));
    free(blocks[9]);
    _exit(0);
  }
  int status = 1;
  if (waitpid(child, &status, 0) != child || status != 0) print("a handler's child: status %d\n", status);
  inside = 0;
}

static int run_child(void* argument) {
  (void)argument;
  for (int i = 0; i < 4; ++i) {
    if (!holds(blocks[i], 100, (unsigned char)i)) _exit(3);
    free(blocks[i]);
  }
  void* moved = realloc(blocks[4], 5000);
  if (!holds(moved, 100, 4)) _exit(4);
  for (int i = 0; i < 7; ++i) free(hidden(malloc(20)));
  print("child: expect 6 inherited\n");
  free(hidden(malloc(30)));
  free(blocks[5]);
  exit(moved == NULL);
}

static pid_t split(const char* how) {
  static char stack[65536] __attribute__((aligned(16)));
  if (strcmp(how, "raw") == 0) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (strcmp(how, "clone") == 0) return clone(run_child, stack + sizeof stack, SIGCHLD, NULL);
  if (strcmp(how, "clone3") == 0) {
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  }
  if (strcmp(how, "atfork") == 0) pthread_atfork(in_handler, in_handler, in_handler);
  if (strcmp(how, "atfork_fork") == 0) pthread_atfork(fork_in_handler, fork_in_handler, fork_in_handler);
  return fork();
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (int i = 0; i < 10; ++i) {
    blocks[i] = tally_add(malloc(100 + (size_t)i), 100 + (size_t)i);
    fill(blocks[i], 100, (unsigned char)i);
  }
  const pid_t child = split(arguments[1]);
  if (child == 0) run_child(NULL);
  int status = 0;
  waitpid(child, &status, 0);
  print("child's status %d\n", status);
  for (int i = 0; i < 9; ++i) {
    if (!holds(blocks[i], 100, (unsigned char)i)) print("block %d is damaged\n", i);
    free(blocks[i]);
    tally_sub(100 + (size_t)i);
  }
  expect("open_sized.109", 1);
  expect("orphans", 0);
  if (strncmp(arguments[1], "atfork", 6) != 0) expect_tally();
  return 0;
}
