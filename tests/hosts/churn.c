// churn ROUNDS [LIMIT VALUE | chdir DIR | chroot DIR | rename DIR | remove FILE | close FD | unlink FILE | cut
// WHERE]...: allocates and frees ROUNDS times from many stacks before and after each of the given changes, which may
// leave the recorder without room. LIMIT: fsize, nofile, as. rename, remove: of the directory record-here; the file
// trace.bin in it gets the name FILE before it is removed with its directory. close: FD and all above. cut: the file
// trace.bin, to nothing or behind the pages that are in use (WHERE: all, free).
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tally.h"

static __attribute__((noinline)) void along(unsigned path, int depth) {
  if (depth == 0) {
    const size_t bytes = path % 1000 + 1;
    free(hidden(tally_add(malloc(bytes), bytes)));
    tally_sub(bytes);
    return;
  }
  if (path >> depth & 1) {
    along(path, depth - 1);
    __asm__ volatile("nop");
  } else {
    along(path, depth - 1);
    __asm__ volatile("");
  }
}

static void churn(long rounds) {
  for (long i = 0; i < rounds; ++i) along((unsigned)(i * 2654435761u % 4096), 12);
}

static void limit(int what, const char* value) {
  struct rlimit now;
  getrlimit((__rlimit_resource_t)what, &now);
  now.rlim_cur = strtoul(value, NULL, 10);
  if (setrlimit((__rlimit_resource_t)what, &now) != 0) print("cannot set a limit: errno %d\n", errno);
}

static void remove_directory(const char* kept) {
  if (link("record-here/trace.bin", kept) != 0 || unlink("record-here/trace.bin") != 0 || rmdir("record-here") != 0)
    print("cannot remove: errno %d\n", errno);
}

static void cut(const char* where) {
  const int fd = open("trace.bin", O_RDWR | O_CLOEXEC);
  if (fd < 0) return;  // natively
  uint64_t pages = 0;
  if (pread(fd, &pages, sizeof pages, 256) != sizeof pages) print("no page count\n");
  if (ftruncate(fd, strcmp(where, "all") == 0 ? 0 : (off_t)(pages << 14)) != 0) print("cannot cut: errno %d\n", errno);
  close(fd);
}

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const long rounds = atol(arguments[1]);
  churn(rounds);
  for (int i = 2; i + 1 < count; i += 2) {
    const char* value = arguments[i + 1];
    if (strcmp(arguments[i], "fsize") == 0) limit(RLIMIT_FSIZE, value);
    if (strcmp(arguments[i], "nofile") == 0) limit(RLIMIT_NOFILE, value);
    if (strcmp(arguments[i], "as") == 0) limit(RLIMIT_AS, value);
    if (strcmp(arguments[i], "chdir") == 0 && chdir(value) != 0) print("cannot change to %s\n", value);
    if (strcmp(arguments[i], "chroot") == 0 && (chroot(value) != 0 || chdir("/") != 0)) print("no chroot\n");
    if (strcmp(arguments[i], "rename") == 0 && rename("record-here", value) != 0) print("cannot rename\n");
    if (strcmp(arguments[i], "remove") == 0) remove_directory(value);
    if (strcmp(arguments[i], "unlink") == 0 && unlink(value) != 0) print("cannot unlink\n");
    if (strcmp(arguments[i], "cut") == 0) cut(value);
    if (strcmp(arguments[i], "close") == 0) closefrom(atoi(value));
    churn(rounds);
  }
  tally_add(hidden(malloc(3000)), 3000);
  expect("called_from.along", (uint64_t)rounds * (uint64_t)(count / 2));
  expect_tally();
  return 0;
}
