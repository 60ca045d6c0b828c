// A window answers the same with and without checkpoints, whatever became of their file.
#include <fmt/format.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <utility>

#include "model/checkpoints.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "memprof-checkpoints-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path)) found.push_back(entry.path());
    return found;
  }
};

// Large enough to be worth checkpoints: blocks of the heap and mappings, of several threads, handed over at times.
Bytes large_trace() {
  std::mt19937_64 random(11);
  TraceBuilder b;
  b.header.page_size = format::kMinPageSize;
  std::vector<uint32_t> stacks;
  for (uint64_t i = 0; i < 40; ++i) stacks.push_back(b.stack(0x100 + i));
  struct Live {
    uint64_t address;
    uint32_t thread;
  };
  std::vector<Live> live;
  std::vector<uint64_t> mapped;
  uint64_t time = 100, next_address = 0x10000, next_mapping = 0x7f0000000000;
  for (int event = 0; event < 700'000; ++event) {
    const uint32_t thread = 1 + static_cast<uint32_t>(random() % 3);
    time += 20'000 + random() % 50;  // further apart than what counts for inverted
    const uint32_t stack = stacks[random() % stacks.size()];
    if (random() % 500 == 0) {
      if (mapped.size() < 10) {
        b.alloc(thread, time, next_mapping, 16 * 4096, stack, format::Function::mmap);
        mapped.push_back(next_mapping);
        next_mapping += 64 * 4096;
      } else {
        std::swap(mapped[random() % mapped.size()], mapped.back());
        const uint64_t part = random() % 3;
        b.free(thread, time, mapped.back() + part * 4096, format::Function::munmap, (16 - part) * 4096);
        mapped.pop_back();
      }
    } else if (live.size() < 200 || random() % 100 < (live.size() < 1500 ? 52u : 48u)) {
      b.alloc(thread, time, next_address, 1 + random() % 5'000, stack);
      live.push_back({next_address, thread});
      next_address += 0x2000;
    } else {
      std::swap(live[random() % live.size()], live.back());
      b.free(random() % 4 == 0 ? thread : live.back().thread, time, live.back().address);
      live.pop_back();
    }
  }
  b.close(time + 1'000);
  return b.build();
}

const Bytes& trace_bytes() {
  static const Bytes bytes = large_trace();
  return bytes;
}

struct Answers : ChunkVisitor {
  std::vector<std::string> lines;
  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    add("closed", domain, address, chunk, stack, release.event.ticks, release.is_temporary);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override {
    add("open", domain, address, chunk, stack, 0, is_displaced);
  }
  void orphaned(uint16_t, const Release& release, OrphanKind) override {
    lines.push_back("orphan " + std::to_string(release.event.address));
  }
  void add(const char* what, uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, uint64_t end,
           bool flag) {
    lines.push_back(fmt::format("{} {} {:x} {} {} {} {} {} {} {} {}", what, domain, address, chunk.size,
                                chunk.alloc_ticks, chunk.stack, chunk.thread, chunk.tag, stack, end, flag));
  }
};

// Every number, and every block.
std::vector<std::string> ask(const std::string& cache, uint64_t from_ns, uint64_t to_ns, unsigned threads = 2,
                             std::optional<uint64_t> least_lifetime_ns = {}, ProgressSink* progress = nullptr) {
  Trace trace(open_bytes(trace_bytes()));
  trace.threads = threads;
  trace.cache = CacheDirectory(cache);
  trace.selection.from_ns = from_ns;
  trace.selection.to_ns = to_ns;
  if (least_lifetime_ns) trace.selection.least_lifetime_ns = *least_lifetime_ns;
  Answers answers;
  const Analysis analysis = analyse(trace, &answers, progress);
  for (uint16_t domain = 0; domain < 2; ++domain) {
    const Account* account = analysis.pairing.account(domain);
    if (!account) continue;
    answers.lines.push_back(fmt::format("{} {} {} {} {} {} {} {} {} {}", account->allocations, account->bytes_allocated,
                                        account->open_chunks(), account->open_bytes(), account->carried_chunks(),
                                        account->carried_bytes(), account->temporary, account->orphans(),
                                        account->sites.peak_bytes(), account->sites.peak_ticks()));
    for (const Site& site : account->sites.all())
      answers.lines.push_back(fmt::format("site {} {} {} {} {} {} {} {} {} {} {}", site.stack, site.tag,
                                          site.allocations, site.bytes_allocated, site.open_chunks, site.open_bytes,
                                          site.peak_bytes, site.peak_ticks, site.at_peak_bytes, site.at_peak_chunks,
                                          site.carried_bytes));
  }
  answers.lines.push_back(std::to_string(analysis.pairing.event_count()));
  return answers.lines;
}

constexpr uint64_t kWholeNs = 700'000 * 20'025ull;

}  // namespace

TEST_CASE("windows answer alike from a checkpoint and from the begin of the trace", "[checkpoints]") {
  const Directory cache;
  const auto whole = ask("", 0, Selection::kNoLimit);
  CHECK(ask(cache.path.string(), 0, Selection::kNoLimit) == whole);
  REQUIRE(cache.files().size() == 1);
  struct stat status;
  REQUIRE(::stat(cache.files()[0].c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  // No larger than an eighth of the trace, and the first.
  CHECK(static_cast<uint64_t>(status.st_size) < trace_bytes().size() / 6);
  std::mt19937_64 random(3);
  for (int i = 0; i < 12; ++i) {
    const uint64_t from = 1 + random() % kWholeNs;
    const uint64_t to = i % 3 == 0 ? Selection::kNoLimit : from + random() % (kWholeNs / 20);
    const auto lifetime = i % 4 == 1 ? std::optional<uint64_t>(20'000'000) : std::nullopt;
    CHECK(ask(cache.path.string(), from, to, 1 + static_cast<unsigned>(random() % 3), lifetime) ==
          ask("", from, to, 1, lifetime));
  }
}

TEST_CASE("checkpoints that come or go while a question is answered change nothing", "[checkpoints]") {
  // A question about the fate of blocks takes two passes, which speak of blocks by numbers that depend on their start.
  struct Interruption : ProgressSink {
    void advance(uint64_t, uint64_t) override {
      if (act) std::exchange(act, nullptr)();
    }
    std::function<void()> act;
  };
  const uint64_t from = kWholeNs / 2, lifetime = 20'000'000;
  const auto expected = ask("", from, Selection::kNoLimit, 1, lifetime);
  const Directory cache;
  Interruption coming, going;
  coming.act = [&] { ask(cache.path.string(), 0, Selection::kNoLimit); };
  CHECK(ask(cache.path.string(), from, Selection::kNoLimit, 1, lifetime, &coming) == expected);
  REQUIRE(cache.files().size() == 1);
  going.act = [&] { std::filesystem::remove(cache.files()[0]); };
  CHECK(ask(cache.path.string(), from, Selection::kNoLimit, 1, lifetime, &going) == expected);
  CHECK(cache.files().empty());
}

TEST_CASE("a window reads the pages since the last checkpoint", "[checkpoints]") {
  const Directory cache;
  ask(cache.path.string(), 0, Selection::kNoLimit);
  Trace trace(open_bytes(trace_bytes()));
  struct Progress : ProgressSink {
    uint64_t total = 0;
    void advance(uint64_t, uint64_t pages) override { total = pages; }
  } with, without;
  trace.selection.from_ns = kWholeNs / 10 * 9;
  analyse(trace, nullptr, &without);
  trace.cache = CacheDirectory(cache.path.string());
  analyse(trace, nullptr, &with);
  CHECK(without.total > CheckpointWriter::kLeastPages * 9 / 10);
  CHECK(with.total < without.total / 5);
}

TEST_CASE("checkpoints that are damaged, of another trace or of an unfinished one change nothing", "[checkpoints]") {
  const Directory cache;
  ask(cache.path.string(), 0, Selection::kNoLimit);
  const std::filesystem::path file = cache.files().at(0);
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const uint64_t from = kWholeNs / 2, to = from + kWholeNs / 100;
  const auto expected = ask("", from, to);
  std::mt19937_64 random(7);
  const auto write = [&](const std::string& changed) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << changed;
    CHECK(ask(cache.path.string(), from, to) == expected);
  };
  for (int i = 0; i < 20; ++i) {
    std::string changed = bytes;
    const size_t at = i < 8 ? changed.size() - 1 - random() % 200 : random() % changed.size();
    changed[at] = static_cast<char>(changed[at] ^ (1 << random() % 8));
    write(changed);
  }
  for (const size_t size : {size_t{0}, size_t{10}, size_t{700}, bytes.size() / 2, bytes.size() - 1})
    write(bytes.substr(0, size));

  std::filesystem::remove(file);
  TraceBuilder unfinished;
  unfinished.alloc(1, 10, 0x1000, 8, unfinished.stack(0x100));
  Trace trace(open_bytes(unfinished.build()));
  trace.cache = CacheDirectory(cache.path.string());
  analyse(trace);
  CHECK(cache.files().empty());
}

TEST_CASE("a selection leaves no checkpoints, and no directory is used that others can write to", "[checkpoints]") {
  const Directory cache;
  ask(cache.path.string(), 1'000'000, Selection::kNoLimit);
  CHECK(cache.files().empty());
  REQUIRE(::chmod(cache.path.c_str(), 0777) == 0);
  ask(cache.path.string(), 0, Selection::kNoLimit);
  CHECK(cache.files().empty());
}

TEST_CASE("checkpoints take no more than an eighth of the trace, also where what is live grows to its end",
          "[checkpoints]") {
  TraceBuilder b;
  b.header.page_size = format::kMinPageSize;
  const uint32_t stack = b.stack(0x100);
  uint64_t time = 100;
  for (uint64_t i = 0; i < 200'000; ++i) b.alloc(1, time += 100, 0x10000 + i * 0x1234560, 1 + i % 5'000, stack);
  b.close(time);
  const Bytes bytes = b.build();
  Trace trace(open_bytes(bytes));
  const Directory directory;
  trace.cache = CacheDirectory(directory.path.string());
  EventFeed feed(trace.file);
  Merge merge(feed);
  Pairing pairing(trace.domains, trace.nodes, Pairing::config_for(trace.file, trace.clock, feed), nullptr);
  Summing summing(pairing.accounts(), trace.nodes, trace.site_keys, nullptr);
  CheckpointWriter writer(trace.file, trace.cache);
  Pipeline(feed, merge, pairing, summing, nullptr, &writer).run(1);
  writer.finish();
  const auto files = directory.files();
  REQUIRE(files.size() == 1);
  // Besides the states: a head, entries and a foot.
  CHECK(std::filesystem::file_size(files[0]) <= bytes.size() / 8 + 8'192);
}
