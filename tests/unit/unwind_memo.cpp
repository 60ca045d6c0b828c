#include <catch2/catch.hpp>

#include <random>

#include "unwind_fake_stack.h"

using namespace unwind_test;
using Calls = std::vector<Call>;

namespace {

struct Fixture {
  State state = new_state();
  FakeStack stack;
  Fixture() { plant_rules(*state); }

  void take(const Calls& calls, uint32_t max_depth = 256) { capture(*state, stack.build(calls), max_depth); }
};

}  // namespace

TEST_CASE("a state of zeros captures a whole stack, outermost frame first", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}, {3, 1, 33}, {4, 2}};
  t.take(calls);
  CHECK(addresses(*t.state) == addresses(calls));
  CHECK(t.state->memo.end == StackEnd::whole);
  CHECK(t.state->memo.unchanged == 0);
}

TEST_CASE("the same stack again is unchanged as a whole", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}, {3, 1, 33}};
  t.take(calls);
  t.take(calls);
  CHECK(addresses(*t.state) == addresses(calls));
  CHECK(t.state->memo.unchanged == 3);
}

TEST_CASE("frames outside a changed one stay unchanged", "[unwind][memo]") {
  Fixture t;
  t.take({{1, 0, 11}, {2}, {3, 1, 33}, {4}});
  SECTION("another leaf") {
    t.take({{1, 0, 11}, {2}, {3, 1, 33}, {6}});
    CHECK(t.state->memo.unchanged == 3);
  }
  SECTION("another call site in the middle") {
    t.take({{1, 0, 11}, {2, 3}, {3, 1, 33}, {4}});
    CHECK(t.state->memo.unchanged == 1);
  }
  SECTION("a shorter stack") {
    t.take({{1, 0, 11}, {2}});
    CHECK(t.state->memo.unchanged == 2);
  }
  SECTION("a longer stack") {
    t.take({{1, 0, 11}, {2}, {3, 1, 33}, {4}, {5, 0, 1}, {6}});
    CHECK(t.state->memo.unchanged == 4);
  }
  SECTION("another outermost frame of the same size") {
    t.take({{6}, {2}, {3, 1, 33}, {4}});
    CHECK(t.state->memo.unchanged == 0);
    CHECK(t.state->memo.address(0) == pc_of(6));
  }
}

TEST_CASE("a saved frame pointer that no frame outside it depends on may change", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}, {5, 1, 33}, {4}};
  t.take(calls);
  t.take({{1, 0, 12}, {2}, {5, 1, 34}, {4}});
  CHECK(addresses(*t.state) == addresses(calls));
  CHECK(t.state->memo.unchanged == (memprof::arch::kFramePointerMayStay ? 4 : 0));
}

TEST_CASE("a saved frame pointer that a frame outside it depends on makes that frame new", "[unwind][memo]") {
  // Function 3 finds its caller by the frame pointer, which 5 has saved. The words of both of its callers are there.
  Fixture t;
  const CapturePoint point = t.stack.build({{1}, {3}, {2}, {5}});
  capture(*t.state, point, 256);
  CHECK(t.state->memo.depth == 4);
  auto& words = t.stack.words();
  const size_t saved_by_5 = t.stack.index_of(t.state->memo.frames[3].sp) + words_of(5) - 2;
  const size_t other = saved_by_5 - 64;
  words[other] = 0;
  words[other + 1] = pc_of(6, 1);
  words[other + 2 + words_of(6) - 1] = 0;
  words[saved_by_5] = reinterpret_cast<uintptr_t>(&words[other]);
  // The new caller lies below, but near, as wrong CFI would have it: not to be believed.
  capture(*t.state, point, 256);
  CHECK(t.state->memo.end == StackEnd::gave_up);
  Fixture fresh;
  capture(*fresh.state, point, 256);
  CHECK(addresses(*t.state) == addresses(*fresh.state));
  CHECK(t.state->memo.unchanged == 0);
}

TEST_CASE("a frame pointer that was dead is known when a new caller depends on it", "[unwind][memo]") {
  // 2 keeps the frame pointer, which nobody needs at first: the value that the memo holds grows old.
  Fixture t;
  Fixture fresh;
  t.take({{1, 0, 1}, {5, 0, 7}, {2}, {4}});
  t.take({{1, 0, 1}, {5, 0, 8}, {2}, {4}});
  const Calls calls{{1, 0, 1}, {3, 0, words_of(5) - words_of(3)}, {2}, {4}};
  const CapturePoint point = t.stack.build(calls);
  capture(*t.state, point, 256);
  capture(*fresh.state, point, 256);
  CHECK(addresses(*t.state) == addresses(calls));
  CHECK(addresses(*fresh.state) == addresses(calls));
}

TEST_CASE("the word that ends a stack is read anew", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{2}, {4}};
  const CapturePoint point = t.stack.build(calls);
  capture(*t.state, point, 256);
  CHECK(t.state->memo.end == StackEnd::whole);
  t.stack.words()[t.stack.words().size() - 9] = 0x666;  // where no code is
  capture(*t.state, point, 256);
  CHECK(t.state->memo.end == StackEnd::gave_up);
  CHECK(t.state->memo.depth == 3);
}

TEST_CASE("a stack deeper than the limit keeps its innermost frames", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 1}, {2}, {3, 0, 3}, {4}, {5, 0, 5}, {6}};
  const auto all = addresses(calls);
  t.take(calls, 4);
  CHECK(addresses(*t.state) == std::vector<uintptr_t>(all.begin() + 2, all.end()));
  CHECK(t.state->memo.end == StackEnd::depth_limit);
  SECTION("and reuses them") {
    t.take(calls, 4);
    CHECK(t.state->memo.unchanged == 4);
    CHECK(t.state->memo.end == StackEnd::depth_limit);
  }
  SECTION("and drops one for one more") {
    Calls deeper = calls;
    deeper.push_back({8});
    t.take(deeper, 4);
    const auto more = addresses(deeper);
    CHECK(addresses(*t.state) == std::vector<uintptr_t>(more.begin() + 3, more.end()));
    CHECK(t.state->memo.unchanged == 0);
  }
  SECTION("and finds the others when there is room again") {
    t.take({calls.begin(), calls.begin() + 4}, 4);
    CHECK(addresses(*t.state) == std::vector<uintptr_t>(all.begin(), all.begin() + 4));
    CHECK(t.state->memo.end == StackEnd::whole);
    CHECK(t.state->memo.unchanged == 0);
  }
  SECTION("a stack of exactly the limit is whole") {
    t.take(calls, 6);
    CHECK(t.state->memo.end == StackEnd::whole);
    CHECK(t.state->memo.depth == 6);
  }
}

TEST_CASE("a forgotten stack is not used", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}};
  t.take(calls);
  forget_stack(*t.state);
  CHECK(t.state->memo.depth == 0);
  t.take(calls);
  CHECK(t.state->memo.unchanged == 0);
  CHECK(t.state->memo.depth == 2);
}

TEST_CASE("when a module goes, rules and stacks go", "[unwind][memo]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}};
  t.take(calls);
  CHECK(t.state->memo.depth == 2);
  SECTION("afterwards") {
    memprof::note_modules_changed();
    t.take(calls);
    CHECK(t.state->memo.depth == 1);  // the planted rules are forgotten: no such code
    CHECK(t.state->memo.end == StackEnd::gave_up);
    plant_rules(*t.state);
    t.take(calls);
    CHECK(t.state->memo.depth == 2);
  }
  SECTION("and nothing is remembered while it goes") {
    memprof::note_modules_changing();
    t.take(calls);
    CHECK(t.state->memo.depth == 1);
    plant_rules(*t.state);
    t.take(calls);
    CHECK(t.state->memo.depth == 1);
    memprof::note_modules_changed();
    t.take(calls);
    plant_rules(*t.state);
    t.take(calls);
    CHECK(t.state->memo.depth == 2);
  }
}

TEST_CASE("a remembered stack that is not mapped any more is not read", "[unwind][memo]") {
  const size_t bytes = 16 * 4096;
  State state = new_state();
  plant_rules(*state);
  auto* memory =
      static_cast<uintptr_t*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  // Function 0 has two words: eight pages of its frames, outermost last.
  const size_t words = bytes / sizeof(uintptr_t);
  for (size_t i = 0; i < words; i += 2) {
    memory[i] = 0;
    memory[i + 1] = pc_of(0);
  }
  const auto sp = reinterpret_cast<uintptr_t>(&memory[words - 400]);
  memory[words - 1] = 0;
  capture(*state, {pc_of(0), sp, 0}, 256);
  REQUIRE(state->memo.depth == 200);
  // The same leaf, but its caller is another one, and the stack of the old caller is gone.
  FakeStack other;
  const uintptr_t inner = sp + 2 * sizeof(uintptr_t);
  memory[words - 400 + 1] = pc_of(2);
  memory[words - 400 + 2 + 3] = 0;
  const uintptr_t last_page = reinterpret_cast<uintptr_t>(memory) + bytes - 4096;
  REQUIRE(inner + 64 < last_page + 4096);
  if (inner + 64 < last_page) munmap(reinterpret_cast<void*>(last_page), 4096);
  capture(*state, {pc_of(0), sp, 0}, 256);
  CHECK(state->memo.depth == 2);
  CHECK(state->memo.address(0) == pc_of(2));
  CHECK(state->memo.end == StackEnd::whole);
  munmap(memory, bytes);
}

TEST_CASE("addresses that can be no code end a stack", "[unwind][memo]") {
  for (const uintptr_t pc : {uintptr_t{1}, uintptr_t{8}, uintptr_t{4095}, uintptr_t{1} << 47, ~uintptr_t{0}}) {
    Fixture t;
    FakeStack stack;
    const CapturePoint point = stack.build({{2}});
    capture(*t.state, {pc, point.sp, point.bp}, 256);
    CHECK(t.state->memo.depth == 1);
    CHECK(t.state->memo.end == StackEnd::gave_up);
  }
}

TEST_CASE("a walk that leaves mapped memory gives up", "[unwind][memo]") {
  State state = new_state();
  plant_rules(*state);
  auto* memory =
      static_cast<uintptr_t*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(memory + 512, 4096);
  for (size_t i = 0; i < 512; ++i) memory[i] = pc_of(0);
  capture(*state, {pc_of(0), reinterpret_cast<uintptr_t>(memory + 500), 0}, 256);
  CHECK(state->memo.depth == 7);
  CHECK(state->memo.end == StackEnd::gave_up);
  munmap(memory, 4096);
}

TEST_CASE("what a memo gives is what a walk without it gives", "[unwind][memo]") {
  std::mt19937 random(1);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  Fixture t;
  Fixture fresh;
  Calls calls;
  uint64_t reused = 0;
  std::vector<uintptr_t> before;
  StackEnd end_before = StackEnd::whole;
  for (int round = 0; round < 200000; ++round) {
    // Small changes anywhere, so that most stacks overlap with the last one in some way.
    for (unsigned edits = below(4); edits > 0; --edits) {
      const unsigned kind = below(6);
      const Call call{below(kFunctions), below(4), below(3)};
      const size_t depth = calls.size();
      if (kind < 2 && depth < 60) {
        calls.push_back(call);
      } else if (kind == 2 && depth > 0) {
        calls.resize(depth - below(static_cast<unsigned>(depth < 6 ? depth : 6)));
      } else if (kind == 3 && depth > 0) {
        calls[below(static_cast<unsigned>(depth))] = call;
      } else if (kind == 4 && depth > 0) {
        calls[below(static_cast<unsigned>(depth))].number = below(3);
      }
    }
    if (calls.empty()) calls.push_back({2});
    const uint32_t limit = round % 1000 < 700 ? 256 : 20;
    const CapturePoint point = t.stack.build(calls);
    capture(*t.state, point, limit);
    forget_stack(*fresh.state);
    capture(*fresh.state, point, limit);
    const auto now = addresses(*t.state);
    REQUIRE(now == addresses(*fresh.state));
    REQUIRE(t.state->memo.end == fresh.state->memo.end);
    const uint32_t unchanged = t.state->memo.unchanged;
    REQUIRE(unchanged <= before.size());
    REQUIRE(std::equal(now.begin(), now.begin() + unchanged, before.begin()));
    // What a frame number means depends on the end: a cut stack shares no index with a whole one.
    if (t.state->memo.end != end_before) REQUIRE(unchanged == 0);
    reused += unchanged;
    before = now;
    end_before = t.state->memo.end;
  }
  CHECK(reused > 1000000);
}
