// Every stack that the stack hosts allocate from is unwound again by libunwind: no difference is allowed. Where a host
// knows its stacks by heart, it prints them.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "host.h"

using namespace memprof::tests;

namespace {

struct StackHost {
  std::vector<std::string> command;
  bool truncates;  // the program has code that no unwinder can leave, or more frames than are kept, and must say so
};

std::vector<StackHost> stack_hosts() {
  return {
      {{"stack_altstack"}, false},
      {{"stack_coincidence"}, false},
      {{"stack_deep_recursion"}, true},
      {{"stack_exceptions"}, false},
      {{"stack_fibers_assembly"}, true},
      {{"stack_fibers_context"}, false},
      {{"stack_generated_code"}, true},
      {{"stack_longjmp"}, false},
      {{"stack_mixed_frames"}, false},
      {{"stack_mixed_frames_bp"}, false},
      {{"stack_mixed_frames_o0"}, false},
      {{"stack_mixed_frames_o3"}, false},
      {{"stack_no_cfi"}, true},
      {{"stack_odd_cfi"}, false},
      {{"stack_realigned"}, false},
      {{"stack_registered_code"}, false},
      {{"stack_reloaded_module", host_path("libstack_module_small.so"), host_path("libstack_module_large.so")}, false},
      {{"stack_signal_leaf"}, false},
      {{"stack_split"}, false},
      {{"stack_v8"}, false},
      {{"stack_varied_recursion"}, false},
      {{"stack_wrong_cfi"}, true},
  };
}

void check_stacks(const StackHost& host, const std::vector<std::string>& settings) {
  CAPTURE(host.command.front(), settings.back());
  const HostRun run(host.command, settings);
  const Trace trace = run.trace();
  check_verified({trace}, 100);
  CHECK(trace.orphans() == 0);
  CHECK(trace.dropped() == 0);
  CHECK((trace.summary().at("truncated_stacks") > 0) == host.truncates);
}

// What a host prints of the stacks that allocate SIZE bytes, innermost function first:
//   frames SIZE whole NAME...   they begin with these
//   frames SIZE cut NAME...     they are these and no more, and marked truncated
// ?: code that has no name.
struct Frames {
  uint64_t size;
  bool is_whole;
  std::vector<std::string> names;
};

std::vector<Frames> printed_frames(const Outcome& outcome) {
  std::vector<Frames> all;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("frames ")) continue;
    std::istringstream words(line.substr(7));
    Frames frames{};
    std::string word;
    words >> frames.size >> word;
    frames.is_whole = word == "whole";
    while (words >> word) frames.names.push_back(word);
    all.push_back(frames);
  }
  return all;
}

bool is_stack(const Json& chunk, const Frames& frames) {
  const Json& stack = chunk.at("stack");
  if (chunk.at("truncated") == frames.is_whole || stack.size() < frames.names.size()) return false;
  if (!frames.is_whole && stack.size() != frames.names.size()) return false;
  for (size_t i = 0; i < frames.names.size(); ++i) {
    const Json& function = stack[i].at("function");
    if (function != (frames.names[i] == "?" ? Json() : Json(frames.names[i]))) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every stack equals libunwind's, whatever the program does to its stack", "[hosts][stacks]") {
  for (const StackHost& host : stack_hosts()) check_stacks(host, {"MEMPROF_VERIFY_STACKS=1"});
}

TEST_CASE("a stack cut at the depth limit is the innermost part of libunwind's, and truncated", "[hosts][stacks]") {
  const std::set<std::string> deep = {"stack_coincidence", "stack_deep_recursion", "stack_mixed_frames_o3"};
  for (int depth = 1; depth <= 8; ++depth) {
    for (StackHost host : stack_hosts()) {
      if (depth > 2 && deep.count(host.command[0]) == 0) continue;  // some have no stack that deep
      host.truncates = true;
      check_stacks(host, {"MEMPROF_VERIFY_STACKS=1", "MEMPROF_MAX_DEPTH=" + std::to_string(depth)});
    }
  }
}

TEST_CASE("stacks are what the program says, to the last function", "[hosts][stacks]") {
  for (const char* name :
       {"stack_coincidence", "stack_generated_code", "stack_no_cfi", "stack_registered_code", "stack_v8"}) {
    CAPTURE(name);
    const HostRun host({name});
    const std::vector<Json> chunks = host.trace().chunks();
    const std::vector<Frames> printed = printed_frames(host.recorded());
    CHECK(printed.size() >= 2);
    for (const Frames& frames : printed) {
      const auto has_size = [&](const Json& chunk) { return chunk.at("size") == frames.size; };
      CAPTURE(frames.size, frames.names);
      CHECK(count_if(chunks, has_size) > 0);
      CHECK(count_if(chunks, [&](const Json& c) { return has_size(c) && !is_stack(c, frames); }) == 0);
    }
  }
}

TEST_CASE("a stack that leads past its end, to pages that come and go, is no danger", "[hosts][stacks]") {
  const HostRun host({"stack_fibers_neighbours"}, {"MEMPROF_VERIFY_STACKS=1"});
  check_verified({host.trace()}, 1'000);
  CHECK(host.trace().summary().at("truncated_stacks") > 0);
}

TEST_CASE("memory beyond a fiber's stack may go unseen", "[hosts][stacks]") {
  for (const char* how : {"trim", "remap"}) {
    INFO(how);
    const HostRun host({"stack_fibers_trimmed", how}, {"MEMPROF_VERIFY_STACKS=1"});
    check_verified({host.trace()}, 50);
  }
}
