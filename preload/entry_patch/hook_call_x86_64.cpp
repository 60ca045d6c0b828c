// What the stubs of patched functions jump to.
#if defined(__x86_64__)

// The functions of allocators: keeps the arguments in an array, and calls on_hooked_call().
//
// Its unwinding rules are whole, as exceptions of the function's own pass through it. Stack arguments stay where they
// are: behind the frame.
asm(R"(
    .text
    .globl memprof_hook_call
    .hidden memprof_hook_call
    .type memprof_hook_call, @function
memprof_hook_call:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    sub $48, %rsp
    and $-16, %rsp
    mov %rdi, 0(%rsp)
    mov %rsi, 8(%rsp)
    mov %rdx, 16(%rsp)
    mov %rcx, 24(%rsp)
    mov %r8, 32(%rsp)
    mov %r9, 40(%rsp)
    mov %rsp, %rdi
    mov %r11, %rsi
    mov %rbp, %rdx
    call memprof_on_hooked_call
    leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size memprof_hook_call, . - memprof_hook_call
)");

// Functions of libc that memprof has hooks of the same kind for (interpose/late_hooks.h: LateEntry). What libc calls
// for itself goes on to the function, as it never comes by where memprof is preloaded. No register of an argument is
// touched, al of a variadic call included.
asm(R"(
    .text
    .globl memprof_enter_hook
    .hidden memprof_enter_hook
    .type memprof_enter_hook, @function
memprof_enter_hook:
    .cfi_startproc
    mov (%rsp), %r10
    sub 16(%r11), %r10
    cmp 24(%r11), %r10
    jb 1f
    jmp *(%r11)
1:
    jmp *8(%r11)
    .cfi_endproc
    .size memprof_enter_hook, . - memprof_enter_hook
)");

#endif
