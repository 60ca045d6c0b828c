// A signal in a function that has set up no frame, at each of its instructions, the first one and the last one
// included: the interrupted pc is no return address, and must not be looked up as one. The handler allocates.
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tally.h"

// Each instruction reads a word through its argument, and faults while the page there is not readable.
long leaf_first(long* from);
long leaf_pushed(long* from);
long leaf_last(long* from);

#if defined(__x86_64__)
__asm__(
    ".text\n"
    // A neighbour without a gap, with another rule in force at its end.
    ".type neighbour,@function\nneighbour:\n.cfi_startproc\npush %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset rbx,-16\n"
    "sub $80,%rsp\n.cfi_def_cfa_offset 96\nud2\n.cfi_endproc\n.size neighbour,.-neighbour\n"
    ".globl leaf_first\n.type leaf_first,@function\nleaf_first:\n.cfi_startproc\nmov (%rdi),%rax\nret\n.cfi_endproc\n"
    ".size leaf_first,.-leaf_first\n"
    ".globl leaf_pushed\n.type leaf_pushed,@function\nleaf_pushed:\n.cfi_startproc\n"
    "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset rbp,-16\nmov $7,%rbp\nmov (%rdi),%rax\n"
    "pop %rbp\n.cfi_def_cfa_offset 8\n.cfi_restore rbp\nret\n.cfi_endproc\n.size leaf_pushed,.-leaf_pushed\n"
    // The fault comes right after the CFA has changed.
    ".globl leaf_last\n.type leaf_last,@function\nleaf_last:\n.cfi_startproc\n"
    "sub $40,%rsp\n.cfi_def_cfa_offset 48\nnop\nadd $40,%rsp\n.cfi_def_cfa_offset 8\nmov (%rdi),%rax\nret\n"
    ".cfi_endproc\n.size leaf_last,.-leaf_last\n");
#else
long leaf_first(long* from) { return *(volatile long*)from; }
long leaf_pushed(long* from) { return *(volatile long*)from; }
long leaf_last(long* from) { return *(volatile long*)from; }
#endif

static long* page;
static volatile int faults;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

// The fault is put right: the instruction runs again.
static void handle(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)info, (void)context;
  touch(80);
  ++faults;
  mprotect(page, 4096, PROT_READ);
}

static long fault(long (*leaf)(long*)) {
  mprotect(page, 4096, PROT_NONE);
  touch(12);
  return leaf(page);
}

__attribute__((noinline)) static long descend(int depth) {
  if (depth > 0) return descend(depth - 1) + 1;
  return fault(leaf_first) + fault(leaf_pushed) + fault(leaf_last);
}

int main(void) {
  page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  long sum = 0;
  for (int i = 0; i < 20; ++i) sum += descend(i);
  print("faults %d sum %ld\n", faults, sum);
  expect_tally();
  return 0;
}
