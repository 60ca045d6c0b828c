// seeds OUT TRACE...: the corpus that the fuzzers start from, in OUT/TARGET/. Each of the given traces, and some that
// are built here, is cut into the inputs of each target.
#include <xxhash.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "../unit/trace_builder.h"
#include "trace/event_reader.h"
#include "trace/page_group.h"
#include "trace/trace_file.h"
#include "trace_seal.h"

using namespace memprof;
using format::Function;
using format::StreamKind;
using test::Bytes;
using test::TraceBuilder;

namespace {

constexpr size_t kMostBytes = 48 << 10;

class Corpus {
 public:
  explicit Corpus(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Named by its content, as libFuzzer names what it finds.
  void add(const char* target, const Bytes& bytes) {
    std::filesystem::create_directories(directory_ / target);
    char name[20];
    std::snprintf(name, sizeof name, "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(bytes.data(), bytes.size())));
    std::ofstream file(directory_ / target / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw std::runtime_error("cannot write the corpus");
  }
  void add(const char* target, std::string_view text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    add(target, Bytes(bytes, bytes + text.size()));
  }

 private:
  std::filesystem::path directory_;
};

void put(Bytes& out, std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

template <class T>
void put_value(Bytes& out, const T& value) {
  put(out, std::as_bytes(std::span(&value, 1)));
}

void add_event_pages(Corpus& corpus, const TraceFile& file) {
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (StreamPages stream : file.streams(StreamKind::events)) {
    for (const PageEntry& page : stream) {
      if (!file.read_page(page, buffer, payload)) continue;
      Bytes input = {std::byte{1}, static_cast<std::byte>(file.header().size_bias)};
      put(input, payload.first(std::min<size_t>(payload.size(), 2048)));
      corpus.add("event", input);
    }
  }
}

// Two pages at a time: their payloads, and the group that is made of them.
void add_groups(Corpus& corpus, const TraceFile& file) {
  Bytes head, payloads;
  std::vector<PayloadShape> shapes;
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (const PageEntry& page : file.pages()) {
    if (!file.read_page(page, buffer, payload)) continue;
    const auto part = payload.first(std::min<size_t>(payload.size(), 1024));
    shapes.push_back({page.kind == StreamKind::events, static_cast<uint32_t>(part.size())});
    put(payloads, part);
    head.push_back(std::byte{shapes.back().is_events});
    put_value(head, static_cast<uint16_t>(part.size()));
    if (shapes.size() < 2) continue;
    for (const bool is_payload : {true, false}) {
      Bytes input = {std::byte{2} | (is_payload ? std::byte{0x80} : std::byte{0})};
      put(input, head);
      put(input, is_payload ? payloads : pack_group(shapes, payloads));
      corpus.add("group", input);
    }
    head.clear();
    payloads.clear();
    shapes.clear();
  }
}

void add_stack_pages(Corpus& corpus, const TraceFile& file) {
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  Bytes input;
  for (StreamPages stream : file.streams(StreamKind::stacks)) {
    for (const PageEntry& page : stream) {
      if (!file.read_page(page, buffer, payload)) continue;
      const auto part = payload.first(std::min<size_t>(payload.size(), format::kMinPageSize - 64));
      put_value(input, static_cast<uint16_t>(part.size()));
      put(input, part);
    }
  }
  corpus.add("stack", input);
}

// How much of a payload are whole records, in so much room.
size_t whole_records(const TraceFile& file, const PageEntry& page, std::span<const std::byte> payload, size_t room) {
  if (payload.size() <= room) return payload.size();
  size_t end = 0;
  if (page.kind == StreamKind::events) {
    EventReader reader;
    reader.start(payload, {.base_ticks = page.base_ticks,
                           .lead_units = page.lead_units,
                           .time_shift = file.header().time_shift,
                           .size_bias = file.header().size_bias});
    Event events[2];
    while (reader.read(events) != 0 && reader.bytes_read() <= room) end = reader.bytes_read();
  } else if (page.kind == StreamKind::stacks) {
    unsigned numbers = 0;
    for (size_t at = 0; at < room; ++at) {
      if ((payload[at] & std::byte{0x80}) == std::byte{0} && ++numbers % 4 == 0) end = at + 1;
    }
  } else {
    for (format::RecordHeader record; end + sizeof record <= room;) {
      std::memcpy(&record, payload.data() + end, sizeof record);
      const size_t next = end + sizeof record + (record.bytes + 7u) / 8 * 8;
      if (next > room) break;
      end = next;
    }
  }
  return end;
}

// The beginning of some streams, in the smallest pages that there may be: a fuzzer is as fast as its inputs are small.
// All reports of a hundred events take a few milliseconds under ASan.
Bytes small_trace(const TraceFile& file) {
  constexpr size_t kMostPages = 8;
  constexpr size_t kMostStreams = 3;  // of a kind
  constexpr size_t kRoom = format::kMinPageSize - sizeof(format::PageHeader);
  constexpr size_t kRoomForEvents = 256;
  std::map<StreamKind, size_t> streams;
  Bytes small(format::kMinPageSize);
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (const PageEntry& page : file.pages()) {
    if (page.sequence != 0 || small.size() / format::kMinPageSize > kMostPages) continue;
    if (++streams[page.kind] > kMostStreams || !file.read_page(page, buffer, payload)) continue;
    const size_t room = page.kind == StreamKind::events ? kRoomForEvents : kRoom;
    const auto part = payload.first(whole_records(file, page, payload, room));
    format::PageHeader head;
    std::memcpy(&head, buffer.data(), sizeof head);
    head.state = format::PageState::sealed;
    head.used = static_cast<uint32_t>(part.size());
    const size_t at = small.size();
    small.resize(at + format::kMinPageSize);
    std::memcpy(small.data() + at, &head, sizeof head);
    std::copy(part.begin(), part.end(), small.begin() + static_cast<std::ptrdiff_t>(at + sizeof head));
  }
  format::FileHeader header = file.header();
  header.page_size = format::kMinPageSize;
  header.page_count = small.size() / format::kMinPageSize | (header.page_count & format::kPageCountClosed);
  std::memcpy(small.data(), &header, sizeof header);
  fuzz::seal_trace(reinterpret_cast<uint8_t*>(small.data()), small.size());
  return small;
}

void add_trace(Corpus& corpus, const Bytes& bytes) {
  const TraceFile file = TraceFile::from_descriptor(test::memory_file(bytes), "seed");
  corpus.add("header", Bytes(bytes.begin(), bytes.begin() + sizeof(format::FileHeader)));
  add_event_pages(corpus, file);
  add_groups(corpus, file);
  add_stack_pages(corpus, file);
  // Small pages already, or what breaks them is the point: as it is.
  const bool is_small = file.page_size() == format::kMinPageSize && bytes.size() <= kMostBytes;
  const Bytes small = is_small ? bytes : small_trace(file);
  corpus.add("page_index", small);
  corpus.add("trace", small);
}

// A bit of everything, in small pages.
TraceBuilder rich_trace() {
  TraceBuilder b;
  b.add_command({"./app", "--flag"});
  b.add_metadata(format::MetadataRecord::setting, "MEMPROF_MAX_DEPTH=64");
  b.define_domain(20, "pool");
  b.define_tag(256, Function::pool_alloc, 20, "arena");
  const uint32_t module = b.add_module("/usr/bin/app", 0x400000, 0x500000, 0x400000, "0123456789abcdef0123");
  const uint32_t outer = b.add_node(format::kRootWhole, module, 0x1150);
  const uint32_t inner = b.add_node(outer, module, 0x1204, true);
  const uint32_t twin = b.add_node(outer, module, 0x1204, true);
  const uint32_t cut = b.add_node(format::kRootGaveUp, format::kNoModule, 0x7f1234);
  b.unload_module(module, 900);
  b.alloc(1, 10, 0x1000, 24, inner);
  b.alloc(2, 15, 0x3000, 100, twin, Function::operator_new_array);
  b.realloc(1, 20, 25, 0x1000, 0x2000, 48, inner);
  b.free(2, 30, 0x3000);
  b.alloc_tagged(1, 40, 0x4000, 1, cut, 256);
  b.new_page(1);
  b.alloc(1, 50, 0x7f0000000000, 1 << 20, outer, Function::mmap);
  b.free(1, 60, 0x7f0000001000, Function::munmap, 4096, cut);
  b.alloc(2, 61, 0x2000, 7, cut);
  b.free(1, 70, 0x2000, Function::free, 0, inner);
  b.free(1002, 80, 0x9990);
  return b;
}

// What `symbolize` adds: a record of module 1, and frames of two of its addresses.
void add_symbols_page(TraceBuilder& b) {
  using namespace std::string_view_literals;
  test::PageImage page = b.pages().front();
  page.head.kind = StreamKind::symbols;
  page.head.stream_id = 1;
  page.head.sequence = 0;
  page.payload.clear();
  const auto text = "no lines"sv, frames = "\1\1\4main\xd0\x22\2\2\0\x0c\xb4\1\3\2\0\x0d\0\0\0\0\0"sv;
  put_value(page.payload, format::RecordHeader{static_cast<uint16_t>(format::SymbolRecord::module), 0,
                                               static_cast<uint32_t>(sizeof(format::SymbolModule) + text.size())});
  put_value(page.payload,
            format::SymbolModule{1, format::SymbolDetail::symbols, 0, static_cast<uint32_t>(text.size())});
  put(page.payload, std::as_bytes(std::span(text)));
  put_value(page.payload, format::RecordHeader{static_cast<uint16_t>(format::SymbolRecord::frames), 0, 19});
  put(page.payload, std::as_bytes(std::span(frames)));
  b.pages().push_back(page);
}

// A heap of four blocks that point to each other, one range that holds them and one of roots.
TraceBuilder trace_with_snapshot() {
  using format::SnapshotRecord;
  TraceBuilder b;
  for (uint64_t i = 0; i < 4; ++i) b.alloc(1, 10 + i, 0x10000 + 64 * i, 48, b.stack(0x1000 + i));
  b.free(1, 20, 0x9000);
  const auto add = [&](SnapshotRecord type, std::initializer_list<uint64_t> numbers, const auto&... values) {
    Bytes payload;
    (put_value(payload, values), ...);
    for (const uint64_t number : numbers) test::put_varint(payload, number);
    b.add_snapshot_record(static_cast<uint16_t>(type), payload);
  };
  add(SnapshotRecord::begin, {},
      format::SnapshotBegin{TraceBuilder::kStart + 30, format::SnapshotReason::exit, 1, 1, 0});
  add(SnapshotRecord::thread, {},
      format::SnapshotThread{7, format::SnapshotThreadState::taking, 0x20800, 0x20f00, {0x10000}});
  add(SnapshotRecord::range, {}, format::SnapshotRange{0x10000, 0x11000, format::SnapshotRangeKind::anonymous, 0});
  add(SnapshotRecord::words, {0, 0x80, 10, 0x90, 8, 0x10}, uint64_t{0x10000});
  add(SnapshotRecord::vtables, {0, 8, 8}, uint64_t{0x10000});
  add(SnapshotRecord::lengths, {0, 2, 16, 4}, uint64_t{0x10000});
  add(SnapshotRecord::range, {}, format::SnapshotRange{0x20000, 0x21000, format::SnapshotRangeKind::anonymous, 1});
  add(SnapshotRecord::words, {0x110, 0x1ffff}, uint64_t{0x20000});
  add(SnapshotRecord::end, {}, format::SnapshotEnd{4, 8192, 1, 2});
  b.close(1000);
  return b;
}

void add_built_traces(Corpus& corpus) {
  add_trace(corpus, trace_with_snapshot().build());
  TraceBuilder running = rich_trace();
  running.pages().back().sealed = false;
  add_trace(corpus, running.build());
  for (const uint32_t flags : {uint32_t{format::kForkChild}, uint32_t{format::kLateStart | format::kFreeStacks},
                               uint32_t{format::kFiltered}}) {
    TraceBuilder closed = rich_trace();
    closed.header.flags = flags;
    add_symbols_page(closed);
    closed.close(1000, flags == format::kForkChild ? format::EndState::exec : format::EndState::exit);
    add_trace(corpus, closed.build());
  }
  TraceBuilder deep;
  uint32_t node = format::kRootWhole;
  for (uint64_t depth = 0; depth < 700; ++depth) node = deep.add_node(node, format::kNoModule, 0x1000 + depth % 7);
  deep.alloc(1, 10, 0x1000, 24, node);
  add_trace(corpus, deep.build());
}

void add_symbol_inputs(Corpus& corpus) {
  using namespace std::string_view_literals;
  // The example of trace_format.h.
  corpus.add("symbol", "\4\2\4main\5a.cpp\xd0\x22\2\2\2\x0c\x34\4\3\2\7\2\2\x0f"sv);
  for (const auto name : {"_ZNSt6vectorIiSaIiEE9push_backERKi"sv, "_RNvCs1234_7mycrate3foo"sv,
                          "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"sv, "_ZN1AIXadL_Z1fvEEE1gEv"sv,
                          "_ZZN1A1fEvENKUlT_E_clIiEEDaS0_"sv})
    corpus.add("symbol", std::string("\0", 1) + std::string(name));
  corpus.add("symbol",
             "\1"
             "1000 20 jit_one\n1010 8 jit_inner\n0x2000 0x10 name with blanks\nffffffffffffffff 1 end\n"sv);
  for (const auto path : {"/good.so"sv, "/good.so (deleted)"sv, "/fifo"sv, "/loop"sv, "/text"sv, "[vdso]"sv, ""sv}) {
    Bytes input = {std::byte{2}};
    for (const uint64_t value : {uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0x1120}}) put_value(input, value);
    put_value(input, uint8_t{0});
    put(input, std::as_bytes(std::span(path)));
    corpus.add("symbol", input);
  }
  for (const uint32_t offset : {0u, 0x28u, 0x40u, 0x3000u, 0x3800u, 0x4000u}) {
    Bytes input = {std::byte{3}};
    put_value(input, offset);
    put_value(input, uint8_t{4});
    put_value(input, uint32_t{0x01020304});
    corpus.add("symbol", input);
  }
}

Bytes read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return Bytes(bytes, bytes + text.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  try {
    Corpus corpus(arguments[1]);
    add_built_traces(corpus);
    add_symbol_inputs(corpus);
    for (int i = 2; i < count; ++i) add_trace(corpus, read_file(arguments[i]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
