#include <catch2/catch.hpp>

#include <map>
#include <random>

#include "recorder/stack_cache.h"
#include "unwind_fake_stack.h"

using namespace unwind_test;
using memprof::StackCache;
using Calls = std::vector<Call>;

namespace {

struct Fixture {
  State state = new_state();
  FakeStack stack;
  std::unique_ptr<StackCache> cache = std::make_unique<StackCache>();
  Fixture() {
    plant_rules(*state);
    cache->forget();
  }

  const StackCache::Stack* find(const Calls& calls, uint32_t guess = 0) {
    return cache->find(stack.build(calls, kStart), guess);
  }
  void learn(const Calls& calls, uint32_t node, uint32_t guess = 0) {
    const CapturePoint point = stack.build(calls, kStart);
    capture(*state, point, 256);
    cache->learn(*state, point, guess, node);
  }
};

std::vector<uintptr_t> addresses(const StackCache::Stack& stack) {
  std::vector<uintptr_t> out;
  for (uint32_t i = 0; i < stack.depth; ++i) out.push_back(stack.frames[i].pc);
  return out;
}

}  // namespace

TEST_CASE("a stack is kept when it comes for the second time", "[stack_cache]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}, {3, 1}, {4, 2}};
  CHECK(t.find(calls) == nullptr);
  t.learn(calls, 17);
  CHECK(t.find(calls) == nullptr);
  t.learn(calls, 17);
  const StackCache::Stack* found = t.find(calls);
  REQUIRE(found != nullptr);
  CHECK(found->node == 17);
  CHECK(addresses(*found) == std::vector<uintptr_t>{kStart, pc_of(1), pc_of(2), pc_of(3, 1), pc_of(4, 2)});
}

TEST_CASE("a stack with another frame anywhere is not found", "[stack_cache]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}, {3, 1}, {4, 2}};
  t.learn(calls, 17);
  t.learn(calls, 17);
  for (size_t i = 0; i + 1 < calls.size(); ++i) {
    Calls other = calls;
    other[i].call = 3;
    CHECK(t.find(other) == nullptr);
  }
  CHECK(t.find(calls) != nullptr);
}

TEST_CASE("a stack that does not end by rule, or is too deep, is not kept", "[stack_cache]") {
  Fixture t;
  const CapturePoint point = t.stack.build({{2}, {4}});
  for (int i = 0; i < 3; ++i) {
    capture(*t.state, point, 256);
    t.cache->learn(*t.state, point, 0, 17);
    CHECK(t.cache->find(point, 0) == nullptr);
  }
  const Calls deep(StackCache::kMostFrames, Call{2});
  for (int i = 0; i < 3; ++i) {
    t.learn(deep, 17);
    CHECK(t.find(deep) == nullptr);
  }
  const Calls fits(StackCache::kMostFrames - 1, Call{2});
  for (int i = 0; i < 3; ++i) t.learn(fits, 17);
  CHECK(t.find(fits) != nullptr);
}

TEST_CASE("what was kept before a module went, or before forget(), is not found", "[stack_cache]") {
  Fixture t;
  const Calls calls{{1, 0, 11}, {2}};
  for (int i = 0; i < 2; ++i) t.learn(calls, 17);
  REQUIRE(t.find(calls) != nullptr);
  SECTION("a module went") {
    memprof::note_modules_changed();
    CHECK(t.find(calls) == nullptr);
    plant_rules(*t.state);
    for (int i = 0; i < 2; ++i) t.learn(calls, 18);
    REQUIRE(t.find(calls) != nullptr);
    CHECK(t.find(calls)->node == 18);
  }
  SECTION("while one goes, nothing is kept") {
    memprof::note_modules_changing();
    for (int i = 0; i < 3; ++i) t.learn(calls, 17);
    CHECK(t.find(calls) == nullptr);
    memprof::note_modules_changed();
    CHECK(t.find(calls) == nullptr);
  }
  SECTION("forgotten") {
    t.cache->forget();
    CHECK(t.find(calls) == nullptr);
  }
}

TEST_CASE("what the cache finds is what a walk finds", "[stack_cache]") {
  std::mt19937 random(1);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  Fixture t;
  Fixture fresh;
  std::map<std::vector<uintptr_t>, uint32_t> nodes;
  Calls calls{{2}};
  int hits = 0;
  for (int round = 0; round < 200000; ++round) {
    for (unsigned edits = below(3); edits > 0; --edits) {
      const unsigned kind = below(4);
      const Call call{below(6), below(2), below(2)};
      if (kind == 0 && calls.size() < 8) calls.push_back(call);
      if (kind == 1 && calls.size() > 1) calls.pop_back();
      if (kind == 2) calls[below(static_cast<unsigned>(calls.size()))] = call;
      if (kind == 3) calls[below(static_cast<unsigned>(calls.size()))].number = below(2);
    }
    const CapturePoint point = t.stack.build(calls, kStart);
    forget_stack(*fresh.state);
    capture(*fresh.state, point, 256);
    const auto wanted = unwind_test::addresses(*fresh.state);
    const uint32_t node = nodes.try_emplace(wanted, static_cast<uint32_t>(nodes.size() + 16)).first->second;
    const uint32_t guess = below(2);
    if (const StackCache::Stack* found = t.cache->find(point, guess); found != nullptr) {
      ++hits;
      REQUIRE(addresses(*found) == wanted);
      REQUIRE(found->node == node);
    } else {
      capture(*t.state, point, 256);
      REQUIRE(unwind_test::addresses(*t.state) == wanted);
      t.cache->learn(*t.state, point, guess, node);
    }
  }
  CHECK(hits > 20000);
}
