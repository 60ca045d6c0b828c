#include "recorder/event_encoder.h"

namespace memprof {
namespace {

unsigned char* put_number(unsigned char* at, uint64_t value) {
  if (value < 0x80) {
    *at++ = static_cast<unsigned char>(value);
    return at;
  }
  unsigned more = 1;
  while (more < 8 && value >> (7 * (more + 1)) != 0) ++more;
  *at++ = more == 8 ? 0xFF : static_cast<unsigned char>((0xFF00u >> more) | (value >> (8 * more)));
  while (more > 0) *at++ = static_cast<unsigned char>(value >> (8 * --more));
  return at;
}

unsigned char* put_raw16(unsigned char* at, uint16_t value) {
  __builtin_memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

uint64_t zigzag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }

// A token whose low bits hold dt unless they are too small: `all_ones` is their mask.
unsigned char* put_timed_token(unsigned char* at, unsigned token, unsigned all_ones, uint64_t dt) {
  if (dt < all_ones) {
    *at++ = static_cast<unsigned char>(token | dt);
    return at;
  }
  *at++ = static_cast<unsigned char>(token | all_ones);
  return put_number(at, dt - all_ones);
}

}  // namespace

uint64_t EventEncoder::advance(uint64_t units, uint64_t most) {
  uint64_t dt = units > time_ ? units - time_ : 0;
  if (dt > most) dt = most;
  time_ += dt;
  return dt;
}

unsigned char* EventEncoder::put_address(unsigned char* at, uint64_t base, uint64_t address) const {
  if ((address & 15) != 0) {
    *at++ = 0xF8;
    __builtin_memcpy(at, &address, sizeof(address));
    return at + sizeof(address);
  }
  const uint64_t z = zigzag(static_cast<int64_t>((address >> 4) - (base >> 4)));
  if (z < 128) {
    *at++ = static_cast<unsigned char>(z);
    return at;
  }
  const uint32_t ago = model_.distance(address);
  if (ago != 0 && ago <= 64) {
    *at++ = static_cast<unsigned char>(0x80 | (ago - 1));
    return at;
  }
  if (model_.knows_block(address)) {
    const unsigned place = EventModel::block_place(address);
    *at++ = static_cast<unsigned char>(0xC0 | place >> 8);
    *at++ = static_cast<unsigned char>(place);
    return at;
  }
  if (z < 4096) {
    *at++ = static_cast<unsigned char>(0xE0 | z >> 8);
    *at++ = static_cast<unsigned char>(z);
    return at;
  }
  const unsigned bytes = static_cast<unsigned>(71 - __builtin_clzll(z)) / 8;
  *at++ = static_cast<unsigned char>(0xF0 | (bytes - 1));
  __builtin_memcpy(at, &z, sizeof(z));
  return at + bytes;
}

unsigned char* EventEncoder::put_new_stack(unsigned char* at, uint32_t stack) {
  at = put_number(at, zigzag(static_cast<int64_t>(stack) - static_cast<int64_t>(model_.last_stack)));
  model_.last_stack = stack;
  return at;
}

unsigned char* EventEncoder::alloc(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                                   uint16_t tag) {
  const uint64_t dt = advance(units_up(ticks), format::kMostTimeUnits);
  const EventModel::SizeClass size_class = model_.class_of(size);
  EventModel::Context& expected = model_.context();
  const bool expected_address = model_.alloc_guess(size_class) == address;
  const bool expected_stack = expected.kind == EventModel::kAlloc && expected.a == stack && expected.tag == tag;

  if (expected_stack && expected.b == size) {
    if (expected_address) {
      at = put_timed_token(at, 0x80, 127, dt);
    } else {
      at = put_timed_token(at, 0x40, 63, dt);
      at = put_address(at, model_.base(size_class), address);
    }
  } else {
    unsigned char* token = at++;
    at = put_number(at, dt);
    unsigned stack_form = 0;
    uint64_t known_size = expected.b;
    if (!expected_stack) {
      const EventModel::StackEntry& entry = model_.stack_entry(stack);
      if (entry.id == stack && entry.tag == tag) {
        stack_form = 1;
        known_size = entry.size;
        *at++ = static_cast<unsigned char>(EventModel::stack_place(stack));
      } else {
        stack_form = tag == model_.last_tag ? 2 : 3;
        known_size = 0;
        at = put_new_stack(at, stack);
        if (stack_form == 3) at = put_raw16(at, tag);
      }
    }
    const bool new_size = known_size != size;
    if (new_size) at = put_number(at, size);
    if (!expected_address) at = put_address(at, model_.base(size_class), address);
    *token = static_cast<unsigned char>(0x10 | stack_form << 2 | unsigned{new_size} << 1 | unsigned{!expected_address});
    model_.on_stack(stack, size, tag);
    EventModel::learn_alloc(expected, stack, size, tag);
  }
  model_.on_alloc(address, size_class);
  model_.note_alloc(stack);
  return at;
}

unsigned char* EventEncoder::free(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                                  uint16_t tag) {
  const uint64_t dt = advance(units_down(ticks), format::kMostTimeUnits);
  EventModel::Context& expected = model_.context();
  const uint64_t before = model_.last_free;
  const bool plain = stack == format::kNoStack && size == 0;

  if (plain && expected.kind >= EventModel::kFreeAtDistance && expected.tag == tag &&
      model_.free_guess(expected) == address) {
    at = put_timed_token(at, 0x80, 127, dt);
  } else if (plain && tag == model_.free_tag) {
    at = put_timed_token(at, 0x20, 31, dt);
    at = put_address(at, before, address);
  } else {
    const bool new_tag = tag != model_.free_tag;
    const bool has_stack = stack != format::kNoStack;
    const bool has_size = size != 0;
    *at++ = static_cast<unsigned char>(0x08 | unsigned{new_tag} << 2 | unsigned{has_size} << 1 | unsigned{has_stack});
    at = put_number(at, dt);
    at = put_address(at, before, address);
    if (new_tag) at = put_raw16(at, tag);
    if (has_stack) at = put_number(at, stack);
    if (has_size) at = put_number(at, size);
    model_.free_tag = tag;
  }
  const uint32_t ago = model_.distance(address);
  model_.on_free(address);
  model_.learn_free(expected, address, ago, before, tag);
  return at;
}

unsigned char* EventEncoder::realloc(unsigned char* at, uint64_t begin_ticks, uint64_t end_ticks, uint64_t old_address,
                                     uint64_t address, uint64_t size, uint32_t stack, uint16_t tag) {
  const uint64_t dt = advance(units_down(begin_ticks), format::kMostTimeUnits);
  const uint64_t duration = advance(units_up(end_ticks), format::kMostDurationUnits);
  const EventModel::StackEntry& entry = model_.stack_entry(stack);
  const bool new_stack = entry.id != stack || entry.tag != tag;
  const bool in_place = old_address == address;
  *at++ = static_cast<unsigned char>(0x04 | unsigned{new_stack} << 1 | unsigned{in_place});
  at = put_number(at, dt);
  at = put_number(at, duration);
  at = put_address(at, model_.last_free, old_address);
  if (new_stack) {
    at = put_new_stack(at, stack);
    at = put_raw16(at, tag);
  } else {
    *at++ = static_cast<unsigned char>(EventModel::stack_place(stack));
  }
  at = put_number(at, size);
  const EventModel::SizeClass size_class = model_.class_of(size);
  if (!in_place) {
    model_.on_free(old_address);
    at = put_address(at, model_.base(size_class), address);
  }
  model_.on_stack(stack, size, tag);
  model_.on_alloc(address, size_class);
  model_.note_alloc(stack);
  return at;
}

}  // namespace memprof
