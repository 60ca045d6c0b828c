// reuses_descriptors HOW: closes every descriptor that it did not open (close, closefrom, close_range, dup2 over each),
// opens files of its own under the same numbers, and goes on allocating. Nobody else's bytes may be in its files.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tally.h"

enum { kFiles = 60, kLimit = 1024 };

static void churn(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    void* block = tally_add(malloc(100 + (size_t)i % 50), 100 + (size_t)i % 50);
    free(hidden(block));
    tally_sub(100 + (size_t)i % 50);
  }
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  churn(10000);
  const int own = open("own", O_RDWR | O_CREAT | O_TRUNC, 0600);
  const int base = own;
  if (strcmp(arguments[1], "close") == 0) {
    for (int fd = 3; fd < kLimit; ++fd)
      if (fd != own) close(fd);
  } else if (strcmp(arguments[1], "closefrom") == 0) {
    close(own);
    closefrom(3);
  } else if (strcmp(arguments[1], "close_range") == 0) {
    close(own);
    syscall(SYS_close_range, 3u, ~0u, 0u);
  } else {
    for (int fd = 3; fd < kLimit; ++fd)
      if (fd != own) dup2(own, fd);
  }
  churn(100000);
  if (strcmp(arguments[1], "dup2") != 0) {
    for (int i = 0; i < kFiles; ++i) {
      char name[32];
      snprintf(name, sizeof name, "file%d", i);
      const int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
      if (write(fd, name, strlen(name)) != (ssize_t)strlen(name)) print("cannot write %s\n", name);
    }
  } else if (write(base, "once", 4) != 4) {
    print("cannot write\n");
  }
  churn(300000);
  int foreign = 0;
  for (int i = 0; i < kFiles; ++i) {
    char name[32];
    struct stat status;
    snprintf(name, sizeof name, "file%d", i);
    if (stat(name, &status) == 0 && status.st_size != (off_t)strlen(name)) ++foreign;
  }
  struct stat status;
  if (stat("own", &status) != 0 || status.st_size != (strcmp(arguments[1], "dup2") == 0 ? 4 : 0)) ++foreign;
  print("files with bytes of somebody else: %d\n", foreign);
  expect_tally();
  return 0;
}
