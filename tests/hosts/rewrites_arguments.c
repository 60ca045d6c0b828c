// Takes its own arguments away, as programs do that set their title, then forks: a child's trace names the command,
// too.
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

int main(int count, char** arguments) {
  for (int i = 0; i < count; ++i) {
    memset(arguments[i], 0, strlen(arguments[i]));
    arguments[i] = NULL;
  }
  const pid_t child = fork();
  free(hidden(malloc(2100)));
  if (child == 0) _exit(3);
  int status = 0;
  waitpid(child, &status, 0);
  print("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  expect("sized.2100", 1);
  return 0;
}
