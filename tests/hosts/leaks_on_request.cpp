// leaks_on_request WHAT...: what a gate is to find, each at a place of its own. See kRequests.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE __attribute__((noinline))

namespace {

void* volatile sink;
void* volatile held[8];
int held_count;

// What is done after a call keeps it a call.
PLACE void first_leak() {
  sink = malloc(100);
  sink = nullptr;
}
PLACE void second_leak() {
  sink = malloc(200);
  sink = nullptr;
}
PLACE void leak_with_child() {
  void** const parent = static_cast<void**>(malloc(64));
  *parent = malloc(32);
  sink = parent;
  sink = nullptr;
}
PLACE void keep_middle() { held[held_count++] = static_cast<char*>(malloc(80)) + 40; }
PLACE void keep() { held[held_count++] = malloc(5000); }
PLACE void mismatch() {
  char* const block = new char[24];
  sink = block;
  free(sink);
}
PLACE void use_and_free() {
  sink = malloc(100'000);
  free(sink);
}
PLACE void leak_in_child() {
  sink = malloc(300);
  sink = nullptr;
}

// What a request left below the stack pointer is gone.
PLACE void clear_stack() {
  char zeros[32 << 10];
  memset(zeros, 0, sizeof(zeros));
  asm volatile("" : : "r"(zeros) : "memory");
}

// A process that was forked by a process that was forked.
PLACE void fork_children(int generations) {
  if (generations == 0) return;
  const pid_t child = fork();
  if (child == 0) {
    leak_in_child();
    clear_stack();
    fork_children(generations - 1);
    clear_stack();
    exit(0);
  }
  waitpid(child, nullptr, 0);
}
// A block that the parent frees, and a child loses. Each child is another process.
PLACE void* allocate_for_parent() { return malloc(700); }
PLACE void lose_in_children() {
  held[0] = allocate_for_parent();
  clear_stack();
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      held[0] = nullptr;
      clear_stack();
      exit(0);
    }
    waitpid(child, nullptr, 0);
  }
  free(held[0]);
  held[0] = nullptr;
}
PLACE void fork_one() { fork_children(1); }
PLACE void fork_grandchild() { fork_children(2); }

PLACE void die() { kill(getpid(), SIGKILL); }
PLACE void fail() { exit(3); }
PLACE void allocate_much() {
  for (int i = 0; i < 30'000; ++i) {
    sink = malloc(static_cast<size_t>(i % 1000));
    free(sink);
  }
}

struct Request {
  const char* name;
  void (*run)();
};
const Request kRequests[] = {
    {"first", first_leak},
    {"second", second_leak},
    {"with_child", leak_with_child},
    {"middle", keep_middle},
    {"keep", keep},
    {"mismatch", mismatch},
    {"peak", use_and_free},
    {"fork", fork_one},
    {"grandchild", fork_grandchild},
    {"inherit", lose_in_children},
    {"die", die},
    {"fail", fail},
    {"much", allocate_much},
};

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    for (const Request& request : kRequests)
      if (strcmp(arguments[i], request.name) == 0) request.run();
    clear_stack();
  }
  return 0;
}
