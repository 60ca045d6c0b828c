// Decodes the records of one events page, as trace_format.h ("Event records") defines them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trace/event.h"
#include "trace/event_predictor.h"
#include "trace/trace_file.h"

namespace memprof {

class EventReader {
 public:
  struct PageStart {
    uint64_t base_ticks = 0;
    uint32_t lead_units = 0;
    uint32_t time_shift = 0;
    uint32_t size_bias = 0;
  };

  // Behind the payload lie TraceFile::kPayloadPadding readable bytes (read_page sees to it).
  void start(std::span<const std::byte> payload, const PageStart& start);

  // Types that the program gives to blocks are appended there; null: to nothing. Stays over start().
  void note_block_types_in(std::vector<format::BlockType>* types) { block_types_ = types; }

  // Decodes as many events as fit; both halves of a realloc or none. 0: the page has no more. `out` holds at least 2.
  size_t read(std::span<Event> out);

  // read() has nothing more.
  bool is_at_end() const { return at_ >= end_; }
  // The page ended at a record that is malformed or passes its end; what came before it was returned.
  bool is_damaged() const { return is_damaged_; }
  // Bytes of the payload that were decoded.
  size_t bytes_read() const { return static_cast<size_t>(at_ - begin_); }

 private:
  enum class Outcome { event, two_events, no_event, end, malformed };

  Outcome read_record(Event* out);
  Outcome read_predicted(uint8_t token, Event& out);
  Outcome read_alloc_of_context(uint8_t token, Event& out);
  Outcome read_free_by_last_function(uint8_t token, Event& out);
  Outcome read_alloc(uint8_t token, Event& out);
  Outcome read_free(uint8_t token, Event& out);
  Outcome read_realloc(uint8_t token, Event* out);
  Outcome read_extension();
  Outcome read_block_type(const std::byte* content);
  Outcome put_alloc(Event& out, uint64_t address, uint64_t size, EventPredictor::SizeClass size_class, uint32_t stack,
                    uint16_t tag);
  Outcome put_free(Event& out, EventPredictor::Context& x, uint64_t address, uint16_t tag, uint64_t size,
                   uint32_t stack);

  uint8_t read_byte() { return static_cast<uint8_t>(*at_++); }
  uint16_t read_raw16();
  uint64_t read_prefix_varint();
  uint64_t read_address(uint64_t base);
  uint32_t read_stack_step();
  bool advance(uint64_t units);
  bool advance_short(uint8_t token, uint8_t mask);
  uint64_t ticks() const { return time_ << time_shift_; }

  const std::byte* begin_ = nullptr;
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;
  uint64_t time_ = 0;  // units
  uint64_t most_time_ = 0;
  uint32_t time_shift_ = 0;
  bool is_damaged_ = false;
  bool follows_gap_ = false;
  std::vector<format::BlockType>* block_types_ = nullptr;
  EventPredictor predictor_;
};

}  // namespace memprof
