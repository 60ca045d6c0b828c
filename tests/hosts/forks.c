// forks HOW: a child frees blocks that it inherited, makes its own and keeps one; the parent goes on with all of its.
// HOW: fork, raw (the system call alone, so that no atfork handler runs), atfork (allocations in atfork handlers).
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tally.h"

static void* blocks[10];

static void in_handler(void) { free(hidden(malloc(1))); }

static pid_t split(const char* how) {
  if (strcmp(how, "raw") == 0) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (strcmp(how, "atfork") == 0) pthread_atfork(in_handler, in_handler, in_handler);
  return fork();
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (int i = 0; i < 10; ++i) {
    blocks[i] = tally_add(malloc(100 + (size_t)i), 100 + (size_t)i);
    fill(blocks[i], 100, (unsigned char)i);
  }
  const pid_t child = split(arguments[1]);
  if (child == 0) {
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
  if (strcmp(arguments[1], "atfork") != 0) expect_tally();
  return 0;
}
