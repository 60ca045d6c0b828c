// The recorder's encoder against the analyzer's reader: two implementations of one text.
#include <catch2/catch.hpp>

#include <random>

#include "recorder/event_encoder.h"
#include "trace/event_reader.h"
#include "trace/trace_file.h"

using namespace memprof;

namespace {

// A made-up program: repeating phases that the predictor likes, mixed with noise that it does not.
class Program {
 public:
  Program(uint64_t seed, uint32_t size_bias, bool is_regular)
      : random_(seed), size_bias_(size_bias), is_regular_(is_regular) {
    for (uint32_t& stack : stacks_) stack = 16 + static_cast<uint32_t>(random_() % 5000);
    time_ = 1'000'000 + random_() % 100'000;
    base_ticks_ = time_;
    units_ = EventEncoder::units_down(time_);
    encoder_.restart(units_, size_bias);
    page_.resize(60'000 + 128);
  }

  void run() {
    unsigned char* at = page_.data();
    while (at < page_.data() + 60'000 - EventEncoder::kMostBytes) at = step(at);
    length_ = static_cast<size_t>(at - page_.data());
    std::fill(page_.begin() + static_cast<std::ptrdiff_t>(length_), page_.end(), static_cast<unsigned char>(0));
  }

  void check() const {
    EventReader reader;
    const auto bytes = std::as_bytes(std::span(page_)).first(length_);
    reader.start(
        bytes, {.base_ticks = base_ticks_, .lead_units = 0, .time_shift = format::kTimeShift, .size_bias = size_bias_});
    std::vector<Event> got(wanted_.size() + 2);
    size_t count = 0;
    while (const size_t more = reader.read(std::span(got).subspan(count))) count += more;
    REQUIRE_FALSE(reader.is_damaged());
    REQUIRE(count == wanted_.size());
    for (size_t i = 0; i < count; ++i) {
      const Event &a = got[i], &b = wanted_[i];
      CAPTURE(i);
      REQUIRE((a.ticks == b.ticks && a.address == b.address && a.size == b.size && a.stack == b.stack &&
               a.tag == b.tag && a.kind == b.kind && a.continues == b.continues));
    }
  }

 private:
  uint64_t clamp(uint64_t units) {
    units_ = std::max(units_, units);
    return units_ << format::kTimeShift;
  }

  uint64_t fresh_address(uint64_t size) {
    if (!freed_.empty() && random_() % 2) {
      const uint64_t address = freed_.back();
      freed_.pop_back();
      return address;
    }
    const uint64_t address = bump_;
    bump_ += (size + size_bias_) / 16 * 16 + 16;
    if (random_() % 200 == 0) bump_ += random_() % (uint64_t{1} << 42) / 16 * 16;
    return random_() % 100 == 0 ? address + 8 : address;
  }

  unsigned char* step(unsigned char* at) {
    time_ += random_() % 50 == 0 ? random_() % 1'000'000 : random_() % 300;
    uint64_t size = random_() % 3         ? 16 * (random_() % 8) + 8
                    : random_() % 50 == 0 ? random_() % (uint64_t{1} << 40)
                                          : random_() % 3000;
    uint32_t stack = stacks_[random_() % std::size(stacks_)];
    if (is_regular_) {
      stack = stacks_[wanted_.size() / 3 % 4];
      size = 32 + stack % 7 * 16;
    }
    const unsigned kind = static_cast<unsigned>(random_() % 20);
    if (live_.empty() || kind < 10) {
      const uint64_t address = fresh_address(size);
      const uint16_t tag = is_regular_ ? 1 : static_cast<uint16_t>(1 + random_() % 3);
      wanted_.push_back(
          {clamp(EventEncoder::units_up(time_)), address, size, stack, tag, EventKind::allocation, false});
      live_.push_back(address);
      return encoder_.alloc(at, time_, address, size, stack, tag);
    }
    const size_t index = random_() % 2 ? live_.size() - 1 : random_() % live_.size();
    uint64_t address = live_[index];
    if (kind < 18) {
      live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(index));
      freed_.push_back(address);
      if (random_() % 60 == 0) address = random_();
      const auto tag = static_cast<uint16_t>(12 + (random_() % 10 == 0));
      const uint64_t said = random_() % 30 == 0 ? 1 + random_() % 10'000 : 0;
      const uint32_t free_stack = random_() % 40 == 0 ? stack : 0;
      wanted_.push_back(
          {clamp(EventEncoder::units_down(time_)), address, said, free_stack, tag, EventKind::release, false});
      return encoder_.free(at, time_, address, said, free_stack, tag);
    }
    const uint64_t moved = random_() % 2 ? address : fresh_address(size);
    live_[index] = moved;
    const uint64_t begin = time_;
    time_ += random_() % 500;
    wanted_.push_back({clamp(EventEncoder::units_down(begin)), address, 0, stack, 3, EventKind::release, false});
    wanted_.push_back({clamp(EventEncoder::units_up(time_)), moved, size, stack, 3, EventKind::allocation, true});
    return encoder_.realloc(at, begin, time_, address, moved, size, stack, 3);
  }

  std::mt19937_64 random_;
  const uint32_t size_bias_;
  const bool is_regular_;
  uint32_t stacks_[40];
  uint64_t time_, base_ticks_, units_;
  uint64_t bump_ = 0x550000000000;
  std::vector<uint64_t> live_, freed_;
  EventEncoder encoder_;
  std::vector<unsigned char> page_;
  size_t length_ = 0;
  std::vector<Event> wanted_;
};

}  // namespace

TEST_CASE("the reader reads what the recorder's encoder writes", "[reader]") {
  for (uint64_t round = 0; round < 60; ++round) {
    static constexpr uint32_t kSizeBiases[] = {0, 8, 15, 16, 23};
    Program program(round, kSizeBiases[round % 5], round % 3 == 0);
    program.run();
    program.check();
  }
}
