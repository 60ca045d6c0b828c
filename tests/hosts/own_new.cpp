// own_new malloc|arena: operators new and delete of the program's own, which call malloc and free, or serve blocks from
// an arena that no allocator knows.
#include <cstdlib>
#include <map>
#include <new>
#include <string>

#include "tally.h"

namespace {

bool uses_arena = true;  // before main, too
alignas(64) char arena[1 << 20];
size_t used;
uint64_t news;

bool is_in_arena(const void* block) { return block >= arena && block < arena + sizeof arena; }

}  // namespace

void* operator new(std::size_t bytes) {
  ++news;
  if (!uses_arena) return tally_add(malloc(bytes), bytes);
  void* block = arena + used;
  used += (bytes + 63) & ~std::size_t{63};
  if (used > sizeof arena) abort();
  return block;
}
void operator delete(void* block) noexcept {
  if (block == nullptr || is_in_arena(block)) return;
  tally_frees++;
  free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

int main(int, char** arguments) {
  uses_arena = strcmp(arguments[1], "arena") == 0;
  news = 0;
  {
    std::map<int, std::string> names;
    for (int i = 0; i < 100; ++i) names[i] = std::string(100, 'x');
    auto* numbers = new int[50];  // by way of the library's new[], which calls ours
    delete[] static_cast<int*>(hidden(numbers));
  }
  void* block = tally_add(malloc(77), 77);
  free(hidden(block));
  ++tally_frees;
  print("news %lu\n", static_cast<unsigned long>(news));
  expect("allocations", tally_allocations);
  expect("frees", tally_frees);
  expect("bytes", tally_bytes);
  expect("open", 0);
  expect("orphans", 0);
  expect("mismatched", 0);
  return 0;
}
