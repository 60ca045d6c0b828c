// When blocks are classified and when not, and what a forked process has of its parent.
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>

#include "classified.h"
#include "new_directory.h"
#include "snapshot_builder.h"

using namespace memprof;
using namespace memprof::test;
using Kind = format::SnapshotRangeKind;
using State = format::SnapshotThreadState;

namespace {

constexpr uint64_t kBlock = MemoryBuilder::kHeap + 0x1000;
constexpr uint64_t kParentBlock = MemoryBuilder::kHeap + 0x8000;
constexpr uint64_t kForkTime = 500'000;

void add_whole_snapshot(MemoryBuilder& b) {
  b.begin_snapshot();
  b.snapshot.range(Kind::file, MemoryBuilder::kData, MemoryBuilder::kDataEnd);
  b.snapshot.word(MemoryBuilder::kData, kBlock);
  b.end_snapshot();
}

std::string problem_after(const std::function<void(MemoryBuilder&)>& change) {
  MemoryBuilder b;
  b.block(kBlock, 64);
  add_whole_snapshot(b);
  change(b);
  const Classified found(b);
  // No guess: nothing is said of any block.
  CHECK(found.classes->reach_of(kBlock, TraceBuilder::kStart + 10).has_value() == found.classes->problem().empty());
  return found.classes->problem();
}

std::string problem_of_threads(std::initializer_list<State> states, uint32_t announced) {
  MemoryBuilder b;
  b.begin_snapshot(announced);
  for (const State state : states) b.snapshot.thread(0, 0, {}, state);
  b.end_snapshot();
  return Classified(b).classes->problem();
}

void write_trace(const std::string& path, TraceBuilder& b) {
  const Bytes bytes = b.build();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// Has a block at kParentBlock when it forks at kForkTime.
struct Parent : MemoryBuilder {
  Parent() {
    header.pid = 77;
    block(kParentBlock, 64);
    alloc(1, kForkTime + 10, kParentBlock + 0x1000, 64, site);  // the child has none of this
    free(1, kForkTime + 20, kParentBlock);                      // and still has that one
    close(2 * kMoment);
  }
};

// Its own block is held by the parent's alone, which is held by its data.
struct Child : MemoryBuilder {
  explicit Child(std::string_view parent_trace) {
    header.pid = 78;
    header.parent_pid = 77;
    header.flags |= format::kForkChild;
    header.fork_ticks = kStart + kForkTime;
    if (!parent_trace.empty()) add_metadata(format::MetadataRecord::parent_trace, parent_trace);
    time = kForkTime + 100;
    block(kBlock, 64);
  }
  void finish() {
    begin_snapshot();
    snapshot.range(Kind::file, kData, kDataEnd);
    snapshot.word(kData, kParentBlock);
    snapshot.word(kData + 8, kParentBlock + 0x1000);
    snapshot.range(Kind::program_break, kHeap, kHeapEnd);
    snapshot.word(kParentBlock + 8, kBlock);
    end_snapshot();
  }
};

}  // namespace

TEST_CASE("a trace that tells everything has no problem", "[reach][problems]") {
  CHECK(problem_after([](MemoryBuilder&) {}) == "");
}

TEST_CASE("without a whole snapshot nothing is classified", "[reach][problems]") {
  {
    MemoryBuilder b;
    b.block(kBlock, 64);
    b.close(100);
    CHECK(Classified(b).classes->problem() ==
          "no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one)");
  }
  MemoryBuilder b;
  b.block(kBlock, 64);
  b.begin_snapshot();
  b.close(100);
  CHECK(Classified(b).classes->problem() == "the snapshot of the memory is not whole");
}

TEST_CASE("a snapshot whose list of threads is not whole is not whole", "[reach][problems]") {
  CHECK(problem_of_threads({State::taking}, 2) == "the snapshot of the memory is not whole");
  CHECK(problem_of_threads({State::taking, State::stopped}, 2) == "");
}

TEST_CASE("the last whole snapshot counts", "[reach][problems]") {
  MemoryBuilder b;
  b.block(kBlock, 64);
  for (const bool is_held : {true, false}) {
    b.begin_snapshot();
    b.snapshot.range(Kind::file, MemoryBuilder::kData, MemoryBuilder::kDataEnd);
    b.snapshot.word(MemoryBuilder::kData, is_held ? kBlock : 0);
    b.snapshot.end();
  }
  b.begin_snapshot();  // not whole
  b.snapshot.range(Kind::file, MemoryBuilder::kData, MemoryBuilder::kDataEnd);
  b.snapshot.word(MemoryBuilder::kData, kBlock);
  b.close(2 * MemoryBuilder::kMoment);
  CHECK(Classified(b).reach_at(kBlock) == "definite");
}

TEST_CASE("a snapshot of another moment does not stand in for the one at exit", "[reach][problems]") {
  using Reason = format::SnapshotReason;
  const auto problem_of = [](const char* setting, std::initializer_list<Reason> reasons,
                             format::EndState end = format::EndState::exit) {
    MemoryBuilder b;
    b.add_metadata(format::MetadataRecord::setting, "MEMPROF_SNAPSHOT=SIGUSR1");  // the next one wins
    if (*setting != '\0') b.add_metadata(format::MetadataRecord::setting, setting);
    for (const Reason reason : reasons) {
      b.begin_snapshot(0, reason);
      b.snapshot.end();
    }
    b.close(2 * MemoryBuilder::kMoment);
    b.header.end_state = end;
    return Classified(b).classes->problem();
  };
  const std::string by_call = "the snapshot at exit is not there, or not whole: the last whole one was taken by a call";
  for (const char* setting : {"MEMPROF_SNAPSHOT=exit", "MEMPROF_SNAPSHOT=SIGUSR2,exit"}) {
    CHECK(problem_of(setting, {Reason::call}) == by_call);
    CHECK(problem_of(setting, {Reason::call}, format::EndState::immediate_exit) == by_call);
    CHECK(problem_of(setting, {Reason::exit, Reason::signal}) ==
          "the snapshot at exit is not there, or not whole: the last whole one was taken by a signal");
    CHECK(problem_of(setting, {Reason::call, Reason::exit}) == "");
    // It has not come to its end, or died: the trace is not complete, which is said elsewhere.
    CHECK(problem_of(setting, {Reason::call}, format::EndState::running) == "");
  }
  for (const char* setting : {"", "MEMPROF_SNAPSHOT=SIGUSR2", "MEMPROF_SNAPSHOT=never", "MEMPROF_OUTPUT=exit"})
    CHECK(problem_of(setting, {Reason::call}) == "");
}

TEST_CASE("what was allocated after the snapshot and stays is counted apart", "[reach]") {
  MemoryBuilder b;
  b.block(kBlock, 64);
  b.begin_snapshot(0, format::SnapshotReason::call);
  b.snapshot.end();
  for (uint64_t i = 1; i <= 3; ++i) b.alloc(1, MemoryBuilder::kMoment + 1000 * i, kBlock + 0x1000 * i, 100 * i, b.site);
  b.free(1, MemoryBuilder::kMoment + 5000, kBlock + 0x2000);
  b.free(1, MemoryBuilder::kMoment + 6000, kBlock);
  b.close(2 * MemoryBuilder::kMoment);
  const Classified found(b);
  const auto& later = found.classes->memory().later;
  REQUIRE(later.size() == 1);
  CHECK(later.begin()->second.blocks == 2);
  CHECK(later.begin()->second.bytes == 400);
}

TEST_CASE("what a trace does not tell of is a problem, each by its name", "[reach][problems]") {
  CHECK(problem_after([](MemoryBuilder& b) { b.header.flags |= format::kFiltered; }) ==
        "MEMPROF_FILTER left blocks out of the trace");
  CHECK(problem_after([](MemoryBuilder& b) { b.header.flags |= format::kLateStart; }) ==
        "recording began after the program, or was paused");
  CHECK(problem_after([](MemoryBuilder& b) { b.header.live_flags |= format::kLateStart; }) ==
        "recording began after the program, or was paused");
  CHECK(problem_after([](MemoryBuilder& b) { b.header.dropped_events[3] = 7; }) == "7 events were dropped");
  CHECK(problem_after([](MemoryBuilder& b) { b.header.dropped_events[0] = 1; }) == "1 event was dropped");
  CHECK(problem_after([](MemoryBuilder& b) { b.header.stopped = 2; }) == "the recording was stopped early");
  CHECK(problem_after([](MemoryBuilder& b) { b.pages().front().head.magic = 7; }) == "the trace is damaged");
}

TEST_CASE("a trace that was made of another one without some of its blocks is not classified", "[reach][problems]") {
  const auto problem_with = [](format::MetadataRecord type, const auto& record) {
    return problem_after([&](MemoryBuilder& b) {
      b.add_metadata(type, {reinterpret_cast<const char*>(&record), sizeof record});
    });
  };
  const std::string left_out = "blocks were left out when the trace was made of another one";
  CHECK(problem_with(format::MetadataRecord::stripped, format::Stripped{1, 100, 0}) == left_out);
  CHECK(problem_with(format::MetadataRecord::stripped, format::Stripped{}) == "");
  CHECK(problem_with(format::MetadataRecord::window, format::Window{0, 1000}) == left_out);
}

TEST_CASE("threads that could not be looked at are a problem", "[reach][problems]") {
  CHECK(problem_of_threads({State::taking, State::unseen}, 2) ==
        "a thread could not be stopped to be looked at (it blocks all signals, or does not run)");
  CHECK(problem_of_threads({State::unseen, State::taking, State::unseen, State::unseen}, 4) ==
        "3 threads could not be stopped to be looked at (it blocks all signals, or does not run)");
}

TEST_CASE("blocks are those that were live at the moment of the snapshot", "[reach]") {
  constexpr uint64_t kFreedLater = kBlock + 0x1000, kFreedBefore = kBlock + 0x2000, kLater = kBlock + 0x3000;
  MemoryBuilder b;
  for (const uint64_t address : {kBlock, kFreedLater, kFreedBefore}) b.block(address, 64);
  b.free(1, b.time += 10, kFreedBefore);
  b.free(1, MemoryBuilder::kMoment + 1000, kFreedLater);
  b.alloc(1, MemoryBuilder::kMoment + 2000, kLater, 64, b.site);
  add_whole_snapshot(b);
  const Classified found(b);
  CHECK(found.reach_at(kBlock) == "reachable");
  CHECK(found.reach_at(kFreedLater) == "definite");
  CHECK(found.reach_at(kFreedBefore) == "none");
  CHECK(found.reach_at(kLater) == "none");
  // A block is one allocation, not an address.
  const uint64_t allocated = TraceBuilder::kStart + 10;
  CHECK(found.classes->reach_of(kBlock, allocated) == Reach::reachable);
  CHECK_FALSE(found.classes->reach_of(kBlock, allocated + 1));
  CHECK_FALSE(found.classes->reach_of(kBlock + 1, allocated));
}

TEST_CASE("a block of a forked process may be held by one of its parent's", "[reach][inherited]") {
  NewDirectory directory;
  Parent parent;
  write_trace(directory.at("parent.bin"), parent);
  Child child(directory.at("parent.bin"));
  SECTION("which is no finding of the child's") {
    child.finish();
    const Classified found(child);
    REQUIRE(found.classes->problem() == "");
    CHECK(found.reach_at(kBlock) == "reachable");
    CHECK(found.reach_at(kParentBlock) == "reachable");
    CHECK(found.reach_at(kParentBlock + 0x1000) == "none");
    CHECK_FALSE(found.classes->reach_of(kParentBlock, TraceBuilder::kStart + 10));
    const auto& blocks = found.classes->memory().blocks;
    REQUIRE(blocks.size() == 2);
    CHECK_FALSE(blocks[0].is_inherited);
    CHECK(blocks[1].is_inherited);
    CHECK(blocks[1].stack == format::kNoStack);
    CHECK(blocks[1].ancestor == 1);
    CHECK(blocks[1].ancestor_stack == parent.site);
    CHECK(found.classes->ancestor(blocks[1]).file.header().pid == 77);
    CHECK(found.classes->knows_lost_inherited());
  }
  SECTION("until the child frees it") {
    child.free(1, child.time += 10, kParentBlock);
    child.finish();
    const Classified found(child);
    CHECK(found.reach_at(kBlock) == "definite");
    CHECK(found.reach_at(kParentBlock) == "none");
  }
  SECTION("or has one of its own in its place") {
    child.free(1, child.time += 10, kParentBlock);
    child.block(kParentBlock, 128);
    child.finish();
    const Classified found(child);
    CHECK(found.reach_at(kBlock) == "reachable");
    REQUIRE(found.classes->memory().blocks.size() == 2);
    CHECK_FALSE(found.classes->memory().blocks[1].is_inherited);
    CHECK(found.classes->memory().blocks[1].size == 128);
  }
}

TEST_CASE("what a fork left behind of other threads may have held what is inherited", "[reach][inherited]") {
  NewDirectory directory;
  Parent parent;
  Child child(directory.at("parent.bin"));
  bool is_known = false, is_finished = false;
  SECTION("not where there was one thread") { is_known = true; }
  SECTION("which told of themselves") { parent.header.thread_count = 2; }
  SECTION("whose stacks are there") {
    child.begin_snapshot();
    child.snapshot.range(Kind::anonymous, 0x7000'0000, 0x7080'0000, format::kRangeAboveGuard);
    child.end_snapshot();
    is_finished = true;
  }
  write_trace(directory.at("parent.bin"), parent);
  if (!is_finished) child.finish();
  const Classified found(child);
  REQUIRE(found.classes->problem() == "");
  CHECK(found.classes->knows_lost_inherited() == is_known);
}

TEST_CASE("the parent's trace is looked for beside the child's as well", "[reach][inherited]") {
  NewDirectory directory;
  Parent parent;
  write_trace(directory.at("parent.bin"), parent);
  Child child("/no/such/place/parent.bin");
  child.finish();
  write_trace(directory.at("child.bin"), child);
  const Classified found(Trace(TraceFile::open(directory.at("child.bin"))));
  CHECK(found.classes->problem() == "");
  CHECK(found.reach_at(kBlock) == "reachable");
}

TEST_CASE("the parent's trace may have been renamed when another program took its place", "[reach][inherited]") {
  NewDirectory directory;
  const auto write_image = [&](const char* name, uint64_t begin, uint64_t end, uint32_t pid = 77) {
    Parent image;
    image.header.pid = pid;
    image.header.start_ticks = TraceBuilder::kStart + begin;
    image.header.end_ticks = TraceBuilder::kStart + end;
    write_trace(directory.at(name), image);
  };
  const auto problem_of = [&](const std::string& named) {
    Child child(named);
    child.finish();
    write_trace(directory.at("child.bin"), child);
    return Classified(Trace(TraceFile::open(directory.at("child.bin")))).classes->problem();
  };
  write_image("parent.bin", kForkTime + 50, 2 * MemoryBuilder::kMoment);  // the image that came after
  write_image("parent.77.1.bin", 0, kForkTime - 100);                     // one that was gone before
  write_image("parent.77.3.bin", 0, kForkTime + 10, 79);                  // somebody else's
  write_image("parent.77.4.old.bin", 0, kForkTime + 10);                  // no such name
  write_image("parent.78.2.bin", 0, kForkTime + 10);
  write_image("parent2.77.2.bin", 0, kForkTime + 10);
  CHECK(problem_of(directory.at("parent.bin")) ==
        "the trace of the process that forked it (" + directory.at("parent.bin") + ") is not there");
  write_image("parent.77.2.bin", 0, kForkTime + 10);
  CHECK(problem_of(directory.at("parent.bin")) == "");
  CHECK(problem_of("/no/such/place/parent.bin") == "");
  // A name that has the number in it gets no other.
  CHECK(problem_of(directory.at("other.77.bin")) != "");
  write_image("other.77.1.bin", 0, kForkTime + 10);
  CHECK(problem_of(directory.at("other.77.bin")) == "");
}

TEST_CASE("of two processes of one number that of the child's own namespace is its parent", "[reach][inherited]") {
  NewDirectory directory;
  const auto write_parent = [&](const char* name, uint64_t pid_namespace, bool has_block) {
    MemoryBuilder parent;
    parent.header.pid = 77;
    parent.header.pid_namespace = pid_namespace;
    if (has_block) parent.block(kParentBlock, 64);
    parent.close(2 * MemoryBuilder::kMoment);
    write_trace(directory.at(name), parent);
  };
  const auto found = [&] {
    Child child(directory.at("parent.bin"));
    child.header.pid_namespace = 5;
    child.finish();
    return Classified(child).reach_at(kParentBlock);
  };
  write_parent("parent.bin", 6, false);
  CHECK(found() == "none");
  write_parent("parent.77.1.bin", 5, true);
  CHECK(found() == "reachable");
}

TEST_CASE("without its parent's trace nothing of a forked process is classified", "[reach][inherited]") {
  const auto problem_of = [](Child& child) {
    child.finish();
    return Classified(child).classes->problem();
  };
  NewDirectory directory;
  const std::string path = directory.at("parent.bin");
  const std::string not_there = "the trace of the process that forked it (" + path + ") is not there";
  Child of_nobody("");
  CHECK(problem_of(of_nobody) == "the trace of the process that forked it is not known");
  Child early(path);
  CHECK(problem_of(early) == not_there);
  Parent parent;
  SECTION("of another process") {
    parent.header.pid = 79;
    write_trace(path, parent);
    Child child(path);
    CHECK(problem_of(child) == not_there);
  }
  SECTION("of the same number, but later") {
    parent.header.start_ticks = TraceBuilder::kStart + kForkTime;
    write_trace(path, parent);
    Child child(path);
    CHECK(problem_of(child) == not_there);
  }
  SECTION("whose own parent is not there") {
    parent.header.flags |= format::kForkChild;
    parent.header.fork_ticks = TraceBuilder::kStart + 1;
    parent.add_metadata(format::MetadataRecord::parent_trace, "/no/such/grandparent.bin");
    write_trace(path, parent);
    Child child(path);
    CHECK(problem_of(child) == "the trace of the process that forked it (/no/such/grandparent.bin) is not there");
  }
  SECTION("which names itself") {
    parent.header.flags |= format::kForkChild;
    parent.header.parent_pid = parent.header.pid;
    parent.header.fork_ticks = TraceBuilder::kStart + kForkTime;
    parent.add_metadata(format::MetadataRecord::parent_trace, path);
    write_trace(path, parent);
    Child child(path);
    CHECK(problem_of(child) == "the trace of the process that forked it is not known");
  }
}
