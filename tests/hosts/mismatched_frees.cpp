// Each pair of an allocation and a free that do not belong together. glibc does not mind, so the program lives.
#include <cstdlib>
#include <new>

#include "tally.h"

int main() {
  std::free(tally_add(hidden(::operator new(1)), 1));
  std::free(tally_add(hidden(::operator new[](2)), 2));
  ::operator delete(tally_add(hidden(std::malloc(3)), 3));
  ::operator delete[](tally_add(hidden(std::malloc(4)), 4));
  ::operator delete[](tally_add(hidden(::operator new(5)), 5));
  ::operator delete(tally_add(hidden(::operator new[](6)), 6));
  void* moved = std::realloc(tally_add(hidden(::operator new(7)), 7), 8);
  std::free(tally_add(moved, 8));
  for (std::size_t bytes = 1; bytes <= 8; ++bytes) tally_sub(bytes);
  // And all that do.
  std::free(tally_add(hidden(std::malloc(100)), 100));
  ::operator delete(tally_add(hidden(::operator new(100)), 100));
  ::operator delete[](tally_add(hidden(::operator new[](100)), 100));
  for (int i = 0; i < 3; ++i) tally_sub(100);
  expect("mismatched", 7);
  expect_tally();
  return 0;
}
