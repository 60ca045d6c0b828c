// One mapping of each kind, each of a size of its own, all left open but the segment that is detached.
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/shm.h>

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
  const int segment = shmget(IPC_PRIVATE, 7 * page, IPC_CREAT | 0600);
  char* kept = shmat(segment, NULL, 0);
  char* detached = shmat(segment, NULL, 0);
  shmctl(segment, IPC_RMID, NULL);
  if (kept == (char*)-1 || detached == (char*)-1) return 1;
  errno = 0;
  print("detached %d %d\n", shmdt(detached), errno);
  print("again %d %d\n", shmdt(detached), errno);
  print("no segment %d %d\n", shmat(-1, NULL, 0) == (void*)-1, errno);
  return 0;
}
