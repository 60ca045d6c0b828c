#include "model/checkpoints.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "model/pairing.h"
#include "trace/byte_writer.h"
#include "trace/read_bytes.h"

namespace memprof {

namespace {

constexpr char kMagic[8] = {'M', 'E', 'M', 'P', 'C', 'K', 'P', 'T'};
// Grows with every change of a state's layout, and of what pairing makes of events.
constexpr uint64_t kVersion = 3;
constexpr const char* kSuffix = ".checkpoints";

struct Head {
  char magic[8];
  uint64_t version;
  format::FileHeader trace;  // of which the states are
};

struct Foot {
  uint64_t count;     // of the entries before it
  uint64_t checksum;  // XXH3-64 of the head and of the entries
};

Head head_of(const TraceFile& file) {
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.version = kVersion;
  head.trace = file.header();
  return head;
}

std::string name_of(const TraceFile& file) {
  const Head head = head_of(file);
  return fmt::format("{:016x}{}", XXH3_64bits(&head, sizeof head), kSuffix);
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

uint64_t index_checksum(const Head& head, std::span<const std::byte> entries) {
  return XXH3_64bits_withSeed(entries.data(), entries.size(), XXH3_64bits(&head, sizeof head));
}

template <class T>
bool read_at(int file, uint64_t offset, std::span<T> out) {
  int error = 0;
  const auto bytes = std::as_writable_bytes(out);
  return read_bytes(file, offset, bytes, error) == bytes.size();
}

}  // namespace

bool CheckpointWriter::is_worth_it(const TraceFile& file, const CacheDirectory& cache, uint64_t least_pages) {
  if (!file.complete() || file.page_count() < least_pages) return false;
  const int known = cache.open(name_of(file));
  if (known >= 0) ::close(known);
  return known < 0;
}

CheckpointWriter::CheckpointWriter(const TraceFile& file, const CacheDirectory& cache)
    : trace_(file),
      cache_(cache),
      file_(cache),
      step_pages_(std::max<uint64_t>(file.page_count() / 50, 1)),
      next_pages_(step_pages_) {
  file_.append(bytes_of(head_of(file)));
}

void CheckpointWriter::take(const Pairing& pairing, const std::vector<StreamPoint>& points, uint64_t pages_read) {
  const uint64_t room = trace_.page_count() * trace_.page_size() / kBytesOfTrace;
  if (pairing.least_state_bytes() > room - std::min(room, file_.size_bytes())) return skip(pages_read);
  ByteWriter state;
  if (!pairing.save(state)) return;
  for (const StreamPoint& point : points) {
    state.put_varint(point.position.page);
    state.put_varint(point.position.events);
    state.put_varint(point.last_ticks);
    state.put_varint(point.key);
    state.put_varint(point.is_ahead);
  }
  if (state.size() > room - std::min(room, file_.size_bytes())) return skip(pages_read);
  entries_.push_back(
      {pairing.last_ticks(), file_.size_bytes(), state.size(), XXH3_64bits(state.bytes().data(), state.size())});
  file_.append(state.bytes());
  next_pages_ = pages_read + std::max(step_pages_, kBytesOfTrace * state.size() / trace_.page_size());
}

void CheckpointWriter::skip(uint64_t pages_read) { next_pages_ = pages_read + step_pages_; }

void CheckpointWriter::finish() {
  if (entries_.empty() || !trace_.complete()) return;
  const auto entries = std::as_bytes(std::span(entries_));
  file_.append(entries);
  file_.append(bytes_of(Foot{entries_.size(), index_checksum(head_of(trace_), entries)}));
  file_.commit(name_of(trace_));
  cache_.trim(kSuffix, kMostBytes);
}

CheckpointFile::CheckpointFile(const TraceFile& file, const CacheDirectory& cache) : file_(cache.open(name_of(file))) {
  if (file_ < 0) return;
  const off_t end = ::lseek(file_, 0, SEEK_END);
  const uint64_t size = end < 0 ? 0 : static_cast<uint64_t>(end);
  Head head;
  Foot foot;
  if (size < sizeof head + sizeof foot || !read_at(file_, 0, std::span(&head, 1)) ||
      !read_at(file_, size - sizeof foot, std::span(&foot, 1)))
    return;
  const Head wanted = head_of(file);
  if (std::memcmp(&head, &wanted, sizeof head) != 0 ||
      foot.count > (size - sizeof head - sizeof foot) / sizeof(CheckpointWriter::Entry))
    return;
  entries_.resize(foot.count);
  const uint64_t offset = size - sizeof foot - foot.count * sizeof(CheckpointWriter::Entry);
  if (!read_at(file_, offset, std::span(entries_)) ||
      index_checksum(head, std::as_bytes(std::span(entries_))) != foot.checksum)
    entries_.clear();
  std::erase_if(entries_,
                [&](const auto& entry) { return entry.offset > offset || entry.bytes > offset - entry.offset; });
}

CheckpointFile::~CheckpointFile() {
  if (file_ >= 0) ::close(file_);
}

std::optional<std::vector<std::byte>> CheckpointFile::state_before(uint64_t ticks) const {
  const CheckpointWriter::Entry* best = nullptr;
  for (const auto& entry : entries_)
    if (entry.last_ticks < ticks && (!best || entry.last_ticks >= best->last_ticks)) best = &entry;
  if (!best) return std::nullopt;
  std::vector<std::byte> state(best->bytes);
  if (!read_at(file_, best->offset, std::span(state)) || XXH3_64bits(state.data(), state.size()) != best->checksum)
    return std::nullopt;
  return state;
}

}  // namespace memprof
