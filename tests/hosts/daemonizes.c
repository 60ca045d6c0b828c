// Becomes a daemon as they do: fork, a session of its own, fork again, every descriptor closed. Its parents end at
// once; the daemon goes to /, allocates after them and leaves a file that says so.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tally.h"

static char report_path[4096];

int main(void) {
  if (getcwd(report_path, sizeof report_path - 16) == NULL) return 3;
  strcat(report_path, "/daemon.txt");
  void* inherited = malloc(333);
  print("parent\n");
  const pid_t child = fork();
  if (child != 0) {
    waitpid(child, NULL, 0);
    free(inherited);
    return 0;
  }
  setsid();
  if (chdir("/") != 0) _exit(3);
  if (fork() != 0) _exit(0);
  for (int fd = 0; fd < 1024; ++fd) close(fd);
  const int zero = open("/dev/null", O_RDWR);
  if (dup(zero) != 1 || dup(zero) != 2) _exit(1);
  for (int i = 0; i < 1000; ++i) free(hidden(malloc(444)));
  free(inherited);
  void* open_block = hidden(malloc(445));
  const int report = open(report_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (report < 0 || write(report, "daemon\n", 7) != 7) _exit(2);
  return open_block == NULL;
}
