// Encodes the events of one stream anew, as pages of a new trace.
#pragma once

#include <optional>
#include <vector>

#include "trace/event_writer.h"
#include "trace/new_trace_file.h"
#include "trace/trace_file.h"

namespace memprof {

class EventPages {
 public:
  // `pages` are the stream's in the trace that the events come from: the new ones take its name and times from them.
  EventPages(const TraceFile& file, StreamPages pages) : file_(file), pages_(pages) {}

  // In the order of the stream.
  void add(const Event& event, NewTraceFile& out);
  // A stream keeps at least one page, so that its thread is known.
  void finish(NewTraceFile& out);

 private:
  void write(const Event& event, const Event* continuation, NewTraceFile& out);
  void begin_page(uint64_t ticks);
  void seal(NewTraceFile& out);

  const TraceFile& file_;
  StreamPages pages_;
  EventWriter writer_;
  format::PageHeader head_{};
  uint32_t next_sequence_ = 0;
  bool has_page_ = false;
  std::vector<std::byte> payload_;
  std::optional<Event> held_;  // a release, which may be half of a realloc
};

}  // namespace memprof
