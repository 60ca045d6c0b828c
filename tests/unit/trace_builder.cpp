#include "trace_builder.h"

#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstring>
#include <span>
#include <stdexcept>

namespace memprof::test {

using format::PageHeader;
using format::StreamKind;

namespace {

template <class T>
void put_raw(Bytes& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void put_text(Bytes& out, std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  out.insert(out.end(), bytes, bytes + text.size());
}

void put_byte(Bytes& out, unsigned value) { out.push_back(static_cast<std::byte>(value)); }

void put_address(Bytes& out, uint64_t address) {
  put_byte(out, 0xf8);
  put_raw(out, address);
}

}  // namespace

void put_varint(Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) put_byte(out, static_cast<unsigned>(value & 0x7f) | 0x80);
  put_byte(out, static_cast<unsigned>(value));
}

void put_prefix_varint(Bytes& out, uint64_t value) {
  unsigned further = 0;
  while (further < 8 && value >> (7 * (further + 1)) != 0) ++further;
  if (further == 8) {
    put_byte(out, 0xff);
  } else {
    const unsigned ones = static_cast<unsigned>(0xff00u >> further) & 0xff;
    put_byte(out, ones | static_cast<unsigned>(value >> (8 * further)));
  }
  for (unsigned i = further; i-- > 0;) put_byte(out, static_cast<unsigned>(value >> (8 * i)) & 0xff);
}

TraceBuilder::TraceBuilder() {
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.format_version = format::kVersion;
  header.endian_tag = format::kEndianTag;
  header.fixed_bytes = format::kFixedBytes;
  header.page_size = format::kMinPageSize;
  header.pid = 4242;
  header.parent_pid = 1;
  header.start_ticks = kStart;
  header.start_monotonic_ns = kStart;
  header.start_realtime_ns = 1'700'000'000'000'000'000;
  header.nominal_ticks_per_second = 1'000'000'000;
  header.clock = format::Clock::monotonic;
  header.time_shift = 0;
  header.machine = 62;
  header.pointer_bits = 64;
  header.max_depth = 256;
  header.memory_page_size = 4096;
  header.size_bias = 23;
}

PageImage& TraceBuilder::open_page(StreamKind kind, uint32_t id, uint32_t thread, uint64_t time, size_t room) {
  const auto [found, is_new] = streams_.try_emplace({kind, id}, Stream{0});
  Stream& stream = found->second;
  const size_t capacity = header.page_size - sizeof(PageHeader);
  if (is_new || stream.pages == 0 || pages_[stream.page].payload.size() + room > capacity) {
    PageImage page;
    page.head.magic = format::kPageMagic;
    page.head.kind = kind;
    page.head.header_bytes = sizeof(PageHeader);
    page.head.stream_id = id;
    page.head.sequence = stream.pages++;
    page.head.thread_serial = thread;
    page.head.thread_id = thread == 0 ? 0 : 5000 + thread;
    page.head.base_ticks = kStart + time;
    page.head.base_monotonic_ns = kStart + time;
    stream.page = pages_.size();
    stream.time = (kStart + time) >> header.time_shift;
    stream.last_stack = 0;
    pages_.push_back(page);
    if (kind == StreamKind::stacks) last_node_ = 0;
  }
  return pages_[stream.page];
}

void TraceBuilder::add_record(StreamKind kind, uint16_t type, const Bytes& payload) {
  const size_t padded = (payload.size() + 7) / 8 * 8;
  Bytes& out = open_page(kind, 1, 0, 0, sizeof(format::RecordHeader) + padded).payload;
  put_raw(out, format::RecordHeader{type, 0, static_cast<uint32_t>(payload.size())});
  out.insert(out.end(), payload.begin(), payload.end());
  out.resize(out.size() + padded - payload.size());
}

uint32_t TraceBuilder::add_module(std::string_view path, uint64_t start, uint64_t end, uint64_t bias,
                                  std::string_view build_id) {
  Bytes payload;
  put_raw(payload, format::ModuleLoad{kStart, start, end, bias, next_module_, static_cast<uint16_t>(build_id.size()),
                                      static_cast<uint16_t>(path.size())});
  put_text(payload, build_id);
  put_text(payload, path);
  add_record(StreamKind::modules, static_cast<uint16_t>(format::ModuleRecord::load), payload);
  return next_module_++;
}

void TraceBuilder::unload_module(uint32_t module, uint64_t time) {
  Bytes payload;
  put_raw(payload, format::ModuleUnload{kStart + time, module, 0});
  add_record(StreamKind::modules, static_cast<uint16_t>(format::ModuleRecord::unload), payload);
}

void TraceBuilder::name_recorder(uint32_t module) {
  Bytes payload;
  put_raw(payload, format::ModuleOfRecorder{module, 0});
  add_record(StreamKind::modules, static_cast<uint16_t>(format::ModuleRecord::recorder), payload);
}

void TraceBuilder::add_node_with_id(uint32_t id, uint32_t parent, uint32_t module, uint64_t address) {
  Bytes& out = open_page(StreamKind::stacks, 1, 1, 0, 32).payload;
  put_varint(out, id - last_node_);
  put_varint(out, id - parent);
  put_varint(out, uint64_t{module} << 1);
  put_varint(out, address);
  last_node_ = id;
}

uint32_t TraceBuilder::add_node(uint32_t parent, uint32_t module, uint64_t address, bool exact) {
  Bytes& out = open_page(StreamKind::stacks, 1, 1, 0, 32).payload;
  const uint32_t id = next_node_++;
  put_varint(out, id - last_node_);
  put_varint(out, id - parent);
  put_varint(out, uint64_t{module} << 1 | (exact ? format::kNodeExactAddress : 0));
  put_varint(out, address);
  last_node_ = id;
  header.node_count = next_node_ - format::kFirstNode;
  return id;
}

void TraceBuilder::add_metadata(format::MetadataRecord type, std::string_view payload) {
  Bytes bytes;
  put_text(bytes, payload);
  add_record(StreamKind::metadata, static_cast<uint16_t>(type), bytes);
}

void TraceBuilder::add_command(const std::vector<std::string>& arguments) {
  std::string joined;
  for (const std::string& argument : arguments) (joined += argument) += '\0';
  add_metadata(format::MetadataRecord::command, joined);
}

void TraceBuilder::add_pause(uint64_t time) {
  const uint64_t ticks = kStart + time;
  add_metadata(format::MetadataRecord::pause, {reinterpret_cast<const char*>(&ticks), sizeof ticks});
}

void TraceBuilder::add_mark(uint64_t time, uint32_t thread, std::string_view name) {
  const format::Mark mark{kStart + time, thread, 0};
  std::string payload(reinterpret_cast<const char*>(&mark), sizeof mark);
  add_metadata(format::MetadataRecord::mark, payload.append(name));
}

void TraceBuilder::add_sample_record(uint16_t type, const Bytes& payload) {
  add_record(StreamKind::samples, type, payload);
}

void TraceBuilder::add_snapshot_record(uint16_t type, const Bytes& payload) {
  add_record(StreamKind::snapshot, type, payload);
}

void TraceBuilder::add_sample(const format::MemorySample& sample) {
  const auto bytes = std::as_bytes(std::span(&sample, 1));
  add_sample_record(1, Bytes(bytes.begin(), bytes.end()));
}

void TraceBuilder::define_domain(uint16_t domain, std::string_view name) {
  Bytes payload;
  put_raw(payload, format::DomainDefinition{domain, {}});
  put_text(payload, name);
  add_record(StreamKind::metadata, static_cast<uint16_t>(format::MetadataRecord::domain), payload);
}

void TraceBuilder::define_tag(uint16_t tag, format::Function function, uint16_t domain, std::string_view name) {
  Bytes payload;
  put_raw(payload, format::TagDefinition{tag, static_cast<uint16_t>(function), domain, 0});
  put_text(payload, name);
  add_record(StreamKind::metadata, static_cast<uint16_t>(format::MetadataRecord::tag), payload);
}

Bytes& TraceBuilder::event_bytes(uint32_t stream, uint64_t time) {
  return open_page(StreamKind::events, stream, stream % 1000, time, 64).payload;
}

void TraceBuilder::put_time(Bytes& out, uint32_t stream, uint64_t time) {
  uint64_t& last = streams_.at({StreamKind::events, stream}).time;
  const uint64_t units = (kStart + time) >> header.time_shift;
  if (units < last) throw std::logic_error("events of a stream go back in time");
  put_prefix_varint(out, units - last);
  last = units;
}

void TraceBuilder::put_stack(Bytes& out, uint32_t stream, uint32_t stack, uint16_t tag) {
  uint32_t& last = streams_.at({StreamKind::events, stream}).last_stack;
  const int64_t step = int64_t{stack} - int64_t{last};
  put_prefix_varint(out, static_cast<uint64_t>(step < 0 ? -step * 2 - 1 : step * 2));
  put_raw(out, tag);
  last = stack;
}

void TraceBuilder::alloc(uint32_t stream, uint64_t time, uint64_t address, uint64_t size, uint32_t stack,
                         format::Function f) {
  alloc_tagged(stream, time, address, size, stack, static_cast<uint16_t>(f));
}

void TraceBuilder::alloc_tagged(uint32_t stream, uint64_t time, uint64_t address, uint64_t size, uint32_t stack,
                                uint16_t tag) {
  Bytes& out = event_bytes(stream, time);
  put_byte(out, 0x1f);  // 0001SSZA, SS = 3
  put_time(out, stream, time);
  put_stack(out, stream, stack, tag);
  put_prefix_varint(out, size);
  put_address(out, address);
}

void TraceBuilder::free(uint32_t stream, uint64_t time, uint64_t address, format::Function f, uint64_t size,
                        uint32_t stack) {
  Bytes& out = event_bytes(stream, time);
  put_byte(out, 0x0f);  // 00001TSZ
  put_time(out, stream, time);
  put_address(out, address);
  put_raw(out, static_cast<uint16_t>(f));
  put_prefix_varint(out, stack);
  put_prefix_varint(out, size);
}

void TraceBuilder::realloc(uint32_t stream, uint64_t begin, uint64_t end, uint64_t old_address, uint64_t address,
                           uint64_t size, uint32_t stack, format::Function f) {
  Bytes& out = event_bytes(stream, begin);
  put_byte(out, 0x06);  // 000001SI
  put_time(out, stream, begin);
  put_time(out, stream, end);
  put_address(out, old_address);
  put_stack(out, stream, stack, static_cast<uint16_t>(f));
  put_prefix_varint(out, size);
  put_address(out, address);
}

void TraceBuilder::raw_event(uint32_t stream, const Bytes& bytes) {
  Bytes& out = event_bytes(stream, 0);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void TraceBuilder::new_page(uint32_t stream) {
  const auto found = streams_.find({StreamKind::events, stream});
  if (found == streams_.end()) return;
  const uint64_t now = found->second.time << header.time_shift;
  open_page(StreamKind::events, stream, stream % 1000, now - kStart, header.page_size);
}

void TraceBuilder::close(uint64_t time, format::EndState state) {
  header.end_ticks = kStart + time;
  header.end_monotonic_ns = kStart + time;
  header.end_state = state;
}

std::vector<PageImage>& TraceBuilder::pages() { return pages_; }

Bytes TraceBuilder::build() {
  header.page_count = pages_.size() + 1;
  header.begun_pages = pages_.size();
  if (header.end_state != format::EndState::running) header.page_count |= format::kPageCountClosed;
  header.checksum = 0;
  header.checksum = XXH3_64bits(&header, format::kFixedBytes);
  Bytes file(header.page_size * (pages_.size() + 1));
  std::memcpy(file.data(), &header, sizeof header);
  for (size_t i = 0; i < pages_.size(); ++i) {
    PageImage page = pages_[i];
    std::byte* const at = file.data() + header.page_size * (i + 1);
    page.head.page_index = i + 1;
    page.head.used = static_cast<uint32_t>(page.payload.size());
    page.head.state = format::PageState::open;
    page.head.checksum = 0;
    std::memcpy(at, &page.head, sizeof page.head);
    if (!page.payload.empty()) std::memcpy(at + sizeof page.head, page.payload.data(), page.payload.size());
    if (!page.sealed) continue;
    page.head.checksum = XXH3_64bits(at, sizeof page.head + page.payload.size());
    page.head.state = format::PageState::sealed;
    std::memcpy(at, &page.head, sizeof page.head);
  }
  return file;
}

int memory_file(const Bytes& bytes) {
  const int descriptor = ::memfd_create("trace", MFD_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("memfd_create failed");
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (wrote <= 0) throw std::runtime_error("cannot fill the memory file");
    done += static_cast<size_t>(wrote);
  }
  return descriptor;
}

}  // namespace memprof::test
