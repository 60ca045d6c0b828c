// Bytes of event records, as trace_format.h ("Event records") defines them. Each function writes one record at `at`,
// where kMostBytes are free, and returns its end; bytes behind the end may be overwritten too. Times are ticks, read in
// the order that the host's calls had. Allocations and frees are in line, up to what the predictor did not expect.
//
// Sizes are no more than kMostBlockBytes. Of an allocation that is asked here, behind the predictor, where the others
// do not pay for it; who calls sees to the rest.
#pragma once

#include "recorder/event_model.h"

namespace memprof {

class EventEncoder {
 public:
  static constexpr size_t kMostBytes = format::kMostEventBytes;

  // At the start of a page whose time 0 is `start_units`.
  void restart(uint64_t start_units, uint32_t size_bias) {
    model_.restart(size_bias);
    time_ = start_units;
  }
  // The stack that the next event is likely to have; kNoStack: none.
  uint32_t expected_stack() const { return model_.expected_stack(); }
  // Units at the last record's end.
  uint64_t time() const { return time_; }

  unsigned char* alloc(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                       uint16_t tag) {
    const uint64_t dt = advance(units_up(ticks), format::kMostTimeUnits);
    const EventModel::SizeClass size_class = model_.class_of(size);
    EventModel::Context& expected = model_.context();
    const bool expected_address = model_.alloc_guess(size_class) == address;
    if (__builtin_expect(expected.is_alloc(stack, size, tag), 1)) {
      if (expected_address) {
        at = put_timed_token(at, 0x80, 127, dt);
      } else {
        at = put_timed_token(at, 0x40, 63, dt);
        at = put_address(at, model_.base(size_class), address);
      }
    } else {
      if (__builtin_expect(size > format::kMostBlockBytes, 0)) return refuse(at, dt);
      at = unexpected_alloc(at, dt, {address, expected_address, size_class}, size, stack, tag);
    }
    model_.on_alloc(address, size_class);
    model_.note_alloc(stack);
    return at;
  }

  // `stack` kNoStack and `size` 0 stand for none.
  unsigned char* free(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                      uint16_t tag) {
    const uint64_t dt = advance(units_down(ticks), format::kMostTimeUnits);
    EventModel::Context& expected = model_.context();
    const uint64_t before = model_.last_free;
    const EventModel::KnownBlock known = model_.known_block(address);
    const bool plain = stack == format::kNoStack && size == 0;
    if (plain && expected.is_free(tag) && model_.free_guess(expected) == address) {
      at = put_timed_token(at, 0x80, 127, dt);
    } else if (plain && tag == model_.free_tag) {
      at = put_timed_token(at, 0x20, 31, dt);
      at = put_address(at, before, address);
    } else {
      at = unexpected_free(at, dt, address, size, stack, tag);
    }
    model_.on_free(address, known);
    model_.learn_free(expected, address, known.ago, before, tag);
    return at;
  }

  unsigned char* realloc(unsigned char* at, uint64_t begin_ticks, uint64_t end_ticks, uint64_t old_address,
                         uint64_t address, uint64_t size, uint32_t stack, uint16_t tag);

  // The program gives the block a type.
  unsigned char* block_type(unsigned char* at, uint64_t ticks, uint64_t address, uint16_t domain, uint32_t type) const;

  // A free rounds down, an allocation up.
  static uint64_t units_down(uint64_t ticks) { return ticks >> format::kTimeShift; }
  static uint64_t units_up(uint64_t ticks) { return (ticks + (1u << format::kTimeShift) - 1) >> format::kTimeShift; }

 private:
  struct Place {
    uint64_t address;
    bool is_expected;
    EventModel::SizeClass size_class;
  };

  uint64_t advance(uint64_t units, uint64_t most) {
    uint64_t dt = units > time_ ? units - time_ : 0;
    if (__builtin_expect(dt > most, 0)) dt = most;
    time_ += dt;
    return dt;
  }

  // A token whose low bits hold dt unless they are too small: `all_ones` is their mask.
  static unsigned char* put_timed_token(unsigned char* at, unsigned token, unsigned all_ones, uint64_t dt) {
    if (__builtin_expect(dt < all_ones, 1)) {
      *at = static_cast<unsigned char>(token | dt);
      return at + 1;
    }
    *at = static_cast<unsigned char>(token | all_ones);
    return put_number(at + 1, dt - all_ones);
  }

  static unsigned char* put_number(unsigned char* at, uint64_t value) {
    if (value < 0x80) {
      *at = static_cast<unsigned char>(value);
      return at + 1;
    }
    return put_long_number(at, value);
  }

  // Counted; nothing is written.
  unsigned char* refuse(unsigned char* at, uint64_t dt);
  static unsigned char* put_long_number(unsigned char* at, uint64_t value);
  unsigned char* put_address(unsigned char* at, uint64_t base, uint64_t address) const;
  unsigned char* put_new_stack(unsigned char* at, uint32_t stack);
  unsigned char* unexpected_alloc(unsigned char* at, uint64_t dt, Place place, uint64_t size, uint32_t stack,
                                  uint16_t tag);
  unsigned char* unexpected_free(unsigned char* at, uint64_t dt, uint64_t address, uint64_t size, uint32_t stack,
                                 uint16_t tag);

  uint64_t time_;
  EventModel model_;
};

}  // namespace memprof
