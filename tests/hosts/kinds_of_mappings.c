// One mapping of each kind, each of a size of its own, all left open.
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
  // Segments of System V: one that stays, one that goes. A machine may have none.
  const int segment = shmget(IPC_PRIVATE, 7 * page, 0600);
  if (segment < 0) return 0;
  void* stays = shmat(segment, NULL, 0);
  void* goes = shmat(segment, NULL, SHM_RDONLY);
  shmctl(segment, IPC_RMID, NULL);
  if (stays == (void*)-1 || goes == (void*)-1) return 2;
  if (shmdt(goes) != 0 || shmdt(goes) == 0) return 3;
  print("segments\n");
  return 0;
}
