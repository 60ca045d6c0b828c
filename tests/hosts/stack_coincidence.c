// Stacks that look like another one at some frame and are not the same: stack pointer, pc and frame pointer of a frame
// coincide, and where the outer frames of the other stack were, their return addresses still lie in memory, because
// the frames there now leave those words alone. Some paths are left by longjmp.
#include <setjmp.h>
#include <stdlib.h>

#include "tally.h"

// A function of assembly calls the next link's function with that link.
struct Link {
  void (*function)(const struct Link*);
  const struct Link* next;
  uintptr_t bytes;  // call_room: of its frame; leaf: to allocate
};

void call_small(const struct Link* link);   // 32 bytes with the return address
void call_large(const struct Link* link);   // 64
void call_number(const struct Link* link);  // saves rbp, which is 7 then
void call_room(const struct Link* link);    // 16 + link->bytes, from rbp

#if defined(__x86_64__)
#define FUNCTION(name, body)                                                                      \
  __asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n.cfi_startproc\n" body \
          "\n.cfi_endproc\n.size " #name ",.-" #name "\n")
#define CALL_NEXT "mov 8(%rdi),%rdi\ncall *(%rdi)\n"
#define SAVE_RBP "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset rbp,-16\n"
FUNCTION(call_small, "sub $24,%rsp\n.cfi_def_cfa_offset 32\n" CALL_NEXT "add $24,%rsp\n.cfi_def_cfa_offset 8\nret\n");
FUNCTION(call_large, "sub $56,%rsp\n.cfi_def_cfa_offset 64\n" CALL_NEXT "add $56,%rsp\n.cfi_def_cfa_offset 8\nret\n");
FUNCTION(call_number, SAVE_RBP "mov $7,%ebp\n" CALL_NEXT "pop %rbp\n.cfi_def_cfa_offset 8\n.cfi_restore rbp\nret\n");
FUNCTION(call_room, SAVE_RBP "mov %rsp,%rbp\n.cfi_def_cfa_register rbp\nsub 16(%rdi),%rsp\n" CALL_NEXT
                             "leave\n.cfi_def_cfa rsp,8\n.cfi_restore rbp\nret\n");
#else
#define FUNCTION(name, size)                                     \
  __attribute__((noinline)) void name(const struct Link* link) { \
    volatile char room[size];                                    \
    room[0] = 1;                                                 \
    link->next->function(link->next);                            \
    (void)room[0];                                               \
  }
FUNCTION(call_small, 16)
FUNCTION(call_large, 48)
FUNCTION(call_number, 1)
FUNCTION(call_room, 96)
#endif

static jmp_buf target;

__attribute__((noinline)) static void leaf(const struct Link* link) {
  void* block = hidden(tally_add(malloc(link->bytes), link->bytes));
  tally_sub(link->bytes);
  free(block);
}
__attribute__((noinline)) static void leaf_jumps(const struct Link* link) {
  void* block = hidden(tally_add(malloc(link->bytes), link->bytes));
  tally_sub(link->bytes);
  free(block);
  longjmp(target, 1);
}

enum { kMostLinks = 6, kPaths = 20 };
static const struct Path {
  void (*call[kMostLinks])(const struct Link*);
  uintptr_t room[kMostLinks];
} paths[kPaths] = {
    // The same leaf, callers of another size in another order.
    {{call_small, call_large, leaf}, {0}},
    {{call_large, call_small, leaf}, {0}},
    // The same leaf and caller; only the rbp that the caller saved is another one.
    {{call_small, call_room, call_number, leaf}, {0, 96}},
    {{call_large, call_room, call_number, leaf}, {0, 64}},
    {{call_room, call_room, call_number, leaf}, {32, 48}},
    {{call_room, call_room, call_number, leaf}, {48, 32}},
    {{call_small, call_room, call_number, leaf_jumps}, {0, 96}},
    {{call_large, call_room, call_number, leaf_jumps}, {0, 64}},
    // The same, with a frame between that leaves rbp alone.
    {{call_small, call_room, call_small, call_number, leaf}, {0, 96}},
    {{call_large, call_room, call_small, call_number, leaf}, {0, 64}},
    {{call_room, call_room, call_small, call_small, call_number, leaf}, {32, 48}},
    {{call_room, call_room, call_small, call_small, call_number, leaf}, {48, 32}},
    // rbp is of no use to the stack, and then it is, outside frames that leave it alone.
    {{call_large, call_number, call_small, leaf}, {0}},
    {{call_room, call_small, leaf}, {64}},
    {{call_large, call_number, call_small, call_small, call_small, leaf}, {0}},
    {{call_room, call_small, call_small, leaf}, {64}},
    {{call_room, call_small, call_small, call_small, leaf}, {64}},
    {{call_small, call_room, call_small, call_small, leaf}, {0, 32}},
    // The same two innermost functions, one level deeper.
    {{call_small, call_small, call_small, call_small, leaf_jumps}, {0}},
    {{call_large, call_small, call_small, leaf_jumps}, {0}},
};

static const char* name_of(void (*function)(const struct Link*)) {
  if (function == call_small) return "call_small";
  if (function == call_large) return "call_large";
  if (function == call_number) return "call_number";
  if (function == call_room) return "call_room";
  return function == leaf ? "leaf" : "leaf_jumps";
}

static struct Link links[kPaths][kMostLinks];

__attribute__((noinline)) static void walk(int path) { links[path][0].function(&links[path][0]); }

int main(void) {
  for (int path = 0; path < kPaths; ++path) {
    char line[256] = "";
    for (int i = 0; i < kMostLinks && paths[path].call[i] != NULL; ++i) {
      char rest[256];
      memcpy(rest, line, sizeof rest);
      snprintf(line, sizeof line, " %s%.200s", name_of(paths[path].call[i]), rest);
      links[path][i] = (struct Link){paths[path].call[i], &links[path][i + 1], paths[path].room[i]};
      if (paths[path].call[i] == leaf || paths[path].call[i] == leaf_jumps) links[path][i].bytes = 100 + (size_t)path;
    }
    print("frames %d whole%s walk main\n", 100 + path, line);
  }
  uint64_t random_state = 17;
  for (volatile int i = 0; i < 4000; ++i) {
    if (setjmp(target) == 0) walk((int)(next_random(&random_state) % kPaths));
  }
  expect_tally();
  return 0;
}
