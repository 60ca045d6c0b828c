#include "trace/record_reader.h"

#include <vector>

#include "trace/byte_reader.h"

namespace memprof {

using format::RecordHeader;

namespace {

// The parts of a record that has begun and not ended; never more than the stream's own bytes.
struct Joined {
  uint16_t type = 0;
  uint32_t page = 0;
  std::vector<std::byte> bytes;
};

void visit_page(const TraceFile& file, const PageEntry& entry, std::span<const std::byte> payload, Joined& joined,
                const std::function<void(const Record&)>& visit) {
  ByteReader reader(payload);
  while (!reader.at_end()) {
    RecordHeader head;
    std::span<const std::byte> part;
    if (!reader.read(head) || head.type == 0 || !reader.take(head.bytes, part)) {
      file.damage().add_page(entry.page, "a record passes the end of its page");
      return;
    }
    reader.skip_padding(8);
    const bool continues = (head.flags & format::kRecordContinues) != 0;
    if (joined.type != 0 && joined.type != head.type) {
      file.damage().add_page(entry.page, "the end of a continued record is missing");
      joined = {};
    }
    if (joined.type == 0 && !continues) {
      visit({head.type, entry.page, part});
      continue;
    }
    if (joined.type == 0) joined = {head.type, entry.page, {}};
    joined.bytes.insert(joined.bytes.end(), part.begin(), part.end());
    if (continues) continue;
    visit({joined.type, joined.page, joined.bytes});
    joined = {};
  }
}

}  // namespace

void visit_records(const TraceFile& file, format::StreamKind kind, const std::function<void(const Record&)>& visit) {
  std::vector<std::byte> buffer;
  for (StreamPages stream : file.streams(kind)) {
    Joined joined;
    for (const PageEntry& entry : stream) {
      std::span<const std::byte> payload;
      if (file.read_page(entry, buffer, payload)) visit_page(file, entry, payload, joined, visit);
    }
  }
}

}  // namespace memprof
