// Every operator new and delete: scalar and array, nothrow, aligned, sized, and their combinations.
#include <cstdlib>
#include <new>

#include "tally.h"

namespace {

constexpr auto kAlign = std::align_val_t{64};

void check(void* block, std::size_t alignment) {
  if (block == nullptr || reinterpret_cast<uintptr_t>(block) % alignment != 0) print("bad block\n");
}

void* add(void* block, std::size_t bytes, std::size_t alignment = 16) {
  check(block, alignment);
  return tally_add(hidden(block), bytes);
}

void scalar_variants() {
  void* block = add(::operator new(10), 10);
  ::operator delete(block);
  block = add(::operator new(11), 11);
  ::operator delete (block, std::size_t{11});
  block = add(::operator new(12, std::nothrow), 12);
  ::operator delete(block, std::nothrow);
  block = add(::operator new(13, kAlign), 13, 64);
  ::operator delete(block, kAlign);
  block = add(::operator new(14, kAlign), 14, 64);
  ::operator delete (block, std::size_t{14}, kAlign);
  block = add(::operator new(15, kAlign, std::nothrow), 15, 64);
  ::operator delete(block, kAlign, std::nothrow);
  for (std::size_t bytes = 10; bytes <= 15; ++bytes) tally_sub(bytes);
}

void array_variants() {
  void* block = add(::operator new[](20), 20);
  ::operator delete[](block);
  block = add(::operator new[](21), 21);
  ::operator delete[](block, std::size_t{21});
  block = add(::operator new[](22, std::nothrow), 22);
  ::operator delete[](block, std::nothrow);
  block = add(::operator new[](23, kAlign), 23, 64);
  ::operator delete[](block, kAlign);
  block = add(::operator new[](24, kAlign), 24, 64);
  ::operator delete[](block, std::size_t{24}, kAlign);
  block = add(::operator new[](25, kAlign, std::nothrow), 25, 64);
  ::operator delete[](block, kAlign, std::nothrow);
  for (std::size_t bytes = 20; bytes <= 25; ++bytes) tally_sub(bytes);
}

struct Thing {
  int values[10];
};
struct alignas(128) AlignedThing {
  char values[128];
};

void expressions() {
  auto* thing = static_cast<Thing*>(add(new Thing, sizeof(Thing)));
  auto* things = static_cast<Thing*>(add(new Thing[3], 3 * sizeof(Thing)));
  auto* aligned = static_cast<AlignedThing*>(add(new AlignedThing, sizeof(AlignedThing), 128));
  add(new char[100], 100);  // stays open
  delete thing;
  tally_sub(sizeof(Thing));
  delete[] things;
  tally_sub(3 * sizeof(Thing));
  delete aligned;
  tally_sub(sizeof(AlignedThing));
  delete static_cast<Thing*>(nullptr);
  add(::operator new(0), 0);  // stays open
}

}  // namespace

int main() {
  scalar_variants();
  array_variants();
  expressions();
  expect("by.new", 6 + 3);
  expect("by.new[]", 6 + 2);
  expect("freed_by.delete", 6 + 2);
  expect("freed_by.delete[]", 6 + 1);
  expect("mismatched", 0);
  expect("called_from.(anonymous namespace)::scalar_variants()", 6);
  expect("called_from.(anonymous namespace)::array_variants()", 6);
  expect_tally();
  return 0;
}
