#include "trace/event_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace memprof {

using Context = EventPredictor::Context;
using Expected = EventPredictor::Expected;

namespace {

uint64_t unzigzag(uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }

}  // namespace

void EventReader::start(std::span<const std::byte> payload, const PageStart& start) {
  begin_ = at_ = payload.data();
  end_ = begin_ + payload.size();
  is_damaged_ = follows_gap_ = false;
  time_shift_ = start.time_shift;
  most_time_ = kMaxEventTicks >> time_shift_;
  const uint64_t base = start.base_ticks >> time_shift_;
  time_ = std::min(base - std::min<uint64_t>(base, start.lead_units), most_time_);
  predictor_ = EventPredictor(start.size_bias);
}

size_t EventReader::read(std::span<Event> out) {
  size_t count = 0;
  while (at_ < end_ && count + 2 <= out.size()) {
    const std::byte* const begin = at_;
    const Outcome outcome = read_record(&out[count]);
    if (outcome == Outcome::malformed || at_ > end_) {
      is_damaged_ = true;
      at_ = end_ = begin;
    } else if (outcome == Outcome::end) {
      at_ = end_ = begin;
    } else if (outcome != Outcome::no_event) {
      out[count].follows_gap = std::exchange(follows_gap_, false);
      count += outcome == Outcome::event ? 1 : 2;
    }
  }
  return count;
}

EventReader::Outcome EventReader::read_record(Event* out) {
  const uint8_t token = read_byte();
  if (token & 0x80) return read_predicted(token, *out);
  if (token & 0x40) return read_alloc_of_context(token, *out);
  if (token & 0x20) return read_free_by_last_function(token, *out);
  if (token & 0x10) return read_alloc(token, *out);
  if (token & 0x08) return read_free(token, *out);
  if (token & 0x04) return read_realloc(token, out);
  if (token == 2) return read_extension();
  return token == 0 ? Outcome::end : Outcome::malformed;
}

// 1ttttttt
EventReader::Outcome EventReader::read_predicted(uint8_t token, Event& out) {
  if (!advance_short(token, 0x7f)) return Outcome::malformed;
  Context& x = predictor_.context();
  if (x.kind == Expected::nothing) return Outcome::malformed;
  if (x.kind != Expected::alloc) return put_free(out, x, predictor_.guess_free(x), x.tag, 0, format::kNoStack);
  const auto size_class = predictor_.class_of(x.b);
  return put_alloc(out, predictor_.guess_alloc(size_class), x.b, size_class, x.a, x.tag);
}

// 01tttttt
EventReader::Outcome EventReader::read_alloc_of_context(uint8_t token, Event& out) {
  const Context x = predictor_.context();
  if (!advance_short(token, 0x3f) || x.kind != Expected::alloc) return Outcome::malformed;
  const auto size_class = predictor_.class_of(x.b);
  return put_alloc(out, read_address(predictor_.base_of(size_class)), x.b, size_class, x.a, x.tag);
}

// 001ttttt
EventReader::Outcome EventReader::read_free_by_last_function(uint8_t token, Event& out) {
  if (!advance_short(token, 0x1f)) return Outcome::malformed;
  const uint64_t address = read_address(predictor_.last_free);
  return put_free(out, predictor_.context(), address, predictor_.free_tag, 0, format::kNoStack);
}

// 0001SSZA
EventReader::Outcome EventReader::read_alloc(uint8_t token, Event& out) {
  if (!advance(read_prefix_varint())) return Outcome::malformed;
  Context& x = predictor_.context();
  uint32_t stack = 0;
  uint64_t size = 0;
  uint16_t tag = 0;
  switch (token >> 2 & 3) {
    case 0:
      if (x.kind != Expected::alloc) return Outcome::malformed;
      stack = x.a;
      size = x.b;
      tag = x.tag;
      break;
    case 1: {
      const EventPredictor::Stack& known = predictor_.stack_at(read_byte());
      stack = known.id;
      size = known.size;
      tag = known.tag;
      break;
    }
    case 2:
      stack = predictor_.last_stack = read_stack_step();
      tag = predictor_.last_tag;
      break;
    case 3:
      stack = predictor_.last_stack = read_stack_step();
      tag = read_raw16();
      break;
  }
  if (token & 2) size = read_prefix_varint();
  if (size > format::kMostBlockBytes) return Outcome::malformed;
  const auto size_class = predictor_.class_of(size);
  const uint64_t address =
      token & 1 ? read_address(predictor_.base_of(size_class)) : predictor_.guess_alloc(size_class);
  predictor_.on_stack(stack, size, tag);
  EventPredictor::expect_alloc(x, stack, size, tag);
  return put_alloc(out, address, size, size_class, stack, tag);
}

// 00001TSZ
EventReader::Outcome EventReader::read_free(uint8_t token, Event& out) {
  if (!advance(read_prefix_varint())) return Outcome::malformed;
  const uint64_t address = read_address(predictor_.last_free);
  const uint16_t tag = token & 4 ? read_raw16() : predictor_.free_tag;
  uint64_t stack = format::kNoStack, size = 0;
  if (token & 1) stack = read_prefix_varint();
  if (token & 2) size = read_prefix_varint();
  if (stack > UINT32_MAX || size > format::kMostBlockBytes) return Outcome::malformed;
  predictor_.free_tag = tag;
  return put_free(out, predictor_.context(), address, tag, size, static_cast<uint32_t>(stack));
}

// 000001SI
EventReader::Outcome EventReader::read_realloc(uint8_t token, Event* out) {
  if (!advance(read_prefix_varint())) return Outcome::malformed;
  const uint64_t begin_ticks = ticks();
  const uint64_t duration = read_prefix_varint();
  if (duration > format::kMostDurationUnits || !advance(duration)) return Outcome::malformed;
  const uint64_t old_address = read_address(predictor_.last_free);
  uint32_t stack;
  uint16_t tag;
  if (token & 2) {
    stack = predictor_.last_stack = read_stack_step();
    tag = read_raw16();
  } else {
    const EventPredictor::Stack& known = predictor_.stack_at(read_byte());
    stack = known.id;
    tag = known.tag;
  }
  const uint64_t size = read_prefix_varint();
  if (size > format::kMostBlockBytes) return Outcome::malformed;
  const auto size_class = predictor_.class_of(size);
  uint64_t address = old_address;
  if ((token & 1) == 0) {
    predictor_.on_free(old_address);
    address = read_address(predictor_.base_of(size_class));
  }
  predictor_.on_stack(stack, size, tag);
  // The one stack of a realloc stands for both halves.
  out[0] = {begin_ticks, old_address, 0, stack, tag, EventKind::release, false};
  put_alloc(out[1], address, size, size_class, stack, tag);
  out[1].continues = true;
  return Outcome::two_events;
}

// 00000010
EventReader::Outcome EventReader::read_extension() {
  const auto type = static_cast<format::EventExtension>(read_byte());
  const uint64_t length = read_prefix_varint();
  if (at_ > end_ || length > static_cast<uint64_t>(end_ - at_)) return Outcome::malformed;
  const std::byte* const content = at_;
  at_ += length;
  follows_gap_ |= type == format::EventExtension::gap;
  if (type == format::EventExtension::block_type && block_types_) return read_block_type(content);
  return Outcome::no_event;
}

EventReader::Outcome EventReader::read_block_type(const std::byte* content) {
  const std::byte* const end = std::exchange(at_, content);
  const uint64_t units = read_prefix_varint(), type = read_prefix_varint(), domain = read_prefix_varint();
  uint64_t address;
  std::memcpy(&address, at_, sizeof address);
  const bool is_whole = at_ + sizeof address == end;
  at_ = end;
  if (!is_whole || units > most_time_ - time_ || type > UINT32_MAX || domain > UINT16_MAX) return Outcome::malformed;
  block_types_->push_back(
      {(time_ + units) << time_shift_, address, static_cast<uint32_t>(type), static_cast<uint16_t>(domain), 0});
  return Outcome::no_event;
}

EventReader::Outcome EventReader::put_alloc(Event& out, uint64_t address, uint64_t size,
                                            EventPredictor::SizeClass size_class, uint32_t stack, uint16_t tag) {
  predictor_.on_alloc(address, size_class);
  predictor_.note_stack(stack);
  out = {ticks(), address, size, stack, tag, EventKind::allocation, false};
  return Outcome::event;
}

EventReader::Outcome EventReader::put_free(Event& out, Context& x, uint64_t address, uint16_t tag, uint64_t size,
                                           uint32_t stack) {
  predictor_.finish_free(x, address, tag);
  out = {ticks(), address, size, stack, tag, EventKind::release, false};
  return Outcome::event;
}

uint16_t EventReader::read_raw16() {
  uint16_t value;
  std::memcpy(&value, at_, sizeof value);
  at_ += sizeof value;
  return value;
}

// The leading ones of the first byte count the bytes that follow; the rest is big-endian.
uint64_t EventReader::read_prefix_varint() {
  const uint8_t first = read_byte();
  if (first < 0x80) return first;
  const int further = std::countl_one(first);
  uint64_t value = further < 7 ? first & (0x7fu >> further) : 0;
  for (int i = 0; i < further; ++i) value = value << 8 | read_byte();
  return value;
}

// ADDR(base)
uint64_t EventReader::read_address(uint64_t base) {
  const uint8_t first = read_byte();
  uint64_t zigzag;
  if (first < 0x80) {
    zigzag = first;
  } else if (first < 0xc0) {
    return predictor_.block_allocated_ago((first & 0x3fu) + 1);
  } else if (first < 0xe0) {
    const unsigned place = (first & 0x1fu) << 8 | read_byte();
    if (place >= format::kEventBlocks) at_ = end_ + 1;  // malformed: noticed at the record's end
    return predictor_.block_at(static_cast<uint8_t>(place));
  } else if (first < 0xf0) {
    zigzag = (first & 0x0fu) << 8 | read_byte();
  } else if (first < 0xf8) {
    const unsigned count = (first & 7u) + 1;
    zigzag = 0;
    for (unsigned i = 0; i < count; ++i) zigzag |= uint64_t{read_byte()} << (8 * i);
  } else {
    uint64_t address;
    std::memcpy(&address, at_, sizeof address);
    at_ += sizeof address;
    return address;
  }
  return (base / EventPredictor::kGranule + unzigzag(zigzag)) * EventPredictor::kGranule;
}

uint32_t EventReader::read_stack_step() {
  return predictor_.last_stack + static_cast<uint32_t>(unzigzag(read_prefix_varint()));
}

bool EventReader::advance(uint64_t units) {
  if (units > format::kMostTimeUnits) return false;
  time_ = std::min(time_ + units, most_time_);
  return true;
}

// Short forms hold a small dt in the token's low bits; all ones mean that the rest follows.
bool EventReader::advance_short(uint8_t token, uint8_t mask) {
  uint64_t units = token & mask;
  if (units == mask) units += read_prefix_varint();
  return advance(units);
}

}  // namespace memprof
