// Mappings of each kind, each of a size of its own, all left open; some were moved, or grew.
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
  char* moved = mmap(NULL, 3 * page, rights, MAP_SHARED, file, 0);
  if (mremap(moved, 3 * page, 20 * page, MREMAP_MAYMOVE) == MAP_FAILED) return 4;
  moved = mmap(NULL, 3 * page, rights, MAP_PRIVATE, file, 0);
  munmap(moved + page, page);  // two parts: what is left of it is what it was
  if (mremap(moved + 2 * page, page, 21 * page, MREMAP_MAYMOVE) == MAP_FAILED) return 4;
  munmap(moved, page);
  moved = mmap(NULL, 2 * page, rights, MAP_PRIVATE, file, 0);
  mmap(moved, 2 * page, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);  // and what was is not any more
  if (mremap(moved, 2 * page, 22 * page, MREMAP_MAYMOVE) == MAP_FAILED) return 4;
  moved = mmap(NULL, page, rights, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mremap(moved, 0, page, MREMAP_MAYMOVE) == MAP_FAILED) return 4;  // a second view
  // Segments of System V: one that stays, one that goes, one that goes from where it was moved to. A machine may have
  // none.
  const int segment = shmget(IPC_PRIVATE, 7 * page, 0600);
  if (segment < 0) return 0;
  void* stays = shmat(segment, NULL, 0);
  void* goes = shmat(segment, NULL, SHM_RDONLY);
  void* moves = shmat(segment, NULL, 0);
  shmctl(segment, IPC_RMID, NULL);
  if (stays == (void*)-1 || goes == (void*)-1 || moves == (void*)-1) return 2;
  if (shmdt(goes) != 0 || shmdt(goes) == 0) return 3;
  void* place = mmap(NULL, 7 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mremap(moves, 7 * page, 7 * page, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place) return 4;
  if (shmdt(place) != 0) return 3;
  print("segments\n");
  return 0;
}
