// Bytes of event records, as trace_format.h ("Event records") defines them. Each function writes one record at `at`,
// where kMostBytes are free, and returns its end; bytes behind the end may be overwritten too. Times are ticks, read in
// the order that the host's calls had.
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
  // Units at the last record's end.
  uint64_t time() const { return time_; }

  unsigned char* alloc(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                       uint16_t tag);
  // `stack` kNoStack and `size` 0 stand for none.
  unsigned char* free(unsigned char* at, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack, uint16_t tag);
  unsigned char* realloc(unsigned char* at, uint64_t begin_ticks, uint64_t end_ticks, uint64_t old_address,
                         uint64_t address, uint64_t size, uint32_t stack, uint16_t tag);

  // A free rounds down, an allocation up.
  static uint64_t units_down(uint64_t ticks) { return ticks >> format::kTimeShift; }
  static uint64_t units_up(uint64_t ticks) { return (ticks + (1u << format::kTimeShift) - 1) >> format::kTimeShift; }

 private:
  uint64_t advance(uint64_t units, uint64_t most);
  unsigned char* put_address(unsigned char* at, uint64_t base, uint64_t address) const;
  unsigned char* put_new_stack(unsigned char* at, uint32_t stack);

  uint64_t time_;
  EventModel model_;
};

}  // namespace memprof
