// What the stubs of patched functions jump to, with the context on top of the stack, above the return address.
//
// Callers that were compiled together with a function may know which registers it leaves alone, and keep values there
// (gcc's -fipa-ra). So each is as it was when the function itself is entered, and as the function left it when the
// caller goes on. (Of vector registers the low 128 bits: the recorder has no wider instructions.)
#if defined(__x86_64__)

// The functions of allocators: memprof_before_hooked_call(), the function, memprof_after_hooked_call().
//
// Exceptions of the function's own pass through; the personality takes the mark of the call away. Offsets from rbx:
// 0 arguments, 48 rax r10 r11, 72 the function, 80 CallState, 160 xmm, 416 what the function left.
asm(R"(
    .text
    .globl memprof_hook_call
    .hidden memprof_hook_call
    .type memprof_hook_call, @function
memprof_hook_call:
    .cfi_startproc
    .cfi_personality 0x1b, memprof_hook_personality
    .cfi_def_cfa_offset 16
    push %rbp
    .cfi_def_cfa_offset 24
    .cfi_offset %rbp, -24
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    push %rbx
    .cfi_offset %rbx, -32
    sub $504, %rsp
    and $-16, %rsp
    mov %rsp, %rbx
    mov %rdi, 0(%rbx)
    mov %rsi, 8(%rbx)
    mov %rdx, 16(%rbx)
    mov %rcx, 24(%rbx)
    mov %r8, 32(%rbx)
    mov %r9, 40(%rbx)
    mov %rax, 48(%rbx)
    mov %r10, 56(%rbx)
    mov %r11, 64(%rbx)
    call memprof_save_vectors
    mov %rbx, %rdi
    mov 8(%rbp), %rsi
    mov %rbp, %rdx
    lea 80(%rbx), %rcx
    call memprof_before_hooked_call
    mov 8(%rbp), %r11
    mov 0(%r11), %r10
    mov %r10, 72(%rbx)
    cmpq $0, 8(%r11)
    je 1f
    push 48(%rbp)
    push 40(%rbp)
    push 32(%rbp)
    push 24(%rbp)
1:  call memprof_restore_vectors
    mov 0(%rbx), %rdi
    mov 8(%rbx), %rsi
    mov 16(%rbx), %rdx
    mov 24(%rbx), %rcx
    mov 32(%rbx), %r8
    mov 40(%rbx), %r9
    mov 48(%rbx), %rax
    mov 56(%rbx), %r10
    mov 64(%rbx), %r11
    call *72(%rbx)
    mov %rbx, %rsp
    mov %rax, 416(%rbx)
    mov %rdx, 424(%rbx)
    mov %rcx, 432(%rbx)
    mov %rsi, 440(%rbx)
    mov %rdi, 448(%rbx)
    mov %r8, 456(%rbx)
    mov %r9, 464(%rbx)
    mov %r10, 472(%rbx)
    mov %r11, 480(%rbx)
    call memprof_save_vectors
    mov %rax, %rdi
    mov %rbx, %rsi
    mov 8(%rbp), %rdx
    lea 80(%rbx), %rcx
    call memprof_after_hooked_call
    call memprof_restore_vectors
    mov 416(%rbx), %rax
    mov 424(%rbx), %rdx
    mov 432(%rbx), %rcx
    mov 440(%rbx), %rsi
    mov 448(%rbx), %rdi
    mov 456(%rbx), %r8
    mov 464(%rbx), %r9
    mov 472(%rbx), %r10
    mov 480(%rbx), %r11
    mov -8(%rbp), %rbx
    leave
    .cfi_restore %rbx
    .cfi_restore %rbp
    .cfi_def_cfa %rsp, 16
    lea 8(%rsp), %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size memprof_hook_call, . - memprof_hook_call
)");

#define MEMPROF_EACH_VECTOR(move)                                                                                      \
  move(0, 160) move(1, 176) move(2, 192) move(3, 208) move(4, 224) move(5, 240) move(6, 256) move(7, 272) move(8, 288) \
      move(9, 304) move(10, 320) move(11, 336) move(12, 352) move(13, 368) move(14, 384) move(15, 400)
#define MEMPROF_SAVE(number, at) "    movaps %xmm" #number ", " #at "(%rbx)\n"
#define MEMPROF_RESTORE(number, at) "    movaps " #at "(%rbx), %xmm" #number "\n"

asm(".text\n.type memprof_save_vectors, @function\nmemprof_save_vectors:\n    .cfi_startproc\n"  //
    MEMPROF_EACH_VECTOR(MEMPROF_SAVE)                                                            //
    "    ret\n    .cfi_endproc\n.size memprof_save_vectors, . - memprof_save_vectors\n");
asm(".text\n.type memprof_restore_vectors, @function\nmemprof_restore_vectors:\n    .cfi_startproc\n"  //
    MEMPROF_EACH_VECTOR(MEMPROF_RESTORE)                                                               //
    "    ret\n    .cfi_endproc\n.size memprof_restore_vectors, . - memprof_restore_vectors\n");

// Functions of libc that memprof has hooks of the same kind for (interpose/late_hooks.h: LateEntry). What libc calls
// for itself goes on to the function, as it never comes by where memprof is preloaded.
asm(R"(
    .text
    .globl memprof_enter_hook
    .hidden memprof_enter_hook
    .type memprof_enter_hook, @function
memprof_enter_hook:
    .cfi_startproc
    .cfi_def_cfa_offset 16
    push %r10
    .cfi_def_cfa_offset 24
    push %r11
    .cfi_def_cfa_offset 32
    mov 16(%rsp), %r11
    mov 24(%rsp), %r10
    sub 16(%r11), %r10
    cmp 24(%r11), %r10
    jb 1f
    mov (%r11), %r11
    jmp 2f
1:
    mov 8(%r11), %r11
2:
    mov %r11, 16(%rsp)
    pop %r11
    .cfi_def_cfa_offset 24
    pop %r10
    .cfi_def_cfa_offset 16
    ret
    .cfi_endproc
    .size memprof_enter_hook, . - memprof_enter_hook
)");

#endif
