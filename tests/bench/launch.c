// launch REPORT [NAME=VALUE]... -- COMMAND [ARGUMENT]...: runs the command with the variables added to its environment,
// and writes to REPORT what it took: wall time from before the fork to the end, and the kernel's account of the command
// and of those of its children that it waited for. Small, so that its own memory does not count as the command's.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000LL + time.tv_usec; }

int main(int count, char** arguments) {
  int command = 2;
  while (command < count && strcmp(arguments[command], "--") != 0) ++command;
  if (++command >= count) return 2;
  FILE* report = fopen(arguments[1], "we");
  if (report == NULL) return 2;

  const long long started = nanoseconds();
  const pid_t child = fork();
  if (child < 0) return 2;
  if (child == 0) {
    for (int i = 2; i < command - 1; ++i) putenv(arguments[i]);
    execvp(arguments[command], arguments + command);
    _exit(127);
  }
  int status;
  struct rusage used;
  if (wait4(child, &status, 0, &used) != child) return 2;
  const long long ended = nanoseconds();

  fprintf(report,
          "{\"wall_ns\": %lld, \"user_us\": %lld, \"system_us\": %lld, \"peak_rss_kib\": %ld, \"status\": %d}\n",
          ended - started, microseconds(used.ru_utime), microseconds(used.ru_stime), used.ru_maxrss,
          WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
  return fclose(report) == 0 ? 0 : 2;
}
