#include "synthetic/trace_pages.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "platform/checksum.h"

namespace memprof::synthetic {

using format::FileHeader;
using format::kPageSize;
using format::PageHeader;
using format::StreamKind;

namespace {

constexpr uint32_t kProcess = 4242;

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

unsigned char* put_varint(unsigned char* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<unsigned char>(value | 0x80);
  *at++ = static_cast<unsigned char>(value);
  return at;
}

uint64_t ns_of(uint64_t ticks) { return ticks / TracePages::kTicksPerNs; }

}  // namespace

TracePages::TracePages(const std::string& path, size_t threads, uint32_t size_bias)
    : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)),
      size_bias_(size_bias),
      threads_(threads) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path);
}

TracePages::~TracePages() { ::close(descriptor_); }

void TracePages::write_at(uint64_t offset, const void* bytes, size_t count) {
  const char* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::pwrite(descriptor_, from, count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw std::system_error(errno, std::generic_category(), "writing the trace");
    from += written;
    offset += static_cast<uint64_t>(written);
    count -= static_cast<size_t>(written);
  }
}

void TracePages::begin_page(Stream& stream, StreamKind kind, uint32_t thread_serial, uint64_t ticks) {
  const uint32_t sequence = stream.head.magic == 0 ? 0 : stream.head.sequence + 1;
  seal(stream);
  stream.head = {};
  stream.head.magic = format::kPageMagic;
  stream.head.kind = kind;
  stream.head.state = format::PageState::open;
  stream.head.header_bytes = sizeof(PageHeader);
  stream.head.stream_id = thread_serial == 0 ? 1 : thread_serial;
  stream.head.sequence = sequence;
  stream.head.thread_serial = thread_serial;
  stream.head.thread_id = thread_serial == 0 ? 0 : kProcess + thread_serial - 1;
  stream.head.base_ticks = ticks;
  stream.head.base_monotonic_ns = ns_of(ticks);
  stream.head.page_index = page_count_++;
  stream.used = 0;
}

void TracePages::seal(Stream& stream) {
  if (stream.head.magic == 0) return;
  stream.head.used = stream.used;
  const size_t count = sizeof(PageHeader) + stream.used;
  std::memcpy(stream.bytes.data(), &stream.head, sizeof(PageHeader));
  stream.head.checksum = checksum(stream.bytes.data(), count);
  stream.head.state = format::PageState::sealed;
  std::memcpy(stream.bytes.data(), &stream.head, sizeof(PageHeader));
  std::memset(stream.bytes.data() + count, 0, kPageSize - count);
  write_at(stream.head.page_index * kPageSize, stream.bytes.data(), kPageSize);
}

void TracePages::add_record(StreamKind kind, uint16_t type, std::string_view payload) {
  Stream& stream = kind == StreamKind::modules ? modules_ : metadata_;
  const size_t padded = (payload.size() + 7) / 8 * 8;
  const size_t needed = sizeof(format::RecordHeader) + padded;
  if (stream.head.magic == 0 || sizeof(PageHeader) + stream.used + needed > kPageSize)
    begin_page(stream, kind, 0, kStartTicks);
  const format::RecordHeader head{type, 0, static_cast<uint32_t>(payload.size())};
  unsigned char* at = stream.bytes.data() + sizeof(PageHeader) + stream.used;
  std::memset(at, 0, needed);
  std::memcpy(at, &head, sizeof head);
  std::memcpy(at + sizeof head, payload.data(), payload.size());
  stream.used += static_cast<uint32_t>(needed);
}

uint32_t TracePages::add_module(std::string_view path, uint64_t start, uint64_t end) {
  const format::ModuleLoad load{kStartTicks, start, end, start, next_module_, 0, static_cast<uint16_t>(path.size())};
  add_record(StreamKind::modules, static_cast<uint16_t>(format::ModuleRecord::load),
             std::string(bytes_of(load)).append(path));
  return next_module_++;
}

void TracePages::add_metadata(format::MetadataRecord type, std::string_view payload) {
  add_record(StreamKind::metadata, static_cast<uint16_t>(type), payload);
}

uint32_t TracePages::add_node(size_t index, uint64_t ticks, uint32_t parent, uint32_t module, uint64_t address) {
  constexpr size_t kMostNodeBytes = 5 + 5 + 5 + 10;
  Thread& thread = threads_[index];
  Stream& stream = thread.nodes;
  if (stream.head.magic == 0 || sizeof(PageHeader) + stream.used + kMostNodeBytes > kPageSize) {
    begin_page(stream, StreamKind::stacks, static_cast<uint32_t>(index + 1), ticks);
    thread.last_node = 0;
  }
  const uint32_t id = next_node_++;
  unsigned char* const begin = stream.bytes.data() + sizeof(PageHeader) + stream.used;
  unsigned char* at = put_varint(begin, id - thread.last_node);
  at = put_varint(at, id - parent);
  at = put_varint(at, uint64_t{module} << 1);
  at = put_varint(at, address);
  stream.used += static_cast<uint32_t>(at - begin);
  thread.last_node = id;
  return id;
}

unsigned char* TracePages::room_for_event(size_t index, uint64_t ticks) {
  Thread& thread = threads_[index];
  Stream& stream = thread.events;
  if (stream.head.magic == 0 || sizeof(PageHeader) + stream.used + EventEncoder::kMostBytes > kPageSize) {
    begin_page(stream, StreamKind::events, static_cast<uint32_t>(index + 1), ticks);
    thread.encoder.restart(EventEncoder::units_down(ticks), size_bias_);
  }
  return stream.bytes.data() + sizeof(PageHeader) + stream.used;
}

void TracePages::alloc(size_t index, uint64_t ticks, uint64_t address, uint64_t size, uint32_t stack,
                       format::Function f) {
  unsigned char* const at = room_for_event(index, ticks);
  Thread& thread = threads_[index];
  unsigned char* const end = thread.encoder.alloc(at, ticks, address, size, stack, static_cast<uint16_t>(f));
  thread.events.used += static_cast<uint32_t>(end - at);
}

void TracePages::free(size_t index, uint64_t ticks, uint64_t address, format::Function f) {
  unsigned char* const at = room_for_event(index, ticks);
  Thread& thread = threads_[index];
  unsigned char* const end = thread.encoder.free(at, ticks, address, 0, format::kNoStack, static_cast<uint16_t>(f));
  thread.events.used += static_cast<uint32_t>(end - at);
}

void TracePages::realloc(size_t index, uint64_t begin, uint64_t end, uint64_t old_address, uint64_t address,
                         uint64_t size, uint32_t stack) {
  unsigned char* const at = room_for_event(index, begin);
  Thread& thread = threads_[index];
  unsigned char* const next = thread.encoder.realloc(at, begin, end, old_address, address, size, stack,
                                                     static_cast<uint16_t>(format::Function::realloc));
  thread.events.used += static_cast<uint32_t>(next - at);
}

void TracePages::close(uint64_t ticks) {
  for (Thread& thread : threads_) {
    seal(thread.events);
    seal(thread.nodes);
  }
  seal(modules_);
  seal(metadata_);

  FileHeader header{};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.format_version = format::kVersion;
  header.endian_tag = format::kEndianTag;
  header.fixed_bytes = format::kFixedBytes;
  header.page_size = kPageSize;
  header.pid = kProcess;
  header.parent_pid = 1;
  header.start_ticks = kStartTicks;
  header.start_monotonic_ns = ns_of(kStartTicks);
  header.start_realtime_ns = 1'700'000'000'000'000'000;
  header.nominal_ticks_per_second = kTicksPerNs * 1'000'000'000;
  header.clock = format::Clock::tsc;
  header.time_shift = format::kTimeShift;
  header.machine = 62;  // EM_X86_64
  header.pointer_bits = 64;
  header.max_depth = 256;
  header.memory_page_size = 4096;
  header.size_bias = size_bias_;
  header.checksum = checksum(&header, format::kFixedBytes);
  header.page_count = page_count_ | format::kPageCountClosed;
  header.end_state = format::EndState::exit;
  header.end_ticks = ticks;
  header.end_monotonic_ns = ns_of(ticks);
  header.node_count = next_node_ - format::kFirstNode;
  header.thread_count = threads_.size();
  std::array<unsigned char, kPageSize> page{};
  std::memcpy(page.data(), &header, sizeof header);
  write_at(0, page.data(), page.size());
}

}  // namespace memprof::synthetic
