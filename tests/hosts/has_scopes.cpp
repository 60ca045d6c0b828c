// Scopes with a leak budget: has_scopes CASE. What each thread's scopes leave behind is in the comments; every other
// block is freed.
#include <errno.h>
#include <memprof/memprof.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

// What was called left no pointer below the stack pointer.
[[gnu::noinline]] void clear_stack() {
  char zeros[16 << 10];
  memset(zeros, 0, sizeof(zeros));
  asm volatile("" : : "r"(zeros) : "memory");
}

[[gnu::noinline]] void lose(size_t bytes) {
  char* const block = static_cast<char*>(malloc(bytes));
  block[0] = 1;
  asm volatile("" : : "r"(block) : "memory");
}
[[gnu::noinline]] void use(size_t bytes) { free(malloc(bytes)); }

// A scope with a leak of 300 bytes, one of the same name without, and a leak outside of both.
void one_leaks() {
  memprof_scope_begin("first", 0, 0);
  lose(300);
  use(50);
  memprof_scope_end();
  lose(40);
  memprof_scope_begin("second", 0, 0);
  use(70);
  memprof_scope_end();
}

// "outer" keeps its budget of 100, of which it uses 100; "inner" has none and leaks 20 in 2 blocks.
void nested() {
  const memprof::scope outer("outer", 100, 2);
  lose(60);
  {
    const memprof::scope inner("inner");
    lose(10);
    lose(10);
  }
  lose(40);
}

void* work(void* argument) {
  char name[16];
  const auto number = static_cast<int>(reinterpret_cast<size_t>(argument));
  snprintf(name, sizeof(name), "worker %d", number);
  for (int i = 0; i < 50; ++i) {
    memprof_scope_begin(name, 0, 0);
    use(static_cast<size_t>(10 + i));
    if (number == 2 && i == 25) lose(123);  // in this thread's scope alone
    memprof_scope_end();
  }
  return nullptr;
}

void threads() {
  pthread_t all[4];
  memprof_scope_begin("main", 0, 0);
  for (size_t i = 0; i < 4; ++i) pthread_create(&all[i], nullptr, work, reinterpret_cast<void*>(i));
  for (pthread_t thread : all) pthread_join(thread, nullptr);
  memprof_scope_end();
}

// Allocated in a scope and freed by another thread: no leak. The other's scope allocates nothing.
void* free_of_another(void* block) {
  memprof_scope_begin("frees", 0, 0);
  free(block);
  memprof_scope_end();
  return nullptr;
}
void handed_over() {
  memprof_scope_begin("allocates", 0, 0);
  void* const block = malloc(500);
  memprof_scope_end();
  pthread_t thread;
  pthread_create(&thread, nullptr, free_of_another, block);
  pthread_join(thread, nullptr);
}

// Ends without a begin, a begin without an end that leaks 30, and names that nobody expects.
void wrong() {
  memprof_scope_end();
  memprof_scope_end();
  memprof_scope_begin(nullptr, 0, 0);
  memprof_scope_end();
  static char long_name[100000];
  memset(long_name, 'x', sizeof(long_name) - 1);
  memprof_scope_begin(long_name, 0, 0);
  memprof_scope_end();
  memprof_scope_begin("open", 0, 0);
  lose(30);
}

void in_handler(int) {
  memprof_scope_begin("handler", 0, 0);
  memprof_scope_end();
}
// Handlers that interrupt begins and ends.
void signals() {
  struct sigaction action = {};
  action.sa_handler = in_handler;
  sigaction(SIGUSR1, &action, nullptr);
  for (int i = 0; i < 200; ++i) {
    memprof_scope_begin("loop", 0, 0);
    raise(SIGUSR1);
    use(16);
    memprof_scope_end();
  }
  lose(8);
}

// The child is outside of the parent's scope; both leak, in no scope and in it.
void forks() {
  memprof_scope_begin("parent", 0, 0);
  fflush(stdout);
  const pid_t child = fork();
  lose(child == 0 ? 17 : 19);
  memprof_scope_end();
  if (child == 0) {
    clear_stack();
    exit(0);
  }
  waitpid(child, nullptr, 0);
}

// The first thing that a thread does.
void* begin_at_once(void*) {
  memprof_scope_begin("fresh", 0, 0);
  lose(77);
  memprof_scope_end();
  return nullptr;
}
void fresh_thread() {
  pthread_t thread;
  pthread_create(&thread, nullptr, begin_at_once, nullptr);
  pthread_join(thread, nullptr);
}

struct Case {
  const char* name;
  void (*run)();
};
constexpr Case kCases[] = {
    {"one_leaks", one_leaks}, {"nested", nested},   {"threads", threads}, {"handed_over", handed_over},
    {"wrong", wrong},         {"signals", signals}, {"forks", forks},     {"fresh_thread", fresh_thread}};

}  // namespace

int main(int count, char** arguments) {
  for (const Case& known : kCases) {
    if (count < 2 || strcmp(arguments[1], known.name) != 0) continue;
    errno = 4711;
    known.run();
    printf("errno %s\n", strcmp(known.name, "wrong") == 0 ? (errno == 4711 ? "kept" : "changed") : "any");
    fflush(stdout);
    clear_stack();
    return 0;
  }
  return 2;
}
