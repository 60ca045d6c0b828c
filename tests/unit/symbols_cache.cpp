// The cache of symbols changes nothing but the time, whatever lies in its directory.
#include "symbols/symbol_cache.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/symbolizer.h"
#include "symbols_data/fixture.h"

using namespace memprof;
using namespace symbols_test;
namespace fs = std::filesystem;

namespace {

// The sample's linker may make no build id; then the test makes the note's bytes of another file the sample's.
BuildId sample_id() {
  BuildId id = build_id_of(kSample);
  REQUIRE_FALSE(id.empty());
  return id;
}

std::vector<uint64_t> addresses() {
  const uint64_t outer = symbol_address(kSample, "_ZN6sample5outerERKNS_5ShapeEi");
  std::vector<uint64_t> all = {symbol_address(kSample, "sample_leaf"), 0};
  for (uint64_t i = 0; i < 40; ++i) all.push_back(outer + i);
  return all;
}

class Cached {
 public:
  Cached() { fs::copy_file(kSample, binary()); }
  std::string binary() const { return files_ / "sample.so"; }
  std::string cache() const { return files_ / "cache"; }
  std::string at(const std::string& name) const { return files_ / name; }

  // What the symbolizer says of all addresses.
  std::string ask(bool uses_cache = true, const BuildId& id = sample_id()) const {
    Symbolizer::Options options = offline_options();
    options.files.debug_dirs = {files_ / "debug"};
    if (uses_cache) options.cache = cache();
    Symbolizer symbolizer({ModuleInfo{binary(), id, 0x1000, 0, 0}}, options);
    std::string text;
    for (const uint64_t address : addresses())
      for (const bool is_return : {false, true})
        for (const SourceFrame& frame : symbolizer.resolve(0, address + 0x1000, is_return))
          text += fmt::format("{} {} {} {} {} {}\n", frame.function, frame.file, frame.line, frame.offset,
                              frame.inlined, frame.linkage_name);
    const auto report = symbolizer.module_reports().at(0);
    return text + fmt::format("{} {} {}\n", static_cast<int>(report.detail), report.problem, report.debug_file);
  }

  std::vector<fs::path> entries() const {
    std::vector<fs::path> all;
    if (!fs::exists(cache())) return all;
    for (const auto& entry : fs::directory_iterator(cache())) all.push_back(entry.path());
    return all;
  }

 private:
  TemporaryDirectory files_;
};

// Shows whether the cache is asked: the entry gets a name that no file has.
void falsify(const fs::path& entry) {
  const std::string bytes = patched(read_bytes(entry), "sample_leaf", "sample_lie!");
  SymbolCache::Key key;
  key.file_name = entry.filename();
  uint32_t key_bytes = 0;
  std::memcpy(&key_bytes, bytes.data() + 12, sizeof key_bytes);
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  key.bytes.assign(data + 40, data + 40 + key_bytes);
  SymbolCache(entry.parent_path()).store(key, {true, true, {data + 40 + key_bytes, data + bytes.size()}});
}

}  // namespace

TEST_CASE("a second run is answered by the cache, with the same words", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask(false);
  CHECK(expected.find("sample_leaf") != std::string::npos);
  CHECK(expected.find(" _ZN6sample5outerERKNS_5ShapeEi\n") != std::string::npos);
  CHECK(files.entries().empty());
  CHECK(files.ask() == expected);
  REQUIRE(files.entries().size() == 1);
  CHECK(files.entries()[0].filename().string().starts_with(to_hex(sample_id()) + "-"));
  CHECK(fs::status(files.cache()).permissions() == fs::perms::owner_all);
  CHECK(fs::status(files.entries()[0]).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(files.ask() == expected);
  falsify(files.entries()[0]);
  CHECK(files.ask() == patched(expected, "sample_leaf", "sample_lie!"));
  CHECK(files.ask(false) == expected);
}

TEST_CASE("the cache is not asked for other files, other builds, and modules without a build id", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask();
  falsify(files.entries().at(0));
  BuildId other = sample_id();
  other[0] ^= std::byte{1};
  CHECK(files.ask(true, other).find("sample_lie!") == std::string::npos);
  CHECK(files.ask(true, {}).find("sample_lie!") == std::string::npos);
  CHECK(files.entries().size() == 1);

  SECTION("a file that was changed") {
    fs::last_write_time(files.binary(), fs::last_write_time(files.binary()) + std::chrono::seconds(1));
    CHECK(files.ask() == expected);
    CHECK(files.entries().size() == 2);
  }
  SECTION("a file that is gone") {
    fs::rename(files.binary(), files.at("elsewhere.so"));
    CHECK(files.ask() == files.ask(false));
  }
}

TEST_CASE("debug information that is installed later is not hidden by the cache", "[symbols][cache]") {
  const Cached files;
  const std::string whole = read_bytes(kSample);
  write_bytes(files.binary(),
              patched(patched(whole, ".debug_info", ".xebug_info"), ".gnu_debuglink", ".xxx_debuglink"));
  const std::string bare = files.ask();
  CHECK(bare.find("sample.cpp") == std::string::npos);
  CHECK(files.ask() == bare);
  REQUIRE(files.entries().size() == 1);
  const std::string hex = to_hex(sample_id());
  write_bytes(files.at("debug") + "/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) + ".debug", whole);
  const std::string full = files.ask();
  CHECK(full.find("sample.cpp") != std::string::npos);
  CHECK(full == files.ask(false));
  CHECK(files.entries().size() == 2);
}

TEST_CASE("new addresses are added to those that the cache has", "[symbols][cache]") {
  const Cached files;
  Symbolizer::Options options = offline_options();
  options.cache = files.cache();
  const uint64_t leaf = symbol_address(kSample, "sample_leaf");
  const auto ask_one = [&](uint64_t address) {
    Symbolizer symbolizer({ModuleInfo{files.binary(), sample_id(), 0, 0, 0}}, options);
    symbolizer.prepare({{0, {address, true}}});
    return std::string(symbolizer.resolve(0, address, false)[0].function);
  };
  CHECK(ask_one(leaf) == "sample_leaf");
  const auto small = fs::file_size(files.entries().at(0));
  CHECK_FALSE(ask_one(leaf + 1).empty());
  CHECK(fs::file_size(files.entries().at(0)) > small);
  falsify(files.entries().at(0));
  CHECK(ask_one(leaf) == "sample_lie!");
  CHECK(ask_one(leaf + 1) == "sample_lie!");
}

TEST_CASE("each flipped byte and each cut of a cache file is harmless", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask();
  const fs::path entry = files.entries().at(0);
  const std::string good = read_bytes(entry);
  const SymbolCache cache(files.cache());
  SymbolCache::Key key;
  key.file_name = entry.filename();
  uint32_t key_bytes = 0;
  std::memcpy(&key_bytes, good.data() + 12, sizeof key_bytes);
  const auto* data = reinterpret_cast<const std::byte*>(good.data());
  key.bytes.assign(data + 40, data + 40 + key_bytes);
  REQUIRE(cache.load(key));
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
    write_bytes(entry, bad);
    REQUIRE_FALSE(cache.load(key));
  }
  for (size_t length = 0; length < good.size(); length += 7) {
    write_bytes(entry, good.substr(0, length));
    REQUIRE_FALSE(cache.load(key));
  }
  CHECK(files.ask() == expected);  // and the damage is mended
  CHECK(read_bytes(entry) == good);
}

TEST_CASE("a cache that is not this user's alone, is a link or cannot be written is not used", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask(false);
  SECTION("open to others") {
    fs::create_directory(files.cache());
    fs::permissions(files.cache(), fs::perms::all);
  }
  SECTION("a link") {
    fs::create_directory(files.at("real"));
    fs::create_directory_symlink(files.at("real"), files.cache());
  }
  SECTION("a file") { write_bytes(files.cache(), "no directory"); }
  CHECK(files.ask() == expected);
  CHECK((!fs::is_directory(files.cache()) || files.entries().empty()));
}

TEST_CASE("entries that are links or no files are not followed", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask();
  const fs::path entry = files.entries().at(0);
  SECTION("a link") {
    falsify(entry);
    fs::rename(entry, files.at("moved"));
    fs::create_symlink(files.at("moved"), entry);
    CHECK(files.ask() == expected);
    CHECK(fs::is_regular_file(fs::symlink_status(entry)));
    CHECK(read_bytes(files.at("moved")).find("sample_lie!") != std::string::npos);
  }
  SECTION("a fifo") {
    fs::remove(entry);
    REQUIRE(::mkfifo(entry.c_str(), 0600) == 0);
    CHECK(files.ask() == expected);
  }
}

TEST_CASE("the oldest entries go when there are too many bytes", "[symbols][cache]") {
  const TemporaryDirectory directory;
  const SymbolCache cache(directory / "cache", 10'000);
  const auto key = [](int i) { return SymbolCache::Key{fmt::format("{:02}.frames", i), {static_cast<std::byte>(i)}}; };
  for (int i = 0; i < 8; ++i) {
    cache.store(key(i), {true, true, std::vector<std::byte>(3000)});
    const timespec times[2] = {{1'000'000'000 + i, 0}, {1'000'000'000 + i, 0}};
    REQUIRE(::utimensat(AT_FDCWD, (directory / "cache/" + key(i).file_name).c_str(), times, 0) == 0);
  }
  CHECK(cache.load(key(0)));  // used now: it is no longer the oldest
  write_bytes(directory / "cache/unrelated", std::string(50'000, 'x'));
  write_bytes(directory / "cache/0123.tmp", "of a killed program");
  const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (directory / "cache/0123.tmp").c_str(), old, 0) == 0);
  cache.trim();
  for (int i = 0; i < 8; ++i) CHECK(cache.load(key(i)).has_value() == (i == 0 || i >= 6));
  CHECK(fs::exists(directory / "cache/unrelated"));
  CHECK_FALSE(fs::exists(directory / "cache/0123.tmp"));
  cache.store(key(9), {true, true, std::vector<std::byte>(20'000)});
  CHECK_FALSE(cache.load(key(9)));
}

TEST_CASE("many programs at once read whole entries only", "[symbols][cache]") {
  const Cached files;
  const std::string expected = files.ask(false);
  const BuildId id = sample_id();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const SymbolCache cache(files.cache());
      SymbolCache::Key key{"same.frames", {}};
      for (int k = 0; k < 200; ++k) {
        const std::vector<std::byte> frames(1000 + static_cast<size_t>(k), static_cast<std::byte>(k));
        cache.store(key, {true, false, frames});
        const auto entry = cache.load(key);
        if (!entry || entry->frames.empty() ||
            entry->frames != std::vector<std::byte>(entry->frames.size(), entry->frames[0]))
          ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(files.entries().size() == 1);
  CHECK(files.ask() == expected);
}

TEST_CASE("where the cache is", "[symbols][cache]") {
  const auto with = [](const char* own, const char* base, const char* home) {
    const char* const names[] = {"MEMPROF_CACHE", "XDG_CACHE_HOME", "HOME"};
    const char* const values[] = {own, base, home};
    std::vector<std::string> before;
    for (int i = 0; i < 3; ++i) {
      const char* value = std::getenv(names[i]);
      before.push_back(value != nullptr ? value : "");
      values[i] != nullptr ? ::setenv(names[i], values[i], 1) : ::unsetenv(names[i]);
    }
    const std::string directory = CacheDirectory::default_path();
    for (int i = 0; i < 3; ++i) before[i].empty() ? ::unsetenv(names[i]) : ::setenv(names[i], before[i].c_str(), 1);
    return directory;
  };
  CHECK(with("/own", "/base", "/home/me") == "/own");
  CHECK(with(nullptr, "/base", "/home/me") == "/base/memprof");
  CHECK(with("", "relative", "/home/me") == "/home/me/.cache/memprof");
  CHECK(with(nullptr, nullptr, nullptr).empty());
}
