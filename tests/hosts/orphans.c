// orphans HOW PROGRAM ARGUMENT: starts a program twice, each time when all before it are gone: this one, which ends by
// exit or by SIGKILL (HOW), and whose parent has seen that; and the first of the two. A pipe that they keep open tells.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/times.h>

#include "tally.h"

static void start_when_closed(int reader, pid_t starter, char** command) {
  char byte;
  if (read(reader, &byte, 1) != 0) _exit(3);
  while (kill(starter, 0) == 0) sched_yield();
  execv(command[0], command);
  _exit(127);
}

// The kernel counts when a process began in ticks of its clock: one that ends in the tick in which another began is not
// told from one that ended before.
static void let_ticks_pass(int ticks) {
  struct tms unused;
  for (const clock_t begin = times(&unused); times(&unused) - begin < ticks;) hidden(&unused);
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  char* command[] = {arguments[2], arguments[3], NULL};
  int first[2], second[2];
  if (pipe(first) != 0 || pipe(second) != 0) return 3;
  hidden(malloc(4242));
  const pid_t own = getpid();
  if (fork() == 0) {
    close(first[1]);
    close(second[0]);
    start_when_closed(first[0], own, command);
  }
  if (fork() == 0) {
    close(first[1]);
    close(second[1]);
    start_when_closed(second[0], own, command);
  }
  close(second[1]);
  let_ticks_pass(3);
  if (strcmp(arguments[1], "kill") == 0) kill(getpid(), SIGKILL);
  return 0;
}
