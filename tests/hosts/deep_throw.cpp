// Exceptions through a thousand frames that allocate, rethrown on the way, many times.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tally.h"

namespace {

struct Block {
  Block() : memory(tally_add(std::malloc(200), 200)) {}
  ~Block() {
    std::free(memory);
    tally_sub(200);
  }
  void* memory;
};

__attribute__((noinline)) void dive(int depth) {
  Block block;
  if (depth == 0) throw std::runtime_error("from the bottom");
  if (depth % 100 == 0) {
    try {
      dive(depth - 1);
    } catch (const std::exception&) {
      Block another;
      throw;
    }
  } else {
    dive(depth - 1);
  }
  static_cast<void>(hidden(block.memory));
}

}  // namespace

int main() {
  int caught = 0;
  for (int i = 0; i < 20; ++i) {
    try {
      dive(1000);
    } catch (const std::runtime_error& error) {
      caught += std::string(error.what()) == "from the bottom";
    }
  }
  print("caught %d\n", caught);
  expect("sized.200", 20 * 1011);
  expect("orphans", 0);
  return 0;
}
