// The stack table: the trie is a trie whatever the pages say. An input is the payloads of stacks pages, each behind its
// length in two bytes; they go to two streams in turns.
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "fuzzed_file.h"
#include "trace/stack_nodes.h"
#include "trace_seal.h"

namespace {

using namespace memprof;
using fuzz::must;

std::vector<uint8_t> trace_of(const uint8_t* data, size_t size) {
  format::FileHeader header{};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.format_version = format::kVersion;
  header.endian_tag = format::kEndianTag;
  header.fixed_bytes = format::kFixedBytes;
  header.page_size = format::kMinPageSize;
  header.clock = format::Clock::monotonic;
  header.pointer_bits = 64;
  std::vector<uint8_t> file(header.page_size);
  uint32_t pages = 0;
  while (size > 2) {
    size_t used = data[0] | data[1] << 8;
    used = std::min({used, size - 2, header.page_size - sizeof(format::PageHeader)});
    format::PageHeader page{};
    page.magic = format::kPageMagic;
    page.kind = format::StreamKind::stacks;
    page.state = format::PageState::sealed;
    page.header_bytes = sizeof page;
    page.stream_id = 1 + pages % 2;
    page.sequence = pages / 2;
    page.used = static_cast<uint32_t>(used);
    file.resize(file.size() + header.page_size);
    uint8_t* const at = file.data() + file.size() - header.page_size;
    std::memcpy(at, &page, sizeof page);
    if (used != 0) std::memcpy(at + sizeof page, data + 2, used);
    data += 2 + used;
    size -= 2 + used;
    ++pages;
  }
  header.page_count = pages + 1;
  std::memcpy(file.data(), &header, sizeof header);
  fuzz::seal_trace(file.data(), file.size());
  return file;
}

// Whether some page has ids far away. One costs an array that reaches to it, up to 40 MB: such inputs are tried seldom,
// or they are all that is tried.
bool has_far_ids(const uint8_t* data, size_t size) {
  constexpr uint64_t kFar = 1 << 14;
  while (size > 2) {
    const size_t used = std::min<size_t>(
        {data[0] | static_cast<size_t>(data[1]) << 8, size - 2, format::kMinPageSize - sizeof(format::PageHeader)});
    uint64_t id = 0, value = 0;
    unsigned shift = 0, number = 0;
    for (const uint8_t byte : std::span(data + 2, used)) {
      if (shift < 64) value |= uint64_t{byte & 0x7Fu} << shift;
      shift += 7;
      if (byte & 0x80) continue;
      if (number++ % 4 == 0 && (value >= kFar || (id += value) >= kFar)) return true;
      value = shift = 0;
    }
    data += 2 + used;
    size -= 2 + used;
  }
  return false;
}

void check_node(const StackNodes& nodes, StackId id) {
  const StackId canonical = nodes.canonical(id);
  must(nodes.canonical(canonical) == canonical && canonical <= id);
  if (!nodes.is_frame(id)) return;
  must(canonical != StackNodes::kLostStack && nodes.node(id).parent < id);
  bool more = false;
  const auto frames = nodes.frames(id, 64, &more);
  must(!frames.empty() && frames.size() <= 64 && frames.front() == id);
  // Equal stacks end alike.
  must(nodes.root(id) == nodes.root(canonical) || nodes.root(id) == StackRoot::lost ||
       nodes.root(canonical) == StackRoot::lost);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (has_far_ids(data, size) && XXH3_64bits(data, size) % 256 != 0) return 0;
  const std::vector<uint8_t> bytes = trace_of(data, size);
  const TraceFile file = fuzz::open_input(bytes.data(), bytes.size());
  const StackNodes nodes(file, Modules(file));
  must(nodes.node_count() <= size / 4);
  // Some ids are far away; what lies between is empty.
  for (StackId id = 0; id < std::min<StackId>(nodes.id_limit(), 4096); ++id) check_node(nodes, id);
  if (nodes.id_limit() > 0) check_node(nodes, nodes.id_limit() - 1);
  check_node(nodes, StackNodes::kLostStack);
  must(nodes.canonical(UINT32_MAX) == StackNodes::kLostStack && !nodes.is_frame(UINT32_MAX));
  bool more = false;
  must(nodes.frames(nodes.id_limit() - 1, SIZE_MAX, &more).size() <= StackNodes::kMaxFrames);
  return 0;
}
