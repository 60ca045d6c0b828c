// Random calls that map memory, by several threads, each within a window of its own. The kernel is the oracle: at its
// end the program prints what /proc/self/maps says of the windows, and of what kind each mapping is.
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "tally.h"

enum { kThreads = 3, kPages = 256, kSteps = 4000, kPage = 4096 };

static char* windows[kThreads];
static int file;

static void step(char* window, uint64_t* random) {
  const size_t first = next_random(random) % kPages, room = kPages - first;
  const size_t pages = 1 + next_random(random) % (room < 24 ? room : 24);
  char* at = window + first * kPage;
  const size_t cut = next_random(random) % kPage;  // sizes need not be whole pages
  const size_t bytes = pages * kPage - cut;
  const int protection = next_random(random) % 3 == 0 ? PROT_NONE : PROT_READ | PROT_WRITE;
  const size_t other_first = next_random(random) % (kPages - 24);
  char* other = window + other_first * kPage;
  const size_t other_bytes = (1 + next_random(random) % 24) * kPage;
  switch (next_random(random) % 11) {
    case 0:
    case 1: mmap(at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
    case 2: mmap(at, bytes, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
    case 3: mmap(at, bytes, protection, MAP_PRIVATE | MAP_FIXED, file, 0); break;
    case 4: mmap64(at, bytes, protection, MAP_SHARED | MAP_FIXED, file, 0); break;
    case 5: mmap(at, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0); break;
    case 6:
    case 10: munmap(at, bytes); break;
    case 7: mremap(at, bytes, other_bytes < (size_t)room * kPage ? other_bytes : bytes, 0); break;
    case 8:  // with its size kept it may be many mappings, with holes between them (Linux 6.17)
      mremap(at, bytes, next_random(random) % 2 == 0 ? bytes : other_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, other);
      break;
    case 9:
      if (next_random(random) % 2 == 0)
        mremap(at, 0, other_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, other);  // a second view of what is shared
      else
        mremap(at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | 4 /* MREMAP_DONTUNMAP */, other);
      break;
  }
}

static void* work(void* argument) {
  const size_t number = (size_t)argument;
  uint64_t random = 77 + number;
  for (int i = 0; i < kSteps; ++i) step(windows[number], &random);
  return NULL;
}

int main(void) {
  file = memfd_create("mapped", 0);
  if (file < 0 || ftruncate(file, kPages * kPage) != 0) return 1;
  // Far below what the kernel gives out by itself, and the same in every run.
  for (size_t i = 0; i < kThreads; ++i) windows[i] = (char*)0x200000000000 + i * 0x10000000;
  pthread_t threads[kThreads];
  for (size_t i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, work, (void*)i);
  for (size_t i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);

  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long begin, end;
    char rights[5], name[32] = "";
    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %31s", &begin, &end, rights, name) < 3) continue;
    if (begin < 0x200000000000 || begin >= 0x201000000000) continue;
    const int is_file = strncmp(name, "/memfd:", 7) == 0, is_shared = rights[3] == 's';
    print("mapped %lx %lx %s%s\n", begin, end, is_shared ? "-shared" : "", is_file ? "-file" : "");
  }
  return 0;
}
