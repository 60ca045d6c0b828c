// Signals that a person sends to a recorded program: MEMPROF_TOGGLE, MEMPROF_SNAPSHOT.
#pragma once

namespace memprof {

// A handler of the program's own for a signal takes its place: later, where memprof was there first. Where it is there
// already, one line says so.
void wait_for_signals();
// Gives those that are still memprof's back.
void give_signals_back();

}  // namespace memprof
