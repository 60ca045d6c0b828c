// allocators [pvalloc] [reallocarray]: three threads call every allocating function that the allocators in use have in
// common, and those named, check content, alignment and usable size of each block, and count.
#include <malloc.h>
#include <pthread.h>

#include <cstdlib>
#include <initializer_list>
#include <new>

#include "tally.h"

namespace {

constexpr int kThreads = 3, kRounds = 100;
bool has_pvalloc, has_reallocarray;

struct Block {
  void* start;
  size_t bytes;
  unsigned char seed;
};

void fail(const char* what, size_t bytes) {
  print("%s(%zu) is wrong\n", what, bytes);
  _exit(1);
}

Block keep(const char* what, void* start, size_t bytes, size_t alignment = 8) {
  if (start == nullptr || reinterpret_cast<uintptr_t>(start) % alignment != 0) fail(what, bytes);
  if (malloc_usable_size(start) < bytes) fail("malloc_usable_size", bytes);
  tally_add(start, bytes);
  const auto seed = static_cast<unsigned char>(bytes * 7);
  fill(start, bytes, seed);
  return {start, bytes, seed};
}

void* give(const char* what, const Block& block) {
  if (!holds(block.start, block.bytes, block.seed)) fail(what, block.bytes);
  tally_sub(block.bytes);
  return block.start;
}

Block resize(const Block& block, size_t bytes) {
  const size_t kept = block.bytes < bytes ? block.bytes : bytes;
  void* moved = realloc(give("before realloc", block), bytes);
  if (moved == nullptr || !holds(moved, kept, block.seed)) fail("realloc", bytes);
  return keep("realloc", moved, bytes);
}

void c_functions(size_t bytes) {
  Block block = keep("malloc", malloc(bytes), bytes);
  for (size_t to : {bytes / 2 + 1, bytes * 10, bytes * 1000, bytes}) block = resize(block, to);
  free(give("free", block));

  auto* zeroed = static_cast<unsigned char*>(calloc(3, bytes));
  for (size_t i = 0; i < 3 * bytes; ++i)
    if (zeroed[i] != 0) fail("calloc", bytes);
  block = keep("calloc", zeroed, 3 * bytes);
  free(give("free", block));

  free(give("free", keep("realloc", realloc(nullptr, bytes), bytes)));
  free(nullptr);

  for (size_t alignment = sizeof(void*); alignment <= 65536; alignment *= 4) {
    void* aligned = nullptr;
    if (posix_memalign(&aligned, alignment, bytes) != 0) fail("posix_memalign", bytes);
    free(give("free", keep("posix_memalign", aligned, bytes, alignment)));
    free(give("free", keep("memalign", memalign(alignment, bytes), bytes, alignment)));
    if (alignment > 128) continue;  // mimalloc 2.0 does not align a block of 512 bytes to 512
    const size_t whole = (bytes + alignment - 1) / alignment * alignment;
    free(give("free", keep("aligned_alloc", aligned_alloc(alignment, whole), whole, alignment)));
  }
  free(give("free", keep("valloc", valloc(bytes), bytes, 4096)));
  if (has_pvalloc) free(give("free", keep("pvalloc", pvalloc(bytes), bytes, 4096)));
  if (has_reallocarray) {
    block = keep("reallocarray", reallocarray(nullptr, 2, bytes), 2 * bytes);
    void* moved = reallocarray(give("before reallocarray", block), 5, bytes);
    if (!holds(moved, 2 * bytes, block.seed)) fail("reallocarray", bytes);
    free(give("free", keep("reallocarray", moved, 5 * bytes)));
  }
}

void operators(size_t bytes) {
  constexpr auto kAlign = std::align_val_t{128};
  const auto n = [&](void* start) { return keep("new", hidden(start), bytes); };
  const auto a = [&](void* start) { return keep("new", hidden(start), bytes, 128); };
  ::operator delete(give("delete", n(::operator new(bytes))));
  ::operator delete(give("delete", n(::operator new(bytes))), bytes);
  ::operator delete(give("delete", n(::operator new(bytes, std::nothrow))), std::nothrow);
  ::operator delete(give("delete", a(::operator new(bytes, kAlign))), kAlign);
  ::operator delete(give("delete", a(::operator new(bytes, kAlign))), bytes, kAlign);
  ::operator delete(give("delete", a(::operator new(bytes, kAlign, std::nothrow))), kAlign, std::nothrow);
  ::operator delete[](give("delete", n(::operator new[](bytes))));
  ::operator delete[](give("delete", n(::operator new[](bytes))), bytes);
  ::operator delete[](give("delete", n(::operator new[](bytes, std::nothrow))), std::nothrow);
  ::operator delete[](give("delete", a(::operator new[](bytes, kAlign))), kAlign);
  ::operator delete[](give("delete", a(::operator new[](bytes, kAlign))), bytes, kAlign);
  ::operator delete[](give("delete", a(::operator new[](bytes, kAlign, std::nothrow))), kAlign, std::nothrow);
}

void* work(void*) {
  for (int i = 0; i < kRounds; ++i) {
    c_functions(16 + static_cast<size_t>(i) % 100 * 3);
    operators(16 + static_cast<size_t>(i) % 100 * 5);
  }
  keep("malloc", malloc(2345), 2345);  // stays open
  return nullptr;
}

}  // namespace

int main(int count, char** arguments) {
#if defined(TAKES_ADDRESS)
  void* (*volatile taken)(size_t) = malloc;  // in code, as a number
  if (taken == nullptr) return 1;
#endif
  for (int i = 1; i < count; ++i) {
    has_pvalloc |= strcmp(arguments[i], "pvalloc") == 0;
    has_reallocarray |= strcmp(arguments[i], "reallocarray") == 0;
  }
  for (size_t bytes : {size_t{1}, size_t{24}, size_t{100}, size_t{5000}, size_t{300000}, size_t{5000000}}) {
    void* block = malloc(bytes);
    print("usable %zu %zu\n", bytes, malloc_usable_size(block));
    keep("malloc", block, bytes);
  }
  pthread_t threads[kThreads];
  for (pthread_t& thread : threads) pthread_create(&thread, nullptr, work, nullptr);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  expect("by.new", 6u * kThreads * kRounds);
  expect("by.new[]", 6u * kThreads * kRounds);
  expect("by.valloc", kThreads * kRounds);
  expect("by.pvalloc", has_pvalloc ? kThreads * kRounds : 0);
  expect("by.reallocarray", has_reallocarray ? 2 * kThreads * kRounds : 0);
  expect("by.aligned_alloc", 3u * kThreads * kRounds);
  expect("open_sized.2345", kThreads);
  expect("mismatched", 0);
  expect("orphans", 0);
  expect_tally();
  return 0;
}
