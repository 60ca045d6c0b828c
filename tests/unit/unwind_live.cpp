// Captures of this very thread, against libunwind.
#include <catch2/catch.hpp>

#include <csignal>

#include "unwind/oracle.h"
#include "unwind_fake_stack.h"

using namespace memprof;

namespace {

UnwindState* state;
uint32_t depth_limit = 256;
int captures, mismatches;

__attribute__((noinline)) void hook() {
  const CapturePoint point{reinterpret_cast<uintptr_t>(__builtin_return_address(0)),
                           reinterpret_cast<uintptr_t>(__builtin_dwarf_cfa()),
                           *static_cast<const uintptr_t*>(__builtin_frame_address(0))};
  capture(*state, point, depth_limit);
  ++captures;
  mismatches += !verify_capture(*state, point, depth_limit);
}

__attribute__((noinline)) int descend(int depth) {
  if (depth == 0) {
    hook();
    return 1;
  }
  const int frames = descend(depth - 1);
  hook();
  return frames + 1;
}

void handle(int) { hook(); }

struct Live {
  unwind_test::State owner = unwind_test::new_state();
  Live() {
    REQUIRE(load_oracle());
    state = owner.get();
    depth_limit = 256;
    captures = mismatches = 0;
  }
};

}  // namespace

TEST_CASE("the stack of a test is whole and as libunwind has it", "[unwind][live]") {
  Live live;
  CHECK(descend(40) == 41);
  CHECK(captures == 41);
  CHECK(mismatches == 0);
  CHECK(state->memo.end == StackEnd::whole);
}

TEST_CASE("a difference is noticed", "[unwind][live]") {
  Live live;
  hook();
  REQUIRE(mismatches == 0);
  const CapturePoint elsewhere{state->memo.frames[1].pc, state->memo.frames[1].sp, state->memo.frames[1].bp};
  CHECK_FALSE(verify_capture(*state, elsewhere, depth_limit));
  state->memo.frames[0].pc ^= 16;
  const Frame& leaf = state->memo.frames[state->memo.depth - 1];
  CHECK_FALSE(verify_capture(*state, {leaf.pc, leaf.sp, leaf.bp}, depth_limit));
}

TEST_CASE("limits cut the stack where libunwind's is cut", "[unwind][live]") {
  Live live;
  for (depth_limit = 1; depth_limit < 70; ++depth_limit) descend(50);
  CHECK(mismatches == 0);
}

TEST_CASE("an interrupted frame is marked, and those around it are right", "[unwind][live]") {
  Live live;
  const auto before = std::signal(SIGUSR1, handle);
  for (int i = 0; i < 3; ++i) std::raise(SIGUSR1);
  std::signal(SIGUSR1, before);
  CHECK(captures == 3);
  CHECK(mismatches == 0);
  CHECK(state->memo.end == StackEnd::whole);
  int exact = 0;
  for (uint32_t i = 0; i < state->memo.depth; ++i) exact += state->memo.is_exact(i);
  CHECK(exact == 1);
}
