// longjmp out of a signal handler may leave a recorder entry for good. The hooks tell the recorder where the jump goes,
// then jump; nothing else changes.
#include <setjmp.h>

#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/next_function.h"
#include "thread_state/thread_state.h"

using namespace memprof;

namespace {

using Jump = void(struct __jmp_buf_tag*, int);

// The stack pointer that a jump buffer holds. glibc mangles it on x86-64: rotated left by 17 after xor with the pointer
// guard at %fs:0x30 (sysdeps/unix/sysv/linux/x86_64/pointer_guard.h). 0: not known, then nothing is forgotten.
uintptr_t target_stack(const struct __jmp_buf_tag* buffer) {
#if defined(__x86_64__)
  constexpr int kStackPointer = 6;  // JB_RSP
  const auto mangled = static_cast<uintptr_t>(buffer->__jmpbuf[kStackPointer]);
  uintptr_t guard;
  asm("mov %%fs:0x30, %0" : "=r"(guard));
  return (mangled >> 17 | mangled << 47) ^ guard;
#else
  (void)buffer;
  return 0;
#endif
}

[[noreturn]] void jump(Jump* next, struct __jmp_buf_tag* buffer, int value) {
  leave_calls_below(target_stack(buffer));
  const ThreadState* state = current_state;
  if (state != nullptr && state->busy != Busy::idle) forget_abandoned(target_stack(buffer));
  next(buffer, value);
  __builtin_unreachable();
}

constinit NextFunction<Jump> next_longjmp("longjmp");
constinit NextFunction<Jump> next_underscore_longjmp("_longjmp");
constinit NextFunction<Jump> next_siglongjmp("siglongjmp");
constinit NextFunction<Jump> next_longjmp_chk("__longjmp_chk");

MEMPROF_FIND_NEXT void find_next() {
  next_longjmp.get();
  next_underscore_longjmp.get();
  next_siglongjmp.get();
  next_longjmp_chk.get();
}

}  // namespace

MEMPROF_EXPORT void longjmp(struct __jmp_buf_tag* buffer, int value) noexcept {
  jump(next_longjmp.get(), buffer, value);
}
MEMPROF_EXPORT void _longjmp(struct __jmp_buf_tag* buffer, int value) noexcept {
  jump(next_underscore_longjmp.get(), buffer, value);
}
MEMPROF_EXPORT void siglongjmp(struct __jmp_buf_tag* buffer, int value) noexcept {
  jump(next_siglongjmp.get(), buffer, value);
}
// What -D_FORTIFY_SOURCE calls.
MEMPROF_EXPORT void __longjmp_chk(struct __jmp_buf_tag* buffer, int value) noexcept {
  jump(next_longjmp_chk.get(), buffer, value);
}

MEMPROF_LATE_NAME(longjmp);
MEMPROF_LATE_NAME(_longjmp);
MEMPROF_LATE_NAME(siglongjmp);
MEMPROF_LATE_NAME(__longjmp_chk);

void memprof::list_jump_hooks(LateHooks& hooks) {
  hooks.add("longjmp", memprof_late_longjmp, next_longjmp.place());
  hooks.add("_longjmp", memprof_late__longjmp, next_underscore_longjmp.place());
  hooks.add("siglongjmp", memprof_late_siglongjmp, next_siglongjmp.place());
  hooks.add("__longjmp_chk", memprof_late___longjmp_chk, next_longjmp_chk.place());
}
