// The gate to the kernel (platform/syscalls.h) from the host's side: closed before a filter is in force, opened when
// the kernel has refused it, or when the vfork child that took it is gone.
#pragma once

namespace memprof {

// In a forked child, which begins its trace: its filters are its parent's, but those who were changing the gate are not
// there.
void reset_gate();

// A vfork child that has taken a filter, and whose parent is to go on as before.
bool is_confined_guest();
// True: the caller is such a child, and about to end or to become another program.
bool leave_as_guest();
// It did not.
bool stay_as_guest();
// Where pages are claimed: opens the gate when the caller is the parent again.
void open_gate_after_guest();

}  // namespace memprof
