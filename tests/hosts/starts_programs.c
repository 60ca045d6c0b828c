// starts_programs HOW PROGRAM ARGUMENT: runs another program by vfork, posix_spawn, system, popen or fork + exec, with
// allocations before and after, and in a vfork child none.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

extern char** environ;

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const char* how = arguments[1];
  char* command[] = {arguments[2], arguments[3], NULL};
  void* before = tally_add(malloc(111), 111);
  int status = -1;
  pid_t child = 0;
  if (strcmp(how, "vfork") == 0) {
    child = vfork();
    if (child == 0) {
      execv(command[0], command);
      _exit(127);
    }
    waitpid(child, &status, 0);
  } else if (strcmp(how, "vfork_exit") == 0) {
    child = vfork();
    if (child == 0) _exit(5);
    waitpid(child, &status, 0);
  } else if (strcmp(how, "posix_spawn") == 0) {
    if (posix_spawn(&child, command[0], NULL, NULL, command, environ) != 0) return 3;
    waitpid(child, &status, 0);
  } else if (strcmp(how, "fork") == 0) {
    child = fork();
    if (child == 0) {
      execv(command[0], command);
      _exit(127);
    }
    waitpid(child, &status, 0);
  } else {
    char line[4096];
    snprintf(line, sizeof line, "%s %s", command[0], command[1]);
    if (strcmp(how, "system") == 0) {
      status = system(line);
    } else {
      FILE* output = popen(line, "r");
      while (fgets(line, sizeof line, output) != NULL) print_text(line);
      status = pclose(output);
    }
  }
  void* after = tally_add(malloc(222), 222);
  free(before);
  tally_sub(111);
  free(after);
  tally_sub(222);
  print("status %d\n", status);
  expect("sized.111", 1);
  expect("sized.222", 1);
  expect("open", 0);
  expect("orphans", 0);
  if (strcmp(how, "popen") != 0) expect_tally();
  return 0;
}
