// The analyzer's event writer against its reader, and against the recorder's encoder in what it costs.
#include <catch2/catch.hpp>

#include <cstring>
#include <random>

#include "recorder/event_encoder.h"
#include "trace/event_reader.h"
#include "trace/event_writer.h"
#include "trace/trace_file.h"

using namespace memprof;

namespace {

constexpr EventReader::PageStart kStart{.base_ticks = 16'000, .lead_units = 40, .time_shift = 4, .size_bias = 23};
constexpr uint64_t kFirstUnit = 1000 - 40;

std::vector<std::byte> encode(const std::vector<Event>& events, const EventReader::PageStart& start) {
  EventWriter writer;
  writer.start(start);
  std::vector<std::byte> out;
  for (size_t i = 0; i < events.size(); ++i) {
    const size_t before = out.size();
    REQUIRE(writer.reaches(events[i]));
    if (i + 1 < events.size() && events[i + 1].continues) {
      writer.write_realloc(events[i], events[i + 1], out);
      ++i;
    } else {
      writer.write(events[i], out);
    }
    REQUIRE(out.size() - before <= EventWriter::kMostBytes);
  }
  return out;
}

std::vector<Event> decode(std::vector<std::byte> bytes, const EventReader::PageStart& start) {
  const size_t used = bytes.size();
  bytes.resize(used + TraceFile::kPayloadPadding);
  EventReader reader;
  reader.start(std::span<const std::byte>(bytes).first(used), start);
  std::vector<Event> found;
  Event some[64];
  while (const size_t count = reader.read(some)) found.insert(found.end(), some, some + count);
  REQUIRE_FALSE(reader.is_damaged());
  REQUIRE(reader.bytes_read() == used);
  return found;
}

bool are_equal(const Event& a, const Event& b) {
  return a.ticks == b.ticks && a.address == b.address && a.size == b.size && a.stack == b.stack && a.tag == b.tag &&
         a.kind == b.kind && a.continues == b.continues && a.follows_gap == b.follows_gap;
}

void require_round_trip(const std::vector<Event>& events, const EventReader::PageStart& start = kStart) {
  const std::vector<Event> found = decode(encode(events, start), start);
  REQUIRE(found.size() == events.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    REQUIRE(are_equal(found[i], events[i]));
  }
}

// As the recorder would have written them, gaps excepted.
size_t recorded_bytes(const std::vector<Event>& events) {
  std::vector<unsigned char> bytes(events.size() * EventEncoder::kMostBytes + 64);
  EventEncoder encoder;
  encoder.restart(kFirstUnit, kStart.size_bias);
  unsigned char* at = bytes.data();
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& e = events[i];
    if (e.kind == EventKind::allocation) {
      at = encoder.alloc(at, e.ticks, e.address, e.size, e.stack, e.tag);
    } else if (i + 1 < events.size() && events[i + 1].continues) {
      const Event& next = events[++i];
      at = encoder.realloc(at, e.ticks, next.ticks, e.address, next.address, next.size, next.stack, next.tag);
    } else {
      at = encoder.free(at, e.ticks, e.address, e.size, e.stack, e.tag);
    }
  }
  return static_cast<size_t>(at - bytes.data());
}

// From what the predictor likes best (0) to what it can do nothing with (3).
std::vector<Event> random_history(std::mt19937_64& random, unsigned disorder, size_t count) {
  const auto pick = [&](uint64_t below) { return random() % below; };
  std::vector<Event> events;
  std::vector<uint64_t> live;
  uint64_t units = kFirstUnit, bump = 0x5500'0000'0000;
  const auto step = [&] { return units += disorder == 3 && pick(9) == 0 ? pick(uint64_t{1} << pick(49)) : pick(200); };
  while (events.size() < count) {
    if (step() > uint64_t{1} << 57) break;
    const uint64_t size = disorder == 0 ? pick(4) * 24 : pick(30) == 0 ? random() >> (8 + pick(56)) : pick(3000);
    const auto stack = static_cast<uint32_t>(disorder == 3 ? random() : 16 + pick(disorder == 0 ? 6 : 4000));
    const auto tag = static_cast<uint16_t>(disorder == 0 ? 1 : disorder == 3 ? random() : 1 + pick(11));
    const auto fresh = [&] {
      bump += (size / 16 + 2) * 16;
      return disorder == 3 && pick(4) == 0 ? random() : bump;
    };
    const bool gap = disorder > 0 && pick(40) == 0;
    const uint64_t action = live.empty() ? 0 : pick(disorder == 0 ? 2 : 5);
    if (action == 0 || action == 2) {
      live.push_back(fresh());
      events.push_back({units << 4, live.back(), size, stack, tag, EventKind::allocation, false, gap});
      continue;
    }
    const size_t index = pick(3) != 0 ? live.size() - 1 : pick(live.size());
    if (action == 4) {
      events.push_back({units << 4, live[index], 0, stack, tag, EventKind::release, false, gap});
      if (pick(2) != 0) live[index] = fresh();
      units += pick(disorder == 3 ? format::kMostDurationUnits : 90);
      events.push_back({units << 4, live[index], size, stack, tag, EventKind::allocation, true});
      continue;
    }
    const bool says_more = disorder > 0 && pick(10) == 0;
    events.push_back({units << 4, live[index], says_more ? size : 0, says_more ? stack : 0,
                      static_cast<uint16_t>(disorder == 3 ? random() : 12), EventKind::release, false, gap});
    live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
  }
  return events;
}

}  // namespace

TEST_CASE("random events come back from the writer's bytes as they were", "[event writer]") {
  std::mt19937_64 random(20261129);
  for (unsigned round = 0; round < 120; ++round) {
    CAPTURE(round);
    require_round_trip(random_history(random, round % 4, 1 + random() % 4000));
  }
}

TEST_CASE("the writer needs no more bytes than the recorder", "[event writer]") {
  std::mt19937_64 random(5);
  for (unsigned round = 0; round < 40; ++round) {
    CAPTURE(round);
    std::vector<Event> events = random_history(random, round % 4, 4000);
    for (Event& event : events) event.follows_gap = false;
    CHECK(encode(events, kStart).size() == recorded_bytes(events));
  }
}

TEST_CASE("the example of trace_format.h is what the writer writes", "[event writer]") {
  const std::vector<Event> events = {{1005 << 4, 0x2ab0150, 32, 18, 1, EventKind::allocation, false},
                                     {1008 << 4, 0x2ab0150, 0, 0, 12, EventKind::release, false}};
  const std::vector<std::byte> bytes =
      encode(events, {.base_ticks = 16'000, .lead_units = 0, .time_shift = 4, .size_bias = 23});
  const unsigned char example[] = {0x1f, 0x05, 0x24, 0x01, 0x00, 0x20, 0xf2, 0x2a,
                                   0x60, 0x55, 0x0c, 0x03, 0x80, 0x0c, 0x00};
  REQUIRE(bytes.size() == sizeof example);
  CHECK(std::memcmp(bytes.data(), example, sizeof example) == 0);
}

TEST_CASE("halves of a realloc become events of their own", "[event writer]") {
  const Event release{1000 << 4, 0x1000, 0, 77, 3, EventKind::release, false};
  Event allocation{1001 << 4, 0x2000, 64, 77, 3, EventKind::allocation, true};
  require_round_trip({release, allocation});
  allocation.continues = false;
  require_round_trip({release});
  require_round_trip({allocation});
}

TEST_CASE("times that are no whole units are rounded as the recorder does, and never go back", "[event writer]") {
  const std::vector<Event> found = decode(encode({{16'001, 0x1000, 8, 20, 1, EventKind::allocation, false},
                                                  {16'031, 0x1000, 0, 0, 12, EventKind::release, false},
                                                  {16'000, 0x1000, 8, 20, 1, EventKind::allocation, false}},
                                                 kStart),
                                          kStart);
  REQUIRE(found.size() == 3);
  CHECK(found[0].ticks == 16'016);
  CHECK(found[1].ticks == 16'016);
  CHECK(found[2].ticks == 16'016);
}

TEST_CASE("a time that no record can say is noticed", "[event writer]") {
  EventWriter writer;
  writer.start(kStart);
  const auto at = [](uint64_t units) { return Event{units << 4, 1, 1, 1, 1, EventKind::allocation, false}; };
  CHECK(writer.reaches(at(kFirstUnit + format::kMostTimeUnits)));
  CHECK_FALSE(writer.reaches(at(kFirstUnit + format::kMostTimeUnits + 1)));
  CHECK(writer.reaches(at(3)));
}
