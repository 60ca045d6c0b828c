// Threads whose thread-locals and keys allocate and free while the thread ends, in every round that POSIX allows.
#include <pthread.h>

#include <cstdlib>

#include "tally.h"

namespace {

constexpr int kThreads = 20;
pthread_key_t rounds_key;
pthread_key_t plain_key;

// Sets itself anew: the library calls it up to four times a thread.
__attribute__((noinline)) void end_round(void* value) {
  auto round = reinterpret_cast<intptr_t>(value);
  void* block = tally_add(std::malloc(300), 300);
  std::free(tally_add(hidden(std::malloc(400)), 400));
  tally_sub(400);
  std::free(block);
  tally_sub(300);
  if (round < 4) pthread_setspecific(rounds_key, reinterpret_cast<void*>(round + 1));
}

__attribute__((noinline)) void free_value(void* value) {
  std::free(value);
  tally_sub(77);
}

struct Local {
  Local() : block(tally_add(std::malloc(50), 50)) {}
  ~Local() {
    std::free(block);
    tally_sub(50);
    std::free(tally_add(hidden(std::malloc(60)), 60));
    tally_sub(60);
    tally_add(hidden(std::malloc(61)), 61);  // stays open
  }
  void* block;
};
thread_local Local local;

void* body(void*) {
  static_cast<void>(hidden(&local));
  pthread_setspecific(rounds_key, reinterpret_cast<void*>(1));
  pthread_setspecific(plain_key, tally_add(std::malloc(77), 77));
  std::free(tally_add(hidden(std::malloc(10)), 10));
  tally_sub(10);
  return nullptr;
}

}  // namespace

int main() {
  pthread_key_create(&rounds_key, end_round);
  pthread_key_create(&plain_key, free_value);
  for (int i = 0; i < kThreads; ++i) {
    pthread_t thread;
    pthread_create(&thread, nullptr, body, nullptr);
    pthread_join(thread, nullptr);
  }
  expect("called_from.(anonymous namespace)::end_round(void*)", kThreads * 4 * 2);
  expect("open_sized.61", kThreads);
  expect("orphans", 0);
  expect_tally();
  return 0;
}
