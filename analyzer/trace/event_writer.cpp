#include "trace/event_writer.h"

#include <algorithm>
#include <bit>

namespace memprof {

using Bytes = std::vector<std::byte>;
using Context = EventPredictor::Context;
using Expected = EventPredictor::Expected;

namespace {

uint64_t zigzag(uint64_t difference) { return difference << 1 ^ (0 - (difference >> 63)); }

void put_byte(Bytes& out, uint64_t value) { out.push_back(static_cast<std::byte>(value)); }

void put_little_endian(Bytes& out, uint64_t value, unsigned count) {
  for (unsigned i = 0; i < count; ++i) put_byte(out, value >> (8 * i) & 0xff);
}

// pv: as many leading ones as further bytes, the value big-endian behind them.
void put_number(Bytes& out, uint64_t value) {
  const auto bits = static_cast<unsigned>(std::bit_width(value | 1));
  const unsigned further = std::min((bits - 1) / 7, 8u);
  const unsigned ones = 0xff00u >> further & 0xff;
  put_byte(out, further == 8 ? ones : ones | value >> (8 * further));
  for (unsigned i = further; i-- > 0;) put_byte(out, value >> (8 * i) & 0xff);
}

// "T:L": the token's low bits hold dt, all ones mean that the rest follows.
void put_timed_token(Bytes& out, unsigned token, unsigned mask, uint64_t dt) {
  put_byte(out, token | std::min<uint64_t>(dt, mask));
  if (dt >= mask) put_number(out, dt - mask);
}

}  // namespace

void EventWriter::start(const PageStart& start) {
  time_shift_ = start.time_shift;
  const uint64_t base = start.base_ticks >> time_shift_;
  time_ = base - std::min<uint64_t>(base, start.lead_units);
  predictor_ = EventPredictor(start.size_bias);
}

// A free rounds down, an allocation up.
uint64_t EventWriter::units_of(const Event& event) const {
  const uint64_t rest = event.ticks & ((uint64_t{1} << time_shift_) - 1);
  return (event.ticks >> time_shift_) + (event.kind == EventKind::allocation && rest != 0 ? 1 : 0);
}

bool EventWriter::reaches(const Event& event) const {
  const uint64_t units = units_of(event);
  return units <= time_ || units - time_ <= format::kMostTimeUnits;
}

uint64_t EventWriter::advance_to(uint64_t units, uint64_t most) {
  const uint64_t dt = units > time_ ? std::min(units - time_, most) : 0;
  time_ += dt;
  return dt;
}

void EventWriter::write(const Event& event, Bytes& out) {
  put_gap(event, out);
  event.kind == EventKind::allocation ? write_allocation(event, out) : write_release(event, out);
}

void EventWriter::put_gap(const Event& event, Bytes& out) {
  if (!event.follows_gap) return;
  put_byte(out, 2);
  put_byte(out, static_cast<uint8_t>(format::EventExtension::gap));
  put_byte(out, 0);
}

void EventWriter::write_allocation(const Event& event, Bytes& out) {
  const uint64_t dt = advance_to(units_of(event), format::kMostTimeUnits);
  const auto size_class = predictor_.class_of(event.size);
  const Context& x = predictor_.context();
  const bool is_guessed = predictor_.guess_alloc(size_class) == event.address;
  const bool is_expected = x.kind == Expected::alloc && x.a == event.stack && x.b == event.size && x.tag == event.tag;
  if (is_expected && is_guessed) {
    put_timed_token(out, 0x80, 0x7f, dt);
  } else if (is_expected) {
    put_timed_token(out, 0x40, 0x3f, dt);
    put_address(predictor_.base_of(size_class), event.address, out);
  } else {
    write_long_allocation(event, dt, is_guessed, out);
  }
  predictor_.on_alloc(event.address, size_class);
  predictor_.note_stack(event.stack);
}

// 0001SSZA
void EventWriter::write_long_allocation(const Event& event, uint64_t dt, bool is_guessed, Bytes& out) {
  Context& x = predictor_.context();
  const uint8_t place = EventPredictor::stack_place(event.stack);
  const EventPredictor::Stack& known = predictor_.stack_at(place);
  const size_t token = out.size();
  put_byte(out, 0);
  put_number(out, dt);
  unsigned form = 0;
  uint64_t known_size = 0;
  if (x.kind == Expected::alloc && x.a == event.stack && x.tag == event.tag) {
    known_size = x.b;
  } else if (known.id == event.stack && known.tag == event.tag) {
    form = 1;
    known_size = known.size;
    put_byte(out, place);
  } else {
    form = event.tag == predictor_.last_tag ? 2 : 3;
    put_stack_step(event.stack, out);
    if (form == 3) put_little_endian(out, event.tag, 2);
  }
  const bool has_size = event.size != known_size;
  if (has_size) put_number(out, event.size);
  if (!is_guessed) put_address(predictor_.base_of(predictor_.class_of(event.size)), event.address, out);
  out[token] = static_cast<std::byte>(0x10 | form << 2 | (has_size ? 2u : 0u) | (is_guessed ? 0u : 1u));
  predictor_.on_stack(event.stack, event.size, event.tag);
  EventPredictor::expect_alloc(x, event.stack, event.size, event.tag);
}

void EventWriter::write_release(const Event& event, Bytes& out) {
  const uint64_t dt = advance_to(units_of(event), format::kMostTimeUnits);
  Context& x = predictor_.context();
  const bool is_plain = event.stack == format::kNoStack && event.size == 0;
  const bool is_free = x.kind == Expected::free_by_distance || x.kind == Expected::free_by_offset;
  if (is_plain && is_free && x.tag == event.tag && predictor_.guess_free(x) == event.address) {
    put_timed_token(out, 0x80, 0x7f, dt);
  } else if (is_plain && event.tag == predictor_.free_tag) {
    put_timed_token(out, 0x20, 0x1f, dt);
    put_address(predictor_.last_free, event.address, out);
  } else {
    write_long_release(event, dt, out);
  }
  predictor_.finish_free(x, event.address, event.tag);
}

// 00001TSZ
void EventWriter::write_long_release(const Event& event, uint64_t dt, Bytes& out) {
  const bool has_tag = event.tag != predictor_.free_tag;
  const bool has_stack = event.stack != format::kNoStack;
  const bool has_size = event.size != 0;
  put_byte(out, 0x08u | (has_tag ? 4u : 0u) | (has_size ? 2u : 0u) | (has_stack ? 1u : 0u));
  put_number(out, dt);
  put_address(predictor_.last_free, event.address, out);
  if (has_tag) put_little_endian(out, event.tag, 2);
  if (has_stack) put_number(out, event.stack);
  if (has_size) put_number(out, event.size);
  predictor_.free_tag = event.tag;
}

// 000001SI
void EventWriter::write_realloc(const Event& release, const Event& allocation, Bytes& out) {
  put_gap(release, out);
  const uint64_t dt = advance_to(units_of(release), format::kMostTimeUnits);
  const uint64_t duration = advance_to(units_of(allocation), format::kMostDurationUnits);
  const uint8_t place = EventPredictor::stack_place(allocation.stack);
  const EventPredictor::Stack& known = predictor_.stack_at(place);
  const bool is_new_stack = known.id != allocation.stack || known.tag != allocation.tag;
  const bool is_in_place = release.address == allocation.address;
  put_byte(out, 0x04u | (is_new_stack ? 2u : 0u) | (is_in_place ? 1u : 0u));
  put_number(out, dt);
  put_number(out, duration);
  put_address(predictor_.last_free, release.address, out);
  if (is_new_stack) {
    put_stack_step(allocation.stack, out);
    put_little_endian(out, allocation.tag, 2);
  } else {
    put_byte(out, place);
  }
  put_number(out, allocation.size);
  const auto size_class = predictor_.class_of(allocation.size);
  if (!is_in_place) {
    predictor_.on_free(release.address);
    put_address(predictor_.base_of(size_class), allocation.address, out);
  }
  predictor_.on_stack(allocation.stack, allocation.size, allocation.tag);
  predictor_.on_alloc(allocation.address, size_class);
  predictor_.note_stack(allocation.stack);
}

void EventWriter::put_stack_step(uint32_t stack, Bytes& out) {
  put_number(out, zigzag(uint64_t{stack} - uint64_t{predictor_.last_stack}));
  predictor_.last_stack = stack;
}

// ADDR(base), the first form that fits.
void EventWriter::put_address(uint64_t base, uint64_t address, Bytes& out) const {
  constexpr uint64_t kGranule = EventPredictor::kGranule;
  if (address % kGranule != 0) {
    put_byte(out, 0xf8);
    put_little_endian(out, address, 8);
    return;
  }
  const uint64_t z = zigzag(address / kGranule - base / kGranule);
  const uint32_t ago = predictor_.distance(address);
  const uint8_t place = EventPredictor::block_place(address);
  if (z < 0x80) {
    put_byte(out, z);
  } else if (ago >= 1 && ago <= 64) {
    put_byte(out, 0x80 | (ago - 1));
  } else if (predictor_.block_at(place) == address) {
    put_byte(out, 0xc0);
    put_byte(out, place);
  } else if (z < 0x1000) {
    put_byte(out, 0xe0 | z >> 8);
    put_byte(out, z & 0xff);
  } else {
    const auto count = static_cast<unsigned>(std::bit_width(z) + 7) / 8;
    put_byte(out, 0xf0 | (count - 1));
    put_little_endian(out, z, count);
  }
}

}  // namespace memprof
