// A child that is pid 1 of a new pid namespace, and its child that is pid 1 of the next: forked children whose pid says
// nothing. Exits with 77 where namespaces are not allowed.
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tally.h"

int main(void) {
  if (unshare(CLONE_NEWPID) != 0) return 77;
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 10; ++i) hidden(malloc(100));
    if (unshare(CLONE_NEWPID) != 0) _exit(77);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      for (int i = 0; i < 5; ++i) hidden(malloc(50));
      _exit(0);
    }
    int status = 0;
    waitpid(grandchild, &status, 0);
    for (int i = 0; i < 20000; ++i) hidden(malloc(1000));
    exit(WEXITSTATUS(status));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
