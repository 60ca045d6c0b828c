// Reads memory of the process itself by way of the kernel: what cannot be read, a file that was cut or memory kept from
// us, is an error and no signal.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/syscalls.h"

namespace memprof {

// How many bytes it got from `start` on; none or less than none when the first cannot be read.
inline long read_by_kernel(uintptr_t start, void* out, size_t bytes) {
  struct {
    void* start;
    size_t bytes;
  } to{out, bytes}, from{reinterpret_cast<void*>(start), bytes};  // the kernel's iovec
  return sys::call(SYS_process_vm_readv, sys::process_id(), sys::arg(&to), 1, sys::arg(&from), 1, 0);
}

}  // namespace memprof
