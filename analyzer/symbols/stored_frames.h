// Frames that were looked up before, as bytes: what a symbols page of a trace and a file of the cache hold. The layout
// is that of SymbolRecord::frames in memprof/trace_format.h, without the module. Those of the cache have for each frame
// the number of its linkage name besides, behind the line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbols/source_frame.h"

namespace memprof {

// What is looked up: an address of a module's own space, and whether it is that of an instruction rather than the one
// behind a call.
struct CodeAddress {
  uint64_t address = 0;
  bool is_exact = false;
  auto operator<=>(const CodeAddress&) const = default;
};

enum class StoredNames : uint8_t { of_trace, of_cache };

// Reads blocks that nobody vouches for. Frames are decoded when they are asked for; module and offset are not stored.
class StoredFrames {
 public:
  explicit StoredFrames(StoredNames names = StoredNames::of_trace) : names_(names) {}

  // Takes the bytes over. False when they are malformed; the addresses before that place are kept.
  bool add(std::vector<std::byte> block);

  // Empty when the address is not stored. The views live as long as this. Where an address was added twice, the first
  // counts.
  std::vector<SourceFrame> find(CodeAddress wanted) const;
  bool has(CodeAddress wanted) const { return position_of(wanted) != nullptr; }
  // All addresses, in order.
  std::vector<CodeAddress> addresses() const;

 private:
  struct Block {
    std::vector<std::byte> bytes;
    std::vector<std::string_view> strings;
  };
  struct Position {
    CodeAddress code;
    uint32_t block, offset;  // of what follows the address
  };
  bool read_strings(Block& block, size_t& offset) const;
  const Position* position_of(CodeAddress wanted) const;

  StoredNames names_;
  std::deque<Block> blocks_;
  mutable std::vector<Position> positions_;
  mutable bool is_sorted_ = true;
};

// Makes one block. Addresses come in rising order.
class StoredFramesWriter {
 public:
  explicit StoredFramesWriter(StoredNames names = StoredNames::of_trace) : names_(names) {}

  // The size that the block of a trace would have with these frames added.
  size_t size_with(CodeAddress code, std::span<const SourceFrame> frames);
  void add(CodeAddress code, std::span<const SourceFrame> frames);
  bool empty() const { return entries_.empty(); }
  // The block; the writer is as new afterwards. The strings of all frames must live until then.
  std::vector<std::byte> take();

 private:
  uint64_t number_of(std::string_view text);

  StoredNames names_;
  std::unordered_map<std::string_view, uint64_t> numbers_;
  std::vector<std::byte> strings_, entries_;
  uint64_t previous_ = 0;
};

}  // namespace memprof
