// The only way memprof speaks: one line on the stderr that the program was started with.
#pragma once

#include <stddef.h>

namespace memprof {

// Remembers which file fd 2 is now; called once, before the host runs.
void remember_stderr();

// Writes "memprof: " + text + newline, if fd 2 is still that file: a daemon that closed it may have reused the number
// for its data. Never waits and raises no signal: a line that cannot be written at once is left out. Async-signal-safe.
void say(const char* text);

// From now on lines go there instead, each with a newline: to whoever attaches memprof. nullptr: no more. With no other
// thread that could say anything.
void collect_lines(char* to, size_t bytes);

}  // namespace memprof
