// One exception through a thousand frames, caught and thrown again in each, with blocks made and freed in every handler
// and every destructor on the way; then the same through std::exception_ptr, from another thread.
#include <cstdlib>
#include <exception>
#include <thread>

#include "tally.h"

namespace {

constexpr int kFrames = 1000;
constexpr int kRounds = 2;

class Block {
 public:
  explicit Block(size_t bytes) : bytes_(bytes), memory_(tally_add(std::malloc(bytes), bytes)) {}
  ~Block() {
    std::free(hidden(memory_));
    tally_sub(bytes_);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  size_t bytes_;
  void* memory_;
};

struct Thrown {
  int handlers = 0;
};

__attribute__((noinline)) void dive(int depth) {
  const Block held(200);
  if (depth == 0) throw Thrown();
  try {
    dive(depth - 1);
  } catch (Thrown& thrown) {
    const Block in_handler(300);
    ++thrown.handlers;
    throw;
  }
}

int handlers_of_one_throw() {
  try {
    dive(kFrames);
  } catch (const Thrown& thrown) {
    return thrown.handlers;
  }
  return -1;
}

int handlers_of_a_carried_throw() {
  std::exception_ptr carried;
  std::thread([&] {
    try {
      dive(kFrames);
    } catch (...) {
      carried = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(carried);
  } catch (const Thrown& thrown) {
    return thrown.handlers;
  }
}

}  // namespace

int main() {
  for (int i = 0; i < kRounds; ++i) {
    print("handlers %d %d\n", handlers_of_one_throw(), handlers_of_a_carried_throw());
  }
  expect("sized.200", 2 * kRounds * (kFrames + 1));
  expect("sized.300", 2 * kRounds * kFrames);
  expect("open", 0);
  expect("orphans", 0);
  return 0;
}
