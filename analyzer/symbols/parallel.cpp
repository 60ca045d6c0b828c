#include "symbols/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace memprof {

namespace {

constexpr unsigned kMostWorkers = 64;
constexpr size_t kStackBytes = size_t{16} << 20;  // address space only

struct Shared {
  const std::function<void(size_t)>& work;
  const size_t count;
  std::atomic<size_t> next{0};  // relaxed: hands out numbers; what the work made is seen after the join
  std::mutex mutex{};
  std::exception_ptr error{};

  void run() {
    try {
      for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next.store(count, std::memory_order_relaxed);
    }
  }
  static void* start(void* shared) {
    static_cast<Shared*>(shared)->run();
    return nullptr;
  }
};

}  // namespace

unsigned settled_workers(unsigned workers) {
  if (workers == 0) workers = std::max(1u, std::thread::hardware_concurrency());
  return std::min(workers, kMostWorkers);
}

void run_in_parallel(unsigned workers, size_t count, const std::function<void(size_t)>& work) {
  Shared shared{work, count};
  const size_t helpers = std::min<size_t>(settled_workers(workers), count) - (count == 0 ? 0 : 1);
  std::vector<pthread_t> threads;
  threads.reserve(helpers);
  pthread_attr_t attributes;
  const bool has_attributes = ::pthread_attr_init(&attributes) == 0;
  if (has_attributes) ::pthread_attr_setstacksize(&attributes, kStackBytes);
  for (size_t i = 0; i < helpers; ++i) {
    pthread_t thread;
    // Without a thread this one does the work alone.
    if (::pthread_create(&thread, has_attributes ? &attributes : nullptr, &Shared::start, &shared) != 0) break;
    threads.push_back(thread);
  }
  if (has_attributes) ::pthread_attr_destroy(&attributes);
  shared.run();
  for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
  if (shared.error) std::rethrow_exception(shared.error);
}

}  // namespace memprof
