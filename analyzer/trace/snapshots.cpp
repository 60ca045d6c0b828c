#include "trace/snapshots.h"

#include "trace/byte_reader.h"
#include "trace/record_reader.h"

namespace memprof {

using format::SnapshotRecord;

namespace {

constexpr uint64_t kPointerBytes = 8;

uint64_t unzigzag(uint64_t value) { return value >> 1 ^ (0 - (value & 1)); }

// The next word of a range, behind the last one.
bool take_step(ByteReader& reader, const format::SnapshotRange& range, uint64_t& address) {
  uint64_t step;
  if (!reader.read_varint(step)) return false;
  if (address < range.start || address > range.end || step > (range.end - address) / kPointerBytes) return false;
  address += step * kPointerBytes;
  return range.end - address >= kPointerBytes;
}

bool visit_words(ByteReader reader, const format::SnapshotRange& range, SnapshotVisitor& visitor) {
  uint64_t address;
  if (!reader.read(address)) return false;
  uint64_t value = address;
  while (!reader.at_end()) {
    uint64_t change;
    if (!take_step(reader, range, address) || !reader.read_varint(change)) return false;
    value += unzigzag(change);
    visitor.word(address, value);
  }
  return true;
}

bool visit_vtables(ByteReader reader, const format::SnapshotRange& range, SnapshotVisitor& visitor) {
  uint64_t address;
  if (!reader.read(address)) return false;
  while (!reader.at_end()) {
    if (!take_step(reader, range, address)) return false;
    visitor.vtable(address);
  }
  return true;
}

bool visit_lengths(ByteReader reader, SnapshotVisitor& visitor) {
  uint64_t address;
  if (!reader.read(address)) return false;
  while (!reader.at_end()) {
    uint64_t change, value;
    if (!reader.read_varint(change) || !reader.read_varint(value)) return false;
    address += unzigzag(change) * kPointerBytes;
    visitor.length(address, value);
  }
  return true;
}

template <class T>
bool visit_fixed(ByteReader reader, SnapshotVisitor& visitor, void (SnapshotVisitor::*tell)(const T&), T& value) {
  if (!reader.read(value)) return false;
  (visitor.*tell)(value);
  return true;
}

}  // namespace

void visit_snapshots(const TraceFile& file, SnapshotVisitor& visitor) {
  bool has_begun = false;
  format::SnapshotRange range{};
  const auto visit = [&](const Record& record) {
    const ByteReader reader(record.payload);
    const auto type = static_cast<SnapshotRecord>(record.type);
    if (type != SnapshotRecord::begin && !has_begun) return false;
    switch (type) {
      case SnapshotRecord::begin: {
        format::SnapshotBegin begin;
        range = {};
        return has_begun = visit_fixed(reader, visitor, &SnapshotVisitor::begin, begin);
      }
      case SnapshotRecord::thread: {
        format::SnapshotThread thread;
        return visit_fixed(reader, visitor, &SnapshotVisitor::thread, thread);
      }
      case SnapshotRecord::range: return visit_fixed(reader, visitor, &SnapshotVisitor::range, range);
      case SnapshotRecord::words: return visit_words(reader, range, visitor);
      case SnapshotRecord::vtables: return visit_vtables(reader, range, visitor);
      case SnapshotRecord::lengths: return visit_lengths(reader, visitor);
      case SnapshotRecord::end: {
        format::SnapshotEnd end;
        has_begun = false;
        return visit_fixed(reader, visitor, &SnapshotVisitor::end, end);
      }
    }
    return true;  // of a later library
  };
  visit_records(file, format::StreamKind::snapshot, [&](const Record& record) {
    if (!visit(record)) file.damage().add_page(record.page, "a snapshot's record does not hold what it says");
  });
}

}  // namespace memprof
