// Loses a block in each of many places: every allocating function, methods, templates, inlined and static functions, a
// thread. None is reachable at the end, not even from what the stack still holds.
#include <malloc.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace lost {

void* volatile sink;

#define PLACE __attribute__((noinline))

PLACE void by_malloc() { sink = std::malloc(101); }
PLACE void by_calloc() { sink = std::calloc(1, 102); }
PLACE void by_realloc_of_null() { sink = std::realloc(nullptr, 103); }
PLACE void by_realloc() { sink = std::realloc(std::malloc(10), 10'004); }
PLACE void by_reallocarray() { sink = reallocarray(std::malloc(10), 5, 2'021); }
PLACE void by_aligned_alloc() { sink = aligned_alloc(64, 128); }
PLACE void by_memalign() { sink = memalign(64, 106); }
PLACE void by_valloc() { sink = valloc(107); }
PLACE void by_posix_memalign() {
  void* block = nullptr;
  if (posix_memalign(&block, 64, 108) == 0) sink = block;
}
PLACE void by_new() { sink = ::operator new(109); }
PLACE void by_new_array() { sink = new char[110]; }
PLACE void by_nothrow_new() { sink = ::operator new(111, std::nothrow); }
PLACE void by_aligned_new() { sink = ::operator new(112, std::align_val_t(64)); }
PLACE void by_strdup() { sink = strdup("a string of the C library's making"); }

template <class T>
struct Factory {
  PLACE void make(const char*) { sink = new T[3]; }
};

PLACE void twice(int n) { n == 0 ? by_new() : twice(n - 1); }

inline __attribute__((always_inline)) void inlined_leak(int size) { sink = std::malloc(static_cast<size_t>(size)); }
struct Inner {
  __attribute__((always_inline)) void inlined_method() { inlined_leak(113); }
};
PLACE void by_inlined_function() { inlined_leak(114); }
PLACE void by_inlined_method() { Inner().inlined_method(); }

static PLACE void by_static_function() { sink = std::malloc(115); }

PLACE void* in_thread(void*) {
  by_malloc();
  sink = nullptr;
  return nullptr;
}

PLACE void lose_all() {
  by_malloc();
  by_calloc();
  by_realloc_of_null();
  by_realloc();
  by_reallocarray();
  by_aligned_alloc();
  by_memalign();
  by_valloc();
  by_posix_memalign();
  by_new();
  by_new_array();
  by_nothrow_new();
  by_aligned_new();
  by_strdup();
  Factory<long>().make("");
  Factory<char>().make("");
  twice(3);
  by_inlined_function();
  by_inlined_method();
  by_static_function();
}

PLACE void wipe_stack() {
  volatile char old[16384];
  for (volatile char& byte : old) byte = 0;
}

}  // namespace lost

int main() {
  lost::lose_all();
  pthread_t thread;
  if (pthread_create(&thread, nullptr, lost::in_thread, nullptr) == 0) pthread_join(thread, nullptr);
  lost::sink = nullptr;
  lost::wipe_stack();
  return 0;
}
