// Mappings have a domain of their own: whole and partial unmapping, growth, moves, what a mapping replaces.
#define _GNU_SOURCE
#include <sys/mman.h>

#include "tally.h"

static const size_t page = 4096;

static char* map(size_t pages) {
  char* start = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) {
    print("mmap failed\n");
    _exit(1);
  }
  start[0] = 1;
  return start;
}

int main(void) {
  munmap(map(10), 10 * page);  // gone

  char* both_ends = map(8);
  munmap(both_ends, page);
  munmap(both_ends + 7 * page, page);  // 6 pages stay

  char* middle = map(9);
  munmap(middle + 4 * page, page);  // 8 pages stay, in two pieces

  char* grown = map(2);
  grown = mremap(grown, 2 * page, 20 * page, MREMAP_MAYMOVE);
  grown[20 * page - 1] = 1;  // 20 pages stay

  char* shrunk = map(16);
  if (mremap(shrunk, 16 * page, 3 * page, 0) != shrunk) print("mremap moved what it should shrink\n");  // 3 pages

  char* replaced = map(5);
  if (mmap(replaced, 5 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != replaced) return 1;
  munmap(replaced, 5 * page);  // gone, both

  char* first = map(12);
  char* second = first + 6 * page;
  munmap(first, 6 * page);
  munmap(second, 6 * page);  // gone, in two steps

  print("failures %d %d\n", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
        munmap((void*)1, page));
  expect("mmap.open_bytes", (6 + 8 + 20 + 3) * page);
  expect("allocations", 0);
  expect("open", 0);
  return 0;
}
