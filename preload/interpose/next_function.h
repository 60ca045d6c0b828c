// The function that a hook stands in front of. Looked up by the constructors of the hook files, because hooks may run
// where dlsym may not: in signal handlers and in forked children.
#pragma once

#include <dlfcn.h>

namespace memprof {

template <typename F>
class NextFunction {
 public:
  constexpr explicit NextFunction(const char* name) : name_(name) {}
  // The look-up happens here only when a hook runs before the constructors.
  F* get() {
    if (__builtin_expect(function_ == nullptr, 0)) function_ = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name_));
    return function_;
  }
  void** place() { return reinterpret_cast<void**>(&function_); }

 private:
  const char* name_;
  F* function_ = nullptr;
};

// Runs after begin_process (101), before any other constructor of the process.
#define MEMPROF_FIND_NEXT __attribute__((constructor(102)))

}  // namespace memprof
