// One mapping of each kind, each of a size of its own, all left open.
#define _GNU_SOURCE
#include <sys/mman.h>

#include "tally.h"

static const size_t page = 4096;
static const int rights = PROT_READ | PROT_WRITE;

int main(void) {
  const int file = memfd_create("mapped", 0);
  if (file < 0 || ftruncate(file, 64 * page) != 0) return 1;
  mmap(NULL, 1 * page, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mmap(NULL, 2 * page, rights, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mmap(NULL, 3 * page, rights, MAP_PRIVATE, file, 0);
  mmap(NULL, 4 * page, rights, MAP_SHARED, file, 0);
  mmap(NULL, 5 * page, rights, MAP_SHARED_VALIDATE, file, 0);
  char* shrunk = mmap(NULL, 16 * page, rights, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mremap(shrunk, 16 * page, 6 * page, 0);
  return 0;
}
