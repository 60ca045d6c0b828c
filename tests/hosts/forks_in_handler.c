// forks_in_handler HOW: a timer's handler forks, mostly inside malloc and free, and the child returns from the handler
// into what was interrupted, as the parent does. HOW: quiet, or allocates (in the child's handler, by mmap). How often
// the parent went round differs from run to run and is left in the file "rounds".
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tally.h"

enum { kForks = 30 };

static volatile sig_atomic_t forks, in_child;
static int allocates;

static void split(int number) {
  (void)number;
  if (in_child || forks == kForks) return;
  if (fork() != 0) {
    ++forks;
    return;
  }
  in_child = 1;
  if (allocates) munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  allocates = strcmp(arguments[1], "allocates") == 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = split;
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 2000}, {0, 2000}};
  const struct itimerval off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  unsigned long rounds = 0;
  for (; forks < kForks && !in_child; ++rounds) free(hidden(malloc(40)));
  if (in_child) {
    for (int i = 0; i < 1000; ++i) free(hidden(malloc(77)));
    _exit(0);
  }
  setitimer(ITIMER_REAL, &off, NULL);
  int good = 0;
  for (int status; wait(&status) > 0;) good += status == 0;
  print("%d children\n", good);
  const int file = open("rounds", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  char text[32];
  const int length = snprintf(text, sizeof text, "%lu", rounds);
  return write(file, text, (size_t)length) != length;
}
