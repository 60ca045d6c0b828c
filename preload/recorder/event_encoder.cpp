#include "recorder/event_encoder.h"

#include "trace_writer/trace_writer.h"

namespace memprof {
namespace {

unsigned char* put_raw16(unsigned char* at, uint16_t value) {
  __builtin_memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}

uint64_t zigzag(int64_t value) { return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63); }

}  // namespace

// Without loops: how long a number is cannot be foreseen.
unsigned char* EventEncoder::put_long_number(unsigned char* at, uint64_t value) {
  const unsigned more = (static_cast<unsigned>(63 - __builtin_clzll(value)) * 37 >> 8);  // bits - 1, divided by 7
  if (__builtin_expect(more >= 8, 0)) {
    *at = 0xFF;
    value = __builtin_bswap64(value);
    __builtin_memcpy(at + 1, &value, sizeof(value));
    return at + 9;
  }
  // The leading ones stand where the value, of 7 * (more + 1) bits, has none. Big-endian, at the upper end of a word.
  const uint64_t prefixed = value | (0xFF00 >> more & 0xFFu) * (uint64_t{1} << (8 * more));
  const uint64_t word = __builtin_bswap64(prefixed << (56 - 8 * more));
  __builtin_memcpy(at, &word, sizeof(word));
  return at + more + 1;
}

__attribute__((noinline, cold)) unsigned char* EventEncoder::refuse(unsigned char* at, uint64_t dt) {
  time_ -= dt;
  count_dropped(format::DropCause::too_large);
  return at;
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
  const EventModel::KnownBlock known = model_.known_block(address);
  if (known.ago != 0 && known.ago <= 64) {
    *at++ = static_cast<unsigned char>(0x80 | (known.ago - 1));
    return at;
  }
  if (known.is_known) {
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

unsigned char* EventEncoder::unexpected_alloc(unsigned char* at, uint64_t dt, Place place, uint64_t size,
                                              uint32_t stack, uint16_t tag) {
  EventModel::Context& expected = model_.context();
  unsigned char* token = at++;
  at = put_number(at, dt);
  unsigned stack_form = 0;
  uint64_t known_size = expected.b;
  if (!expected.is_alloc_of(stack, tag)) {
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
  if (!place.is_expected) at = put_address(at, model_.base(place.size_class), place.address);
  *token = static_cast<unsigned char>(0x10 | stack_form << 2 | unsigned{new_size} << 1 | unsigned{!place.is_expected});
  model_.on_stack(stack, size, tag);
  EventModel::learn_alloc(expected, stack, size, tag);
  return at;
}

unsigned char* EventEncoder::unexpected_free(unsigned char* at, uint64_t dt, uint64_t address, uint64_t size,
                                             uint32_t stack, uint16_t tag) {
  const bool new_tag = tag != model_.free_tag;
  const bool has_stack = stack != format::kNoStack;
  const bool has_size = size != 0;
  *at++ = static_cast<unsigned char>(0x08 | unsigned{new_tag} << 2 | unsigned{has_size} << 1 | unsigned{has_stack});
  at = put_number(at, dt);
  at = put_address(at, model_.last_free, address);
  if (new_tag) at = put_raw16(at, tag);
  if (has_stack) at = put_number(at, stack);
  if (has_size) at = put_number(at, size);
  model_.free_tag = tag;
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
    model_.on_free(old_address, model_.known_block(old_address));
    at = put_address(at, model_.base(size_class), address);
  }
  model_.on_stack(stack, size, tag);
  model_.on_alloc(address, size_class);
  model_.note_alloc(stack);
  return at;
}

unsigned char* EventEncoder::block_type(unsigned char* at, uint64_t ticks, uint64_t address, uint16_t domain,
                                        uint32_t type) const {
  const uint64_t units = units_up(ticks);
  *at++ = 0x02;
  *at++ = static_cast<unsigned char>(format::EventExtension::block_type);
  unsigned char* const length = at++;
  at = put_number(at, units > time_ ? units - time_ : 0);
  at = put_number(at, type);
  at = put_number(at, domain);
  __builtin_memcpy(at, &address, sizeof(address));
  at += sizeof(address);
  *length = static_cast<unsigned char>(at - length - 1);
  return at;
}

}  // namespace memprof
