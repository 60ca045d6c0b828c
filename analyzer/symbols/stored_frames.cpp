#include "symbols/stored_frames.h"

#include <algorithm>
#include <utility>

#include "trace/byte_reader.h"

namespace memprof {

namespace {

constexpr size_t kMaxVarintBytes = 10;
constexpr size_t kLeastFrameBytes = 3;

void put_varint(std::vector<std::byte>& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  while (value >>= 7) ++bytes;
  return bytes;
}

struct StoredFrame {
  uint64_t function = 0, file = 0, line = 0, linkage_name = 0;
};

bool read_frame(ByteReader& reader, StoredNames names, StoredFrame& frame) {
  return reader.read_varint(frame.function) && reader.read_varint(frame.file) && reader.read_varint(frame.line) &&
         (names == StoredNames::of_trace || reader.read_varint(frame.linkage_name));
}

// Skips the frames of one address; false when they cannot be.
bool check_frames(ByteReader& reader, StoredNames names, uint64_t count, size_t strings) {
  if (count == 0 || count > reader.remaining() / kLeastFrameBytes) return false;
  for (uint64_t i = 0; i < count; ++i) {
    StoredFrame frame;
    if (!read_frame(reader, names, frame)) return false;
    if (frame.function >> 1 > strings || frame.file > strings || frame.line > UINT32_MAX) return false;
    if (frame.linkage_name > strings) return false;
  }
  return true;
}

}  // namespace

bool StoredFrames::read_strings(Block& block, size_t& offset) const {
  ByteReader reader(block.bytes);
  uint64_t count = 0;
  if (!reader.read_varint(count) || count > reader.remaining()) return false;
  block.strings.reserve(count + 1);
  block.strings.emplace_back();
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t length = 0;
    std::span<const std::byte> text;
    if (!reader.read_varint(length) || !reader.take(length, text)) return false;
    block.strings.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
  }
  offset = reader.offset();
  return true;
}

bool StoredFrames::add(std::vector<std::byte> bytes) {
  if (bytes.size() > UINT32_MAX) return false;
  Block& block = blocks_.emplace_back(Block{std::move(bytes), {}});
  size_t begin = 0;
  if (!read_strings(block, begin)) return false;
  ByteReader reader(std::span<const std::byte>(block.bytes).subspan(begin));
  uint64_t address = 0;
  while (!reader.at_end()) {
    uint64_t step = 0, head = 0;
    if (!reader.read_varint(step)) return false;
    const auto offset = static_cast<uint32_t>(begin + reader.offset());
    if (!reader.read_varint(head) || !check_frames(reader, names_, head >> 1, block.strings.size() - 1)) return false;
    address += step;
    const CodeAddress code{address, (head & 1) != 0};
    if (!positions_.empty() && code < positions_.back().code) is_sorted_ = false;
    positions_.push_back({code, static_cast<uint32_t>(blocks_.size() - 1), offset});
  }
  return true;
}

const StoredFrames::Position* StoredFrames::position_of(CodeAddress wanted) const {
  if (!is_sorted_) {
    std::stable_sort(positions_.begin(), positions_.end(),
                     [](const Position& a, const Position& b) { return a.code < b.code; });
    is_sorted_ = true;
  }
  const auto found = std::lower_bound(positions_.begin(), positions_.end(), wanted,
                                      [](const Position& position, CodeAddress code) { return position.code < code; });
  return found != positions_.end() && found->code == wanted ? &*found : nullptr;
}

std::vector<SourceFrame> StoredFrames::find(CodeAddress wanted) const {
  std::vector<SourceFrame> frames;
  const Position* const position = position_of(wanted);
  if (position == nullptr) return frames;
  const Block& block = blocks_[position->block];
  ByteReader reader(std::span<const std::byte>(block.bytes).subspan(position->offset));
  uint64_t head = 0;
  reader.read_varint(head);  // add() has read all this before
  for (uint64_t i = 0; i < head >> 1; ++i) {
    StoredFrame frame;
    read_frame(reader, names_, frame);
    frames.push_back({.function = block.strings[frame.function >> 1],
                      .file = block.strings[frame.file],
                      .line = static_cast<uint32_t>(frame.line),
                      .inlined = (frame.function & 1) != 0,
                      .linkage_name = block.strings[frame.linkage_name]});
  }
  return frames;
}

std::vector<CodeAddress> StoredFrames::addresses() const {
  position_of({});  // sorts
  std::vector<CodeAddress> all;
  for (const Position& position : positions_)
    if (all.empty() || all.back() != position.code) all.push_back(position.code);
  return all;
}

uint64_t StoredFramesWriter::number_of(std::string_view text) {
  if (text.empty()) return 0;
  const auto [found, is_new] = numbers_.try_emplace(text, numbers_.size() + 1);
  if (is_new) {
    put_varint(strings_, text.size());
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    strings_.insert(strings_.end(), bytes, bytes + text.size());
  }
  return found->second;
}

size_t StoredFramesWriter::size_with(CodeAddress code, std::span<const SourceFrame> frames) {
  // An upper bound will do: what numbers and lines take at most, and strings that are not there yet.
  size_t size = kMaxVarintBytes + strings_.size() + entries_.size();
  size += varint_bytes(code.address - previous_) + varint_bytes(frames.size() << 1);
  for (const SourceFrame& frame : frames) {
    size += 5 + 5 + 5;
    for (const std::string_view text : {frame.function, frame.file})
      if (!text.empty() && numbers_.find(text) == numbers_.end()) size += varint_bytes(text.size()) + text.size();
  }
  return size;
}

void StoredFramesWriter::add(CodeAddress code, std::span<const SourceFrame> frames) {
  put_varint(entries_, code.address - std::exchange(previous_, code.address));
  put_varint(entries_, frames.size() << 1 | (code.is_exact ? 1 : 0));
  for (const SourceFrame& frame : frames) {
    put_varint(entries_, number_of(frame.function) << 1 | (frame.inlined ? 1 : 0));
    put_varint(entries_, number_of(frame.file));
    put_varint(entries_, frame.line);
    if (names_ == StoredNames::of_cache) put_varint(entries_, number_of(frame.linkage_name));
  }
}

std::vector<std::byte> StoredFramesWriter::take() {
  std::vector<std::byte> block;
  put_varint(block, numbers_.size());
  block.insert(block.end(), strings_.begin(), strings_.end());
  block.insert(block.end(), entries_.begin(), entries_.end());
  *this = StoredFramesWriter(names_);
  return block;
}

}  // namespace memprof
