// seeds OUT TRACE...: the corpus that the fuzzers start from, in OUT/TARGET/. Each of the given traces, and some that
// are built here, is cut into the inputs of each target.
#include <xxhash.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "../unit/trace_builder.h"
#include "trace/trace_file.h"

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

void add_trace(Corpus& corpus, const Bytes& bytes) {
  const TraceFile file = TraceFile::from_descriptor(test::memory_file(bytes), "seed");
  corpus.add("header", Bytes(bytes.begin(), bytes.begin() + sizeof(format::FileHeader)));
  add_event_pages(corpus, file);
  add_stack_pages(corpus, file);
  // A fuzzer is as fast as its inputs are small, and a trace without its end is a trace.
  const Bytes start(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), kMostBytes)));
  corpus.add("page_index", start);
  corpus.add("trace", start);
}

// A bit of everything, in small pages.
TraceBuilder rich_trace() {
  TraceBuilder b;
  b.add_command({"./app", "--flag"});
  b.add_metadata(format::MetadataRecord::setting, "MEMPROF_MAX_DEPTH=64");
  b.define_domain(20, "pool");
  b.define_tag(256, Function::pool, 20, "arena");
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

void add_built_traces(Corpus& corpus) {
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
