// Linked with libunwind and libgcc: backtrace(), unw_step() and exceptions see the frames that they see alone, between
// allocations.
#define UNW_LOCAL_ONLY
#include <execinfo.h>
#include <libunwind.h>

#include <cstdlib>
#include <stdexcept>

#include "tally.h"

namespace {

void print_frames() {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  unw_init_local(&cursor, &context);
  int frames = 0;
  do {
    char name[128] = "?";
    unw_word_t offset = 0;
    if (unw_get_proc_name(&cursor, name, sizeof name, &offset) == 0 && frames < 12) print("%s+%lu\n", name, offset);
    ++frames;
  } while (unw_step(&cursor) > 0);
  print("unw_step %d\n", frames);
  void* addresses[200];
  print("backtrace %d\n", backtrace(addresses, 200));
}

}  // namespace

extern "C" __attribute__((noinline)) int dive(int depth, bool throws) {
  void* block = malloc(1000 + static_cast<size_t>(depth));
  int result = 0;
  if (depth > 0) {
    try {
      result = dive(depth - 1, throws) + 1;
    } catch (const std::runtime_error&) {
      free(hidden(block));
      throw;
    }
  } else if (throws) {
    free(hidden(block));
    throw std::runtime_error("from below");
  } else {
    print_frames();
  }
  free(hidden(block));
  return result;
}

int main() {
  int caught = 0;
  for (int round = 0; round < 20; ++round) {
    if (round % 5 == 0) print("dived %d\n", dive(20 + round, false));
    try {
      dive(50 + round, true);
    } catch (const std::exception& error) {
      caught += strcmp(error.what(), "from below") == 0;
    }
  }
  print("caught %d\n", caught);
  expect("called_from.dive", 20 * 51 + 190 + 4 * 21 + 30);
  expect("orphans", 0);
  return 0;
}
