#include "trace_writer/record_stream.h"

#include "platform/rare_lock.h"
#include "trace_writer/page_cursor.h"

namespace memprof {
namespace {

using format::RecordHeader;
using format::StreamKind;

constexpr size_t kLeastPayload = 64;  // do not start a record for less than this

// The joined pieces, read front to back.
class Source {
 public:
  Source(const Piece* pieces, size_t count) : piece_(pieces), end_(pieces + count) {
    for (const Piece* p = pieces; p != end_; ++p) left_ += p->count;
  }
  size_t left() const { return left_; }
  void take(unsigned char* to, size_t bytes) {
    left_ -= bytes;
    while (bytes > 0) {
      const size_t here = piece_->count - offset_ < bytes ? piece_->count - offset_ : bytes;
      __builtin_memcpy(to, static_cast<const unsigned char*>(piece_->bytes) + offset_, here);
      to += here;
      bytes -= here;
      offset_ += here;
      if (offset_ == piece_->count) ++piece_, offset_ = 0;
    }
  }

 private:
  const Piece* piece_;
  const Piece* end_;
  size_t offset_ = 0;
  size_t left_ = 0;
};

constinit bool is_diverted = false;

size_t padded(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

struct RecordStream {
  StreamKind kind;
  uint32_t id = 1;
  PageCursor cursor{};
  RareLock lock{};

  bool write(uint16_t type, const Piece* pieces, size_t count) {
    Source source(pieces, count);
    RareGuard guard(lock);
    if (!guard.held()) return false;
    for (;;) {
      const size_t wanted = sizeof(RecordHeader) + padded(source.left());
      const size_t least =
          wanted < sizeof(RecordHeader) + kLeastPayload ? wanted : sizeof(RecordHeader) + kLeastPayload;
      if (!cursor.has_room(least) && !cursor.roll(kind, id, 0, 0)) return false;
      size_t bytes = source.left();
      while (!cursor.has_room(sizeof(RecordHeader) + padded(bytes))) bytes -= 8 < bytes ? 8 : bytes;
      const bool more = bytes < source.left();
      const RecordHeader header{type, more ? format::kRecordContinues : uint16_t{0}, static_cast<uint32_t>(bytes)};
      unsigned char* at = cursor.at();
      __builtin_memcpy(at, &header, sizeof(header));
      source.take(at + sizeof(header), bytes);
      __builtin_memset(at + sizeof(header) + bytes, 0, padded(bytes) - bytes);
      cursor.publish(at + sizeof(header) + padded(bytes));
      if (!more) return true;
    }
  }
};

constinit RecordStream modules{StreamKind::modules};
constinit RecordStream metadata{StreamKind::metadata};
constinit RecordStream samples{StreamKind::samples};
constinit RecordStream snapshot{StreamKind::snapshot, 0};

}  // namespace

bool write_module_record(format::ModuleRecord type, const Piece* pieces, size_t count) {
  return is_diverted || modules.write(static_cast<uint16_t>(type), pieces, count);
}
bool write_metadata_record(format::MetadataRecord type, const Piece* pieces, size_t count) {
  return is_diverted || metadata.write(static_cast<uint16_t>(type), pieces, count);
}
bool write_sample_record(format::SampleRecord type, const Piece* pieces, size_t count) {
  return is_diverted || samples.write(static_cast<uint16_t>(type), pieces, count);
}

void begin_snapshot_stream() {
  ++snapshot.id;
  snapshot.lock.reset();
  snapshot.cursor = {};
}
bool write_snapshot_record(format::SnapshotRecord type, const Piece* pieces, size_t count) {
  return snapshot.write(static_cast<uint16_t>(type), pieces, count);
}
void end_snapshot_stream() { snapshot.cursor.close(); }

void divert_record_streams() { is_diverted = true; }

void abandon_record_streams() {
  is_diverted = false;
  snapshot.id = 0;
  for (RecordStream* stream : {&modules, &metadata, &samples}) {
    stream->lock.reset();
    stream->cursor.abandon();
  }
}

void seal_record_streams() {
  for (RecordStream* stream : {&modules, &metadata, &samples}) {
    RareGuard guard(stream->lock);
    if (guard.held()) stream->cursor.close();
  }
}

}  // namespace memprof
