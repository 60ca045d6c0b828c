// All events of a trace in the order of the clock, as runs of consecutive events of one stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/chunk.h"
#include "trace/event_stream.h"
#include "trace/trace_file.h"

namespace memprof {

struct Run {
  std::span<const Event> events;
  uint32_t stream;  // index, unique among the events streams
  uint32_t thread;  // index into Merge::threads()
};

class Merge {
 public:
  explicit Merge(const TraceFile& file);

  // False at the end. The run is valid until the next call.
  bool next(Run& run);

  const std::vector<Thread>& threads() const { return threads_; }
  size_t stream_count() const { return streams_.size(); }
  uint64_t page_count() const { return page_count_; }
  uint64_t pages_read() const { return pages_read_; }

 private:
  struct Stream {
    StreamPages pages;
    uint32_t thread;
    std::unique_ptr<EventStream> reader;  // while the stream has begun and not ended
    std::span<const Event> batch;
    size_t position = 0;
  };
  struct Head {
    uint64_t key;
    uint32_t stream;
    // For std heaps, which put the greatest on top.
    bool operator<(const Head& other) const { return key != other.key ? key > other.key : stream > other.stream; }
  };

  bool refill(Stream& stream);
  void push(uint32_t stream, uint64_t key);

  const TraceFile& file_;
  std::vector<Thread> threads_;
  std::vector<Stream> streams_;
  std::vector<Head> heap_;
  // The stream of the last run: its batch must live until the next call, so it is put back only then.
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t current_ = kNone;
  uint64_t page_count_ = 0;
  uint64_t pages_read_ = 0;
};

}  // namespace memprof
