// A trace file written page by page, from the text of trace_format.h. Events are encoded by the recorder's own encoder.
// Every thread has one stream of events and one of stacks; memory is a page for each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memprof/trace_format.h"
#include "recorder/event_encoder.h"

namespace memprof::synthetic {

class TracePages {
 public:
  static constexpr uint64_t kTicksPerNs = 3;
  static constexpr uint64_t kStartTicks = kTicksPerNs * 1'000'000'000'000;

  // Throws std::system_error here and below when the file cannot be written.
  TracePages(const std::string& path, size_t threads, uint32_t size_bias);
  ~TracePages();
  TracePages(const TracePages&) = delete;
  TracePages& operator=(const TracePages&) = delete;

  uint32_t add_module(std::string_view path, uint64_t start, uint64_t end);
  void add_metadata(format::MetadataRecord type, std::string_view payload);
  // Parents first. `thread` is an index; its serial is one more.
  uint32_t add_node(size_t thread, uint64_t ticks, uint32_t parent, uint32_t module, uint64_t address);

  // Ticks grow by 2 units from event to event, so that rounding keeps their order.
  void alloc(size_t thread, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack, format::Function f);
  void free(size_t thread, uint64_t ticks, uint64_t address, format::Function f);
  void realloc(size_t thread, uint64_t begin, uint64_t end, uint64_t old_address, uint64_t address, uint64_t size,
               uint32_t stack);

  // Seals what is open, and writes the header, without which the file is no trace.
  void close(uint64_t ticks);
  uint64_t file_bytes() const { return page_count_ * format::kPageSize; }

 private:
  struct Stream {
    format::PageHeader head{};  // magic 0: no page has begun
    uint32_t used = 0;
    std::array<unsigned char, format::kPageSize> bytes;
  };
  struct Thread {
    Stream events, nodes;
    EventEncoder encoder;
    uint32_t last_node = 0;
  };

  unsigned char* room_for_event(size_t thread, uint64_t ticks);
  void add_record(format::StreamKind kind, uint16_t type, std::string_view payload);
  void begin_page(Stream& stream, format::StreamKind kind, uint32_t thread_serial, uint64_t ticks);
  void seal(Stream& stream);
  void write_at(uint64_t offset, const void* bytes, size_t count);

  int descriptor_;
  uint32_t size_bias_;
  uint64_t page_count_ = 1;
  uint32_t next_node_ = format::kFirstNode;
  uint32_t next_module_ = 1;
  Stream modules_, metadata_;
  std::vector<Thread> threads_;
};

}  // namespace memprof::synthetic
