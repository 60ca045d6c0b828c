// Assembly without call frame information between two C functions. Where its instructions prove that it keeps a frame
// record, the stack goes on. Where they do not, what lies outside it cannot be known: the stack must be reported as
// cut, not guessed.
#include <stdlib.h>

#include "tally.h"

typedef int Inner(int);
typedef int Caller(Inner* function, int argument);

#if defined(__x86_64__)
#define FUNCTION(name, visible, size, x86_64, aarch64) \
  __asm__(".text\n.balign 16\n" visible "\n.type " #name ",@function\n" #name ":\n" x86_64 size "\n")
#define MAKE "push %rbp\nmov %rsp,%rbp\n"
#define CALL "mov %rdi,%rax\nmov %esi,%edi\ncall *%rax\n"
#else
#define FUNCTION(name, visible, size, x86_64, aarch64) \
  __asm__(".text\n.balign 16\n" visible "\n.type " #name ",%function\n" #name ":\n" aarch64 size "\n")
#define MAKE "stp x29,x30,[sp,#-32]!\nmov x29,sp\n"
#define CALL "mov x9,x0\nmov w0,w1\nblr x9\n"
#endif
#define GLOBAL(name) ".globl " #name
#define SIZE(name) ".size " #name ",.-" #name
#define VISIBLE(name, x86_64, aarch64) FUNCTION(name, GLOBAL(name), SIZE(name), x86_64, aarch64)
#define RESTORE_A64 "ldp x29,x30,[sp],#32\nret\n"

// Proved.
VISIBLE(keeps_record, MAKE CALL "pop %rbp\nret\n", MAKE CALL RESTORE_A64);
VISIBLE(has_locals,
        "endbr64\n" MAKE
        "push %rbx\nsub $72,%rsp\nmov %esi,-24(%rbp)\nmovaps %xmm5,-64(%rbp)\ntest %rdi,%rdi\njz 1f\n" CALL
        "1: cmpl $0,-24(%rbp)\njs 1b\nmov -8(%rbp),%rbx\nleave\nret\n",
        "hint #34\n" MAKE "str w1,[sp,#16]\nstr w1,[x29,#20]\ncbz x0,1f\n" CALL
        "1: ldr w1,[x29,#16]\ntbnz w1,#31,1b\n" RESTORE_A64);
VISIBLE(calls_frameless, MAKE "call frameless\npop %rbp\nret\n", MAKE "bl frameless\n" RESTORE_A64);
// Nobody says where it begins or ends.
FUNCTION(is_local, "", SIZE(is_local), MAKE CALL "pop %rbp\nret\n", MAKE CALL RESTORE_A64);
FUNCTION(has_no_size, GLOBAL(has_no_size), "", MAKE CALL "pop %rbp\nret\n", MAKE CALL RESTORE_A64);
VISIBLE(has_second_entry, MAKE ".globl second_entry\nsecond_entry:\n" CALL "pop %rbp\nret\n",
        MAKE ".globl second_entry\nsecond_entry:\n" CALL RESTORE_A64);
// The frame pointer is another one when it calls: that of its caller, or none.
VISIBLE(frameless, "sub $8,%rsp\n" CALL "add $8,%rsp\nret\n", "str x30,[sp,#-16]!\n" CALL "ldr x30,[sp],#16\nret\n");
VISIBLE(restores_early, MAKE "pop %rbp\nsub $8,%rsp\n" CALL "add $8,%rsp\nret\n",
        MAKE "ldr x29,[sp]\n" CALL "ldr x30,[sp,#8]\nadd sp,sp,#32\nret\n");
VISIBLE(moves_it, MAKE "sub $16,%rbp\n" CALL "add $16,%rbp\npop %rbp\nret\n",
        MAKE "sub x29,x29,#16\n" CALL "add x29,x29,#16\n" RESTORE_A64);

extern Caller keeps_record, has_locals, calls_frameless, is_local, has_no_size, has_second_entry, frameless,
    restores_early, moves_it;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

// A block for each way through: from 100 on.
static size_t base;

__attribute__((noinline)) static int inside(int depth) {
  touch(base + (size_t)depth);
  return depth > 0 ? inside(depth - 1) + 1 : 1;
}
__attribute__((noinline)) static int outside(Caller* caller, int depth) {
  touch(50);
  return depth > 0 ? outside(caller, depth - 1) + 1 : caller(inside, 2);
}
// Two records, one from within the other.
__attribute__((noinline)) static int between(int depth) { return keeps_record(inside, depth) + 1; }
__attribute__((noinline)) static int twice(Inner* function, int depth) {
  (void)function;
  return has_locals(between, depth) + 1;
}

static int run(const char* names, const char* how, Caller* caller) {
  static size_t next = 100;
  base = next;
  next += 10;
  int calls = 0;
  for (int depth = 0; depth < 5; ++depth) calls += outside(caller, depth);
  for (int depth = 0; depth <= 2; ++depth) {
    print("frames %zu %s touch", base + (size_t)depth, how);
    for (int i = depth; i <= 2; ++i) print(" inside");
    print(" %s\n", names);
  }
  return calls;
}

int main(void) {
  int calls = run("keeps_record outside", "whole", keeps_record);
  calls += run("has_locals outside", "whole", has_locals);
  calls += run("keeps_record between has_locals twice outside", "whole", twice);
  calls += run("frameless", "cut", calls_frameless);
  calls += run("is_local", "cut", is_local);
  calls += run("has_no_size", "cut", has_no_size);
  calls += run("has_second_entry", "cut", has_second_entry);
  calls += run("frameless", "cut", frameless);
  calls += run("restores_early", "cut", restores_early);
  calls += run("moves_it", "cut", moves_it);
  print("frames 50 whole touch outside\n");
  print("calls %d\n", calls);
  expect_tally();
  return 0;
}
