// fails_to_exec: every exec and spawn of a program that is not there, with the errno of each: by the process itself, a
// vfork child, a forked child that has done nothing else; and by a pointer that leads nowhere. Then a program that is.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

extern char** environ;
static char missing[] = "/no/such/program";
static char* command[] = {missing, NULL};

static int try_all(void) {
  int good = 0;
  good += execve(missing, command, environ) == -1 && errno == ENOENT;
  good += execv(missing, command) == -1 && errno == ENOENT;
  good += execvp("no-such-program", command) == -1 && errno == ENOENT;
  good += execvpe("no-such-program", command, environ) == -1 && errno == ENOENT;
  good += execl(missing, missing, (char*)NULL) == -1 && errno == ENOENT;
  good += execlp("no-such-program", missing, (char*)NULL) == -1 && errno == ENOENT;
  good += execle(missing, missing, (char*)NULL, environ) == -1 && errno == ENOENT;
  good += fexecve(0, command, environ) == -1 && errno != 0;
  good += fexecve(-1, command, environ) == -1 && errno != 0;
  good += execveat(AT_FDCWD, missing, command, environ, 0) == -1 && errno == ENOENT;
  good += execve((const char*)8, command, environ) == -1 && errno == EFAULT;
  return good;
}

static int status_of(pid_t child) {
  int status = -1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void) {
  print("itself %d\n", try_all());
  pid_t child = vfork();
  if (child == 0) _exit(try_all());
  print("vfork %d\n", status_of(child));
  child = fork();
  if (child == 0) _exit(try_all());
  print("fork %d\n", status_of(child));
  child = 0;
  print("spawn %d\n", posix_spawn(&child, missing, NULL, NULL, command, environ));
  print("spawn %d\n", posix_spawnp(NULL, "no-such-program", NULL, NULL, command, environ));
  // The exec that succeeds is the last of several, in one process.
  char program[] = "true";
  char* succeeds[] = {program, NULL};
  child = vfork();
  if (child == 0) {
    try_all();
    execvp(program, succeeds);
    _exit(127);
  }
  print("succeeds %d\n", status_of(child));
  return 0;
}
