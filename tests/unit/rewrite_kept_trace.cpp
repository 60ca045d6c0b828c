// A trace made of some events of another one has just those, and says of their blocks what the other one says.
#include "rewrite/kept_trace.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "every_report.h"
#include "first_difference.h"
#include "model/kept_events.h"
#include "new_directory.h"

using namespace memprof;
using namespace memprof::test;
using format::Function;

namespace {

struct Numbered {
  Event event;
  uint32_t thread;
};

std::vector<Numbered> events_of(const Trace& trace) {
  std::vector<Numbered> events;
  EventFeed feed(trace.file);
  Merge merge(feed);
  for (Batch batch; merge.next(batch);)
    for (const Run& run : batch.runs)
      for (const Event& event : run.events) events.push_back({event, run.thread});
  return events;
}

Trace kept(const Trace& trace, const EventFilter& filter, std::optional<format::Window> window = {}) {
  const NewDirectory directory;
  write_kept_trace(trace, filter, window, directory.at("kept"), nullptr);
  return Trace(open_bytes(directory.read("kept")));
}

KeptEvents::Part whole_if(bool is_kept) { return is_kept ? KeptEvents::Part::whole : KeptEvents::Part::nothing; }

// Addresses are used again, blocks wander between threads, and half of them are temporary.
TraceBuilder random_trace(uint64_t seed, size_t events) {
  TraceBuilder b;
  b.header.page_size = format::kMinPageSize;
  std::mt19937_64 random(seed);
  b.add_command({"./app"});
  const uint32_t module = b.add_module("/usr/bin/app", 0x400000, 0x500000, 0x400000, "0123456789abcdef0123");
  std::vector<uint32_t> stacks;  // of mallocs; the last 20 of reallocs
  for (uint32_t i = 0; i < 60; ++i)
    stacks.push_back(b.add_node(i % 7 == 0 ? uint32_t{format::kRootWhole} : stacks.back(), module, 0x1000 + 16 * i));
  std::vector<uint64_t> live, freed;
  for (uint64_t i = 0; i < 400; ++i) freed.push_back(0x7000'0000 + 64 * i);
  const auto take = [&](std::vector<uint64_t>& from) {
    const uint64_t address = from.back();
    from.pop_back();
    return address;
  };
  uint64_t time = 20'000;
  for (size_t i = 0; i < events; ++i) {
    const auto stream = static_cast<uint32_t>(1 + random() % 3);
    const uint32_t stack = stacks[random() % 40];
    time += 20'000 + random() % 50;  // nothing is in dispute
    if (live.empty() || (random() % 2 == 0 && !freed.empty())) {
      live.push_back(take(freed));
      b.alloc(stream, time, live.back(), random() % 900, stack);
    } else if (random() % 5 == 0 && !freed.empty()) {
      b.realloc(stream, time, time + 3, live.back(), freed.back(), random() % 900, stacks[40 + random() % 20]);
      std::swap(live.back(), freed.back());
    } else {
      if (random() % 3 == 0) std::swap(live.back(), live[random() % live.size()]);
      freed.insert(freed.begin(), live.back());
      b.free(stream, time, take(live));
    }
  }
  b.add_mark(time, 1, "late");
  b.close(time + 100);
  return b;
}

std::vector<std::string> chunk_lines(const Trace& trace) {
  ReportOptions options;
  options.symbols = false;
  std::istringstream text(written_by([&](Output& out) { report_chunks(trace, options, out, nullptr); }));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  // Blocks that were handed over are printed when their end is sure, which may depend on others.
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// Both events of each block that the very next event of its thread ends.
std::set<uint64_t> temporary_events(const std::vector<Numbered>& events) {
  std::set<uint64_t> found;
  std::map<uint32_t, uint64_t> latest;  // of a thread
  std::map<uint64_t, uint64_t> allocated;
  for (uint64_t i = 0; i < events.size(); ++i) {
    const auto& [event, thread] = events[i];
    if (event.kind == EventKind::allocation) {
      allocated[event.address] = i;
    } else if (const auto before = latest.find(thread);
               before != latest.end() && before->second == allocated[event.address]) {
      found.insert(before->second);
      found.insert(i);
    }
    latest[thread] = i;
  }
  return found;
}

}  // namespace

TEST_CASE("a trace of all events is the same trace", "[kept trace]") {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    Trace trace(open_bytes(random_trace(seed, 6'000).build()));
    Trace copy = kept(trace, [](uint64_t) { return whole_if(true); });
    REQUIRE(copy.file.complete());
    ReportOptions options;
    options.symbols = false;
    const EveryReport before = every_report(trace, options), after = every_report(copy, options);
    CHECK(first_difference(after.csv, before.csv) == "");
    CHECK(first_difference(after.chunks, before.chunks) == "");
    CHECK(copy.metadata.marks.size() == 1);
    CHECK(copy.metadata.stripped.allocations == 0);
    // What is kept elsewhere about a trace is found by its header.
    CHECK(copy.file.header().made_of != 0);
    CHECK(copy.file.header().made_of != kept(trace, [](uint64_t i) { return whole_if(i != 7); }).file.header().made_of);
    const auto events = events_of(copy), originals = events_of(trace);
    REQUIRE(events.size() == originals.size());
    for (size_t i = 0; i < events.size(); ++i) REQUIRE(events[i].event.continues == originals[i].event.continues);
  }
}

TEST_CASE("without the temporary blocks the others are as they were", "[kept trace]") {
  for (const uint64_t seed : {4u, 5u, 6u}) {
    CAPTURE(seed);
    const Trace trace(open_bytes(random_trace(seed, 6'000).build()));
    const std::set<uint64_t> temporary = temporary_events(events_of(trace));
    REQUIRE(temporary.size() > 200);
    const Trace stripped = kept(trace, [&](uint64_t number) { return whole_if(!temporary.contains(number)); });
    std::vector<std::string> expected = chunk_lines(trace);
    const size_t all = expected.size();
    std::erase_if(expected,
                  [](const std::string& line) { return line.find("\"temporary\":true") != std::string::npos; });
    REQUIRE(all - expected.size() == temporary.size() / 2);
    CHECK(first_difference(joined(chunk_lines(stripped)), joined(expected)) == "");
    CHECK(stripped.metadata.stripped.allocations == temporary.size() / 2);
    CHECK(stripped.metadata.stripped.frees == temporary.size() / 2);
    CHECK(analyse(stripped).heap()->temporary == 0);
  }
}

TEST_CASE("any choice of blocks keeps these blocks, their threads and their stacks", "[kept trace]") {
  for (const uint64_t seed : {7u, 8u, 9u}) {
    const Trace trace(open_bytes(random_trace(seed, 3'000).build()));
    const std::vector<Numbered> events = events_of(trace);
    std::set<uint64_t> chosen;
    std::map<uint64_t, bool> is_chosen;  // by address
    std::mt19937_64 random(seed);
    uint64_t allocations = 0, bytes = 0;
    for (uint64_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i].event;
      if (event.kind == EventKind::allocation) {
        is_chosen[event.address] = event.size % 5 == 0;
        if (event.size % 5 != 0) ++allocations, bytes += event.size;
      }
      if (is_chosen[event.address]) chosen.insert(i);
    }
    const Trace part = kept(trace, [&](uint64_t number) { return whole_if(chosen.contains(number)); });
    std::vector<std::string> expected = chunk_lines(trace);
    std::erase_if(expected, [](const std::string& line) {
      return nlohmann::json::parse(line).at("size").get<uint64_t>() % 5 != 0;
    });
    CHECK(first_difference(joined(chunk_lines(part)), joined(expected)) == "");
    CHECK(part.metadata.stripped.allocations == allocations);
    CHECK(part.metadata.stripped.bytes == bytes);
    CHECK(analyse(part).threads.size() == analyse(trace).threads.size());
  }
}

TEST_CASE("a window keeps its clock, its record, and the nodes of its stacks alone", "[kept trace]") {
  const Trace trace(open_bytes(random_trace(10, 3'000).build()));
  const std::vector<Numbered> events = events_of(trace);
  const format::Window window{events[1000].event.ticks - TraceBuilder::kStart,
                              events[1040].event.ticks - TraceBuilder::kStart};
  const Trace part = kept(
      trace, [](uint64_t number) { return whole_if(number >= 1000 && number < 1020); }, window);
  REQUIRE(part.metadata.window);
  CHECK(part.metadata.window->from_ns == window.from_ns);
  CHECK(part.metadata.window->to_ns == window.to_ns);
  CHECK(part.metadata.stripped.frees == 0);
  CHECK(part.nodes.node_count() < trace.nodes.node_count());
  const std::vector<Numbered> left = events_of(part);
  REQUIRE(left.size() == 20);
  for (size_t i = 0; i < left.size(); ++i) {
    const Event &a = left[i].event, &b = events[1000 + i].event;
    CHECK(a.ticks == b.ticks);
    CHECK(a.address == b.address);
    CHECK(a.size == b.size);
    CHECK(part.nodes.frames(a.stack, 100).size() == trace.nodes.frames(b.stack, 100).size());
  }
  CHECK(part.file.size_bytes() < trace.file.size_bytes());
}

TEST_CASE("a trace that nobody closed keeps the times of its events", "[kept trace]") {
  TraceBuilder b;
  const uint32_t stack = b.stack(0x100);
  b.header.clock = format::Clock::tsc;
  b.alloc(1, 1'000, 0x1000, 24, stack);
  b.free(1, 500'000, 0x1000);
  b.new_page(1);
  b.alloc(1, 900'000'000, 0x2000, 24, stack);
  b.pages().back().head.base_monotonic_ns += 77'777;
  const Trace trace(open_bytes(b.build()));
  const Trace part = kept(trace, [](uint64_t number) { return whole_if(number < 2); });
  CHECK(part.clock.ns_since_start(TraceBuilder::kStart + 500'000) ==
        trace.clock.ns_since_start(TraceBuilder::kStart + 500'000));
  CHECK(analyse(part).duration_ns() == analyse(trace).duration_ns());
}

TEST_CASE("damage of a trace is not forgotten in what is made of it", "[kept trace]") {
  Bytes bytes = random_trace(11, 3'000).build();
  bytes[4 * format::kMinPageSize + 200] ^= std::byte{1};
  const Trace trace(open_bytes(bytes));
  const Trace part = kept(trace, [](uint64_t) { return whole_if(true); });
  CHECK(trace.file.damage().pages() == 1);
  CHECK_FALSE(part.file.complete());
  CHECK(part.file.damage().missing_pages() == 1);
}

TEST_CASE("an extracted window reads as the window of the trace", "[kept trace]") {
  for (const uint64_t seed : {12u, 13u}) {
    for (const auto& [from, to] :
         {std::pair(0u, 1500u), std::pair(700u, 1500u), std::pair(1000u, 1010u), std::pair(2000u, 100'000u)}) {
      CAPTURE(seed, from, to);
      Trace trace(open_bytes(random_trace(seed, 3'000).build()));
      const std::vector<Numbered> events = events_of(trace);
      const auto time_of = [&](size_t number) { return events[number].event.ticks - TraceBuilder::kStart; };
      trace.selection.from_ns = from == 0 ? 0 : time_of(from);
      trace.selection.to_ns = to < events.size() ? time_of(to) : Selection::kNoLimit;
      const KeptEvents chosen = kept_events(trace);
      Trace part = kept(
          trace, [&](uint64_t number) { return chosen[number]; },
          format::Window{trace.selection.from_ns, trace.selection.to_ns});
      CHECK(part.selection.from_ns == trace.selection.from_ns);
      CHECK(part.selection.to_ns == trace.selection.to_ns);
      ReportOptions options;
      options.symbols = false;
      const EveryReport before = every_report(trace, options), after = every_report(part, options);
      CHECK(first_difference(after.csv, before.csv) == "");
      CHECK(first_difference(after.chunks, before.chunks) == "");
      CHECK(events_of(part).size() < events.size());
    }
  }
}

TEST_CASE("parts of mappings that others took are kept with their block", "[kept trace]") {
  TraceBuilder b;
  const uint32_t one = b.stack(0x100), other = b.stack(0x200);
  const uint64_t page = 4096, at = 0x7f0000000000;
  b.alloc(1, 10, at, 10 * page, one, Function::mmap);
  b.free(1, 20, at + 2 * page, Function::munmap, page, one);       // a part, before the window
  b.alloc(1, 30, at + 5 * page, 2 * page, other, Function::mmap);  // replaces a part of it
  b.alloc(1, 40, 0x1000, 8, other);
  b.free(1, 50, at + 9 * page, Function::munmap, page, one);
  b.alloc(1, 60, at, page, other, Function::mmap);
  b.free(1, 70, at + 5 * page, Function::munmap, 2 * page, other);
  b.close(1000);
  Trace trace(open_bytes(b.build()));
  const auto open_bytes_of = [](const Trace& of) {
    const Analysis analysis = analyse(of);
    for (uint16_t i = 0; i < of.domains.all().size(); ++i)
      if (of.domains.all()[i].name == "mmap" && analysis.pairing.account(i))
        return analysis.pairing.account(i)->open_bytes();
    return uint64_t{0};
  };
  const auto rewritten = [&] {
    const KeptEvents chosen = kept_events(trace);
    return kept(trace, [&](uint64_t number) { return chosen[number]; });
  };
  trace.selection.stack = [&](StackId stack) { return stack == one; };
  CHECK(open_bytes_of(trace) == (10 - 1 - 2 - 1 - 1) * page);
  CHECK(open_bytes_of(rewritten()) == open_bytes_of(trace));
  trace.selection.from_ns = 25;
  CHECK(open_bytes_of(trace) == 5 * page);
  CHECK(open_bytes_of(rewritten()) == 5 * page);
  trace.selection.from_ns = 0;
  trace.selection.stack = [&](StackId stack) { return stack == other; };
  CHECK(open_bytes_of(trace) == page);
  CHECK(open_bytes_of(rewritten()) == page);
}
