// Parts the records of events pages into columns and joins them again, as compressed_trace.h ("GROUP") defines it.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "memprof/compressed_trace.h"

namespace memprof {

using EventColumns = std::array<std::vector<std::byte>, format::kColumns>;

// Appends the payload of one page of events to the columns.
void split_events(std::span<const std::byte> payload, EventColumns& columns);

// Takes pages out of columns again, in the order in which they were put in.
class EventJoiner {
 public:
  // The columns outlive it.
  explicit EventJoiner(const EventColumns& columns);

  // Fills the page's payload. False: the columns end before it, or hold what is no record.
  bool join(std::span<std::byte> payload);
  // So many bytes as they are.
  bool take_plain(std::span<std::byte> payload);
  // Nothing is left in any column.
  bool is_done() const;

 private:
  std::array<std::span<const std::byte>, format::kColumns> rest_;
};

}  // namespace memprof
