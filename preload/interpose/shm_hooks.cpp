// Segments of System V that the program attaches: mappings as others, of a size that only the kernel says.
//
// Invariant: what is attached without a known size (no system call may be made) is neither seen to come nor to go.
#include <sys/shm.h>

#include "allocators/defined_functions.h"
#include "interpose/attached_segments.h"
#include "interpose/hook.h"
#include "interpose/next_function.h"
#include "platform/syscalls.h"
#include "recorder/mapping_kinds.h"
#include "recorder/recorder.h"

using namespace memprof;

namespace {

constinit NextFunction<void*(int, const void*, int)> next_shmat("shmat");
constinit NextFunction<int(const void*)> next_shmdt("shmdt");
constinit Function attaching = Function::none, detaching = Function::none;

MEMPROF_FIND_NEXT void find_next() {
  next_shmat.get();
  next_shmdt.get();
  constexpr auto kFamily = static_cast<uint8_t>(format::Family::mapping);
  attaching = define_function("", "shmat", "mmap", format::Domain::mmap, kFamily);
  detaching = define_function("", "shmdt", "mmap", format::Domain::mmap, kFamily);
}

// 0: not known.
size_t segment_bytes(int id) {
  struct shmid_ds segment;
  return sys::call(SYS_shmctl, id, IPC_STAT, sys::arg(&segment)) == 0 ? segment.shm_segsz : 0;
}

}  // namespace

MEMPROF_EXPORT void* shmat(int id, const void* wanted, int flags) noexcept {
  void* const region = next_shmat.get()(id, wanted, flags);
  if (region == reinterpret_cast<void*>(-1)) return region;
  const size_t bytes = segment_bytes(id);
  note_unreadable(region, bytes);  // SHM_REMAP: in place of what was there
  note_kind(reinterpret_cast<uintptr_t>(region), bytes, MappingKind::shared);
  if (bytes != 0 && attaching != Function::none && remember_segment(reinterpret_cast<uintptr_t>(region), bytes)) {
    record_alloc(region, bytes, attaching, MEMPROF_CALLER());
  }
  return region;
}

MEMPROF_EXPORT int shmdt(const void* region) noexcept {
  const uint64_t begin_ticks = read_ticks();
  const size_t bytes = forget_segment(reinterpret_cast<uintptr_t>(region));
  if (bytes != 0) {
    note_unreadable(region, bytes);
    forget_kind(reinterpret_cast<uintptr_t>(region), bytes);
  }
  const int result = next_shmdt.get()(region);
  if (bytes == 0) return result;
  note_unreadable(region, bytes);
  if (result != 0) {
    remember_segment(reinterpret_cast<uintptr_t>(region), bytes);
    note_kind(reinterpret_cast<uintptr_t>(region), bytes, MappingKind::shared);
  } else {
    record_unmapped(const_cast<void*>(region), bytes, detaching, begin_ticks, MEMPROF_CALLER());
  }
  return result;
}
