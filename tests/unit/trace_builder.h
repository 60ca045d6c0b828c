// Writes traces for tests, from the text of trace_format.h and sharing no code with the recorder or the reader: valid
// ones, and with the fields left public, broken ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memprof/trace_format.h"

namespace memprof::test {

using Bytes = std::vector<std::byte>;

struct PageImage {
  format::PageHeader head{};
  Bytes payload;
  bool sealed = true;
};

// Ticks are nanoseconds (Clock::monotonic, time_shift 0) unless the header is changed before the first event.
class TraceBuilder {
 public:
  static constexpr uint64_t kStart = 1'000'000;  // start_ticks

  TraceBuilder();

  format::FileHeader header{};

  uint32_t add_module(std::string_view path, uint64_t start, uint64_t end, uint64_t bias,
                      std::string_view build_id = "");
  void unload_module(uint32_t module, uint64_t time);
  void name_recorder(uint32_t module);
  uint32_t add_node(uint32_t parent, uint32_t module, uint64_t address, bool exact = false);
  // A node whose id the test chooses.
  void add_node_with_id(uint32_t id, uint32_t parent, uint32_t module, uint64_t address);
  // A whole stack of one frame in no module: the usual need of a pairing test.
  uint32_t stack(uint64_t address) { return add_node(format::kRootWhole, format::kNoModule, address); }

  void add_metadata(format::MetadataRecord type, std::string_view payload);
  void add_command(const std::vector<std::string>& arguments);
  void define_domain(uint16_t domain, std::string_view name);
  void define_tag(uint16_t tag, format::Function function, uint16_t domain, std::string_view name);
  void add_pause(uint64_t time);
  void add_mark(uint64_t time, uint32_t thread, std::string_view name);
  void add_sample(const format::MemorySample& sample);
  void add_sample_record(uint16_t type, const Bytes& payload);
  void add_snapshot_record(uint16_t type, const Bytes& payload);

  // Times are since the start. `stream`: a thread's own stream has its number; streams above 1000 belong to thread
  // stream % 1000 (a signal handler's).
  void alloc(uint32_t stream, uint64_t time, uint64_t address, uint64_t size, uint32_t stack,
             format::Function f = format::Function::malloc);
  void alloc_tagged(uint32_t stream, uint64_t time, uint64_t address, uint64_t size, uint32_t stack, uint16_t tag);
  void free(uint32_t stream, uint64_t time, uint64_t address, format::Function f = format::Function::free,
            uint64_t size = 0, uint32_t stack = 0);
  void realloc(uint32_t stream, uint64_t begin, uint64_t end, uint64_t old_address, uint64_t address, uint64_t size,
               uint32_t stack, format::Function f = format::Function::realloc);
  // Bytes as an event record; the stream must have begun.
  void raw_event(uint32_t stream, const Bytes& bytes);
  // Ends the stream's page here.
  void new_page(uint32_t stream);
  void close(uint64_t time, format::EndState state = format::EndState::exit);

  // Pages in the order of their claim, header excluded.
  std::vector<PageImage>& pages();
  Bytes build();

 private:
  struct Stream {
    size_t page;
    uint64_t time = 0;
    uint32_t last_stack = 0;
    uint32_t pages = 0;
  };

  PageImage& open_page(format::StreamKind kind, uint32_t stream, uint32_t thread, uint64_t time, size_t room);
  Bytes& event_bytes(uint32_t stream, uint64_t time);
  void put_time(Bytes& out, uint32_t stream, uint64_t time);
  void put_stack(Bytes& out, uint32_t stream, uint32_t stack, uint16_t tag);
  void add_record(format::StreamKind kind, uint16_t type, const Bytes& payload);

  std::vector<PageImage> pages_;
  std::map<std::pair<format::StreamKind, uint32_t>, Stream> streams_;
  uint32_t next_node_ = format::kFirstNode;
  uint32_t last_node_ = 0;
  uint32_t next_module_ = 1;
};

void put_varint(Bytes& out, uint64_t value);         // LEB128
void put_prefix_varint(Bytes& out, uint64_t value);  // "pv"

// An anonymous file with these bytes; the caller closes it.
int memory_file(const Bytes& bytes);

}  // namespace memprof::test
