// Encodes events as records of an events page, as trace_format.h ("Event records") defines them: what EventReader
// decodes, by the same predictor. Of the forms of a record the shortest is taken.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/event.h"
#include "trace/event_predictor.h"
#include "trace/event_reader.h"

namespace memprof {

class EventWriter {
 public:
  using PageStart = EventReader::PageStart;

  // No record is longer, a gap mark before it included.
  static constexpr size_t kMostBytes = format::kMostEventBytes + 3;

  // Of a page. Its time 0 is not after its first event.
  void start(const PageStart& start);

  // Whether the time since the last record can be said; if not, the event wants a new page.
  bool reaches(const Event& event) const;

  // One allocation or release. Its ticks do not go back; what is no whole unit is rounded as the recorder does. Sizes
  // are no more than format::kMostBlockBytes. `continues` is not kept: half a realloc becomes an event of its own.
  void write(const Event& event, std::vector<std::byte>& out);
  // Both halves of a realloc.
  void write_realloc(const Event& release, const Event& allocation, std::vector<std::byte>& out);

 private:
  void write_allocation(const Event& event, std::vector<std::byte>& out);
  void write_long_allocation(const Event& event, uint64_t dt, bool is_guessed, std::vector<std::byte>& out);
  void write_release(const Event& event, std::vector<std::byte>& out);
  void write_long_release(const Event& event, uint64_t dt, std::vector<std::byte>& out);
  static void put_gap(const Event& event, std::vector<std::byte>& out);
  void put_address(uint64_t base, uint64_t address, std::vector<std::byte>& out) const;
  void put_stack_step(uint32_t stack, std::vector<std::byte>& out);
  uint64_t units_of(const Event& event) const;
  uint64_t advance_to(uint64_t units, uint64_t most);

  uint64_t time_ = 0;  // units
  uint32_t time_shift_ = 0;
  EventPredictor predictor_;
};

}  // namespace memprof
