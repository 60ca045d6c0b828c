// The one line for a trace that cannot begin: where, what was expected there, what was found.
#pragma once

namespace memprof {

// `error` is a negative errno.
void say_cannot_record(const char* path, long error);

}  // namespace memprof
