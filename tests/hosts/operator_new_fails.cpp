// operator new that cannot: it throws, returns null, or asks a new_handler that itself allocates and frees.
#include <cstdlib>
#include <new>

#include "tally.h"

namespace {

int handler_calls = 0;

void handler() {
  void* first = tally_add(std::malloc(50), 50);
  void* second = tally_add(::operator new(60), 60);
  std::free(first);
  tally_sub(50);
  ::operator delete(second);
  tally_sub(60);
  if (++handler_calls % 3 == 0) std::set_new_handler(nullptr);
}

void throwing_handler() { throw std::bad_alloc(); }

std::size_t huge() { return reinterpret_cast<std::size_t>(hidden(reinterpret_cast<void*>(PTRDIFF_MAX - 100000L))); }

template <typename Allocate>
void attempt(const char* what, Allocate allocate) {
  try {
    void* block = allocate();
    print("%s: %s\n", what, block == nullptr ? "null" : "block");
  } catch (const std::bad_alloc& error) {
    print("%s: %s\n", what, error.what());
  }
}

}  // namespace

int main() {
  attempt("new", [] { return ::operator new(huge()); });
  attempt("new[]", [] { return ::operator new[](huge()); });
  attempt("nothrow new", [] { return ::operator new(huge(), std::nothrow); });
  attempt("nothrow new[]", [] { return ::operator new[](huge(), std::nothrow); });
  attempt("aligned new", [] { return ::operator new (huge(), std::align_val_t{64}); });
  attempt("aligned nothrow new[]", [] { return ::operator new[](huge(), std::align_val_t{64}, std::nothrow); });
  std::set_new_handler(handler);
  attempt("new with a handler", [] { return ::operator new(huge()); });
  std::set_new_handler(handler);
  attempt("nothrow new with a handler", [] { return ::operator new(huge(), std::nothrow); });
  std::set_new_handler(throwing_handler);
  attempt("new with a handler that throws", [] { return ::operator new(huge()); });
  attempt("nothrow new with a handler that throws", [] { return ::operator new[](huge(), std::nothrow); });
  std::set_new_handler(nullptr);
  print("handler calls %d\n", handler_calls);
  expect("by.new", 6);
  expect("mismatched", 0);
  expect("called_from.(anonymous namespace)::handler()", 12);
  return 0;
}
