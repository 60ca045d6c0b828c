// vfork_descriptors HOW: a child that shares its parent's memory, and has descriptors of its own, closes them all and
// allocates for many pages of the trace; so does the parent afterwards. HOW: close; remove (the trace, which has the
// name "kept" as well, loses its own); chroot (the child goes where nothing is).
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tally.h"

enum { kRounds = 40000, kKept = 10 };
static char stack[1 << 18] __attribute__((aligned(16)));
static const char* how;

static void churn(size_t bytes) {
  for (int i = 0; i < kRounds; ++i) {
    free(hidden(tally_add(malloc(bytes), bytes)));
    tally_sub(bytes);
  }
}

static int run_child(void* unused) {
  (void)unused;
  closefrom(3);
  if (strcmp(how, "chroot") == 0 && (chroot("empty") != 0 || chdir("/") != 0)) _exit(9);
  churn(70);
  _exit(5);
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  how = arguments[1];
  churn(60);
  if (strcmp(how, "remove") == 0) {
    // Natively there is none.
    if (link("trace.bin", "kept") == 0) unlink("trace.bin");
  }
  mkdir("empty", 0700);
  int status = 0;
  const pid_t child = clone(run_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  if (child < 0 || waitpid(child, &status, 0) != child) return 3;
  print("status %d\n", WEXITSTATUS(status));
  churn(80);
  for (int i = 0; i < kKept; ++i) tally_add(hidden(malloc(8080)), 8080);
  expect("by_child", 2 * kRounds);
  expect_tally();
  return 0;
}
