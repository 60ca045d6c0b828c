// Obstacks of glibc. (A program's own copy of these functions is hooked where it lies: allocators/. So are glibc's
// where memprof was not there when the program began.)
//
// Invariant: nothing is held while the next function runs: the program's handler of a failure may leave it by longjmp.
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "allocators/families.h"
#include "interpose/hook.h"
#include "interpose/next_function.h"
#include "interpose/obstack_chunks.h"

using namespace memprof;

namespace {

// Whole registers: glibc's sizes are int, those of a library's own copy that is found next may be size_t.
using Begin = int(struct obstack*, uint64_t, uint64_t, void*, void*);
using BeginWithArgument = int(struct obstack*, uint64_t, uint64_t, void*, void*, void*);
using Grow = void(struct obstack*, uint64_t);
using Free = void(struct obstack*, void*);
using Print = int(struct obstack*, const char*, va_list);
using CheckedPrint = int(struct obstack*, int, const char*, va_list);

constinit NextFunction<Begin> next_begin("_obstack_begin");
constinit NextFunction<BeginWithArgument> next_begin_with_argument("_obstack_begin_1");
constinit NextFunction<Grow> next_grow("_obstack_newchunk");
constinit NextFunction<Free> next_free("obstack_free");
constinit NextFunction<Free> next_underscore_free("_obstack_free");
constinit NextFunction<Print> next_print("obstack_vprintf");
constinit NextFunction<CheckedPrint> next_checked_print("__obstack_vprintf_chk");

constinit Function beginning = Function::none, beginning_with_argument = Function::none, growing = Function::none,
                   freeing = Function::none, underscore_freeing = Function::none;

MEMPROF_FIND_NEXT void find_next() {
  next_begin.get();
  next_begin_with_argument.get();
  next_grow.get();
  next_free.get();
  next_underscore_free.get();
  next_print.get();
  next_checked_print.get();
  beginning = number_of_function("obstack", "_obstack_begin");
  beginning_with_argument = number_of_function("obstack", "_obstack_begin_1");
  growing = number_of_function("obstack", "_obstack_newchunk");
  freeing = number_of_function("obstack", "obstack_free");
  underscore_freeing = number_of_function("obstack", "_obstack_free");
}

const Obstack& read(const struct obstack* obstack) { return *reinterpret_cast<const Obstack*>(obstack); }

// Of one call that may grow an obstack.
class Growth {
 public:
  explicit Growth(const struct obstack* obstack)
      : obstack_(read(obstack)), top_(top_of(obstack_)), begin_ticks_(read_ticks_after_loads()) {}
  void note(const CapturePoint& caller) const {
    if (growing != Function::none) note_obstack_grown(obstack_, top_, growing, begin_ticks_, caller);
  }

 private:
  const Obstack& obstack_;
  const ObstackTop top_;
  const uint64_t begin_ticks_;
};

void end_chunks(const struct obstack* obstack, const void* object, Function function, const CapturePoint& caller) {
  if (function != Function::none) end_obstack_chunks(read(obstack), object, function, caller);
}

}  // namespace

MEMPROF_EXPORT int _obstack_begin(struct obstack* obstack, uint64_t bytes, uint64_t alignment, void* take, void* give) {
  const int result = next_begin.get()(obstack, bytes, alignment, take, give);
  if (result != 0 && beginning != Function::none) note_obstack_begun(read(obstack), beginning, MEMPROF_CALLER());
  return result;
}
MEMPROF_EXPORT int _obstack_begin_1(struct obstack* obstack, uint64_t bytes, uint64_t alignment, void* take, void* give,
                                    void* argument) {
  const int result = next_begin_with_argument.get()(obstack, bytes, alignment, take, give, argument);
  if (result != 0 && beginning_with_argument != Function::none) {
    note_obstack_begun(read(obstack), beginning_with_argument, MEMPROF_CALLER());
  }
  return result;
}
MEMPROF_EXPORT void _obstack_newchunk(struct obstack* obstack, uint64_t bytes) {
  const Growth growth(obstack);
  next_grow.get()(obstack, bytes);
  growth.note(MEMPROF_CALLER());
}
MEMPROF_EXPORT void obstack_free(struct obstack* obstack, void* object) {
  end_chunks(obstack, object, freeing, MEMPROF_CALLER());
  next_free.get()(obstack, object);
}
MEMPROF_EXPORT void _obstack_free(struct obstack* obstack, void* object) {
  end_chunks(obstack, object, underscore_freeing, MEMPROF_CALLER());
  next_underscore_free.get()(obstack, object);
}

// These grow it by a call inside of libc.
MEMPROF_EXPORT int obstack_vprintf(struct obstack* obstack, const char* format, va_list arguments) {
  const Growth growth(obstack);
  const int result = next_print.get()(obstack, format, arguments);
  growth.note(MEMPROF_CALLER());
  return result;
}
MEMPROF_EXPORT int obstack_printf(struct obstack* obstack, const char* format, ...) {
  const Growth growth(obstack);
  va_list arguments;
  va_start(arguments, format);
  const int result = next_print.get()(obstack, format, arguments);
  va_end(arguments);
  growth.note(MEMPROF_CALLER());
  return result;
}
// What -D_FORTIFY_SOURCE calls.
MEMPROF_EXPORT int __obstack_vprintf_chk(struct obstack* obstack, int flag, const char* format, va_list arguments) {
  const Growth growth(obstack);
  const int result = next_checked_print.get()(obstack, flag, format, arguments);
  growth.note(MEMPROF_CALLER());
  return result;
}
MEMPROF_EXPORT int __obstack_printf_chk(struct obstack* obstack, int flag, const char* format, ...) {
  const Growth growth(obstack);
  va_list arguments;
  va_start(arguments, format);
  const int result = next_checked_print.get()(obstack, flag, format, arguments);
  va_end(arguments);
  growth.note(MEMPROF_CALLER());
  return result;
}
