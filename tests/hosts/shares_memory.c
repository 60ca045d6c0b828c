// shares_memory HOW: a child process that shares its parent's memory (CLONE_VM) frees its parent's blocks and leaves
// others for it. The parent waits meanwhile, as both use one thread's storage. HOW: vfork (CLONE_VFORK as well),
// clone (waits for the child's end), fresh (all that in a forked child that has done nothing before).
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

enum { kBlocks = 100 };
static void* blocks[kBlocks];
static char stack[65536] __attribute__((aligned(16)));

static void* make(size_t bytes) { return tally_add(malloc(bytes), bytes); }
static void drop(void* block, size_t bytes) {
  free(block);
  tally_sub(bytes);
}

static int run_child(void* argument) {
  (void)argument;
  for (int i = 0; i < kBlocks; ++i) {
    if (blocks[i] != NULL) drop(blocks[i], 70);
    blocks[i] = make(80);
    drop(hidden(make(90)), 90);
  }
  _exit(5);
}

static int run_in_shared_memory(int flags) {
  int status = 0;
  const pid_t child = clone(run_child, stack + sizeof stack, flags | CLONE_VM | SIGCHLD, NULL);
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  for (int i = 0; i < kBlocks; ++i) drop(blocks[i], 80);
  hidden(make(60));
  return WEXITSTATUS(status);
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  if (strcmp(arguments[1], "fresh") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      const int status = run_in_shared_memory(CLONE_VFORK);
      print("status %d in the child\n", status);
      expect_tally();
      exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }
  for (int i = 0; i < kBlocks; ++i) blocks[i] = make(70);
  print("status %d\n", run_in_shared_memory(strcmp(arguments[1], "vfork") == 0 ? CLONE_VFORK : 0));
  expect("called_from.make", tally_allocations);
  expect("orphans", 0);
  expect("threads", 1);
  expect_tally();
  return 0;
}
