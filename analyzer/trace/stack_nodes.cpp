#include "trace/stack_nodes.h"

#include <algorithm>
#include <bit>

#include "trace/byte_reader.h"
#include "trace/keyed_hash.h"

namespace memprof {

namespace {

// A node takes at least 4 bytes of payload, so the stacks pages bound how many ids can be in use. The slack is for ids
// that were handed out and never written (a thread that was killed, a full disk).
constexpr uint64_t kMinNodeBytes = 4;
constexpr uint64_t kIdSlack = 1u << 20;

bool are_same(const StackNode& a, const StackNode& b) {
  return a.address == b.address && a.parent == b.parent && a.module == b.module && a.exact_address == b.exact_address;
}

uint64_t hash_of(const StackNode& node) {
  const uint64_t place = uint64_t{node.module} << 1 | (node.exact_address ? 1u : 0u);
  return keyed_hash(keyed_hash(node.address) ^ ((uint64_t{node.parent} << 32) + place));
}

StackRoot root_of_parent(StackId parent) {
  switch (parent) {
    case format::kRootWhole: return StackRoot::whole;
    case format::kRootDepthLimit: return StackRoot::depth_limit;
    case format::kRootGaveUp: return StackRoot::gave_up;
    default: return StackRoot::lost;
  }
}

bool can_be_parent(uint64_t id) {
  return id == format::kRootWhole || id == format::kRootDepthLimit || id == format::kRootGaveUp ||
         id >= format::kFirstNode;
}

}  // namespace

StackNodes::StackNodes(const TraceFile& file, const Modules& modules) {
  const auto streams = file.streams(format::StreamKind::stacks);
  uint64_t payload_bytes = 0;
  for (StreamPages stream : streams)
    for (const PageEntry& entry : stream) payload_bytes += entry.used;
  max_id_ = std::min<uint64_t>(format::kFirstNode + payload_bytes / kMinNodeBytes + kIdSlack, UINT32_MAX);
  nodes_.resize(format::kFirstNode);

  std::vector<std::byte> buffer;
  for (StreamPages stream : streams) {
    for (const PageEntry& entry : stream) {
      std::span<const std::byte> payload;
      if (file.read_page(entry, buffer, payload) && !read_page(payload))
        file.damage().add_page(entry.page, "a stack node does not decode");
    }
  }
  canonicalise(modules);
}

bool StackNodes::read_page(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  uint64_t id = 0;
  while (!reader.at_end()) {
    uint64_t id_step, parent_step, module_bits, address;
    if (!reader.read_varint(id_step) || !reader.read_varint(parent_step) || !reader.read_varint(module_bits) ||
        !reader.read_varint(address))
      return false;
    if (id_step == 0 || id_step > max_id_ - id) return false;
    id += id_step;
    if (id < format::kFirstNode || id >= max_id_ || parent_step == 0 || parent_step > id ||
        !can_be_parent(id - parent_step) || module_bits >> 33 != 0)
      return false;
    if (id >= nodes_.size()) nodes_.resize(id + 1);
    StackNode& node = nodes_[id];
    if (node.parent != 0) return false;  // an id is given once
    node.parent = static_cast<StackId>(id - parent_step);
    node.module = static_cast<uint32_t>(module_bits >> 1);
    node.exact_address = (module_bits & format::kNodeExactAddress) != 0;
    node.address = address;
    ++node_count_;
  }
  return true;
}

// Parents have lower ids than their children, so one walk upward settles every node after its parent.
void StackNodes::canonicalise(const Modules& modules) {
  canonical_.resize(nodes_.size(), kLostStack);
  // A stack may have no frame at all: none was taken, or the unwinder gave up at once.
  for (StackId id : {format::kNoStack, format::kRootWhole, format::kRootDepthLimit, format::kRootGaveUp})
    canonical_[id] = id;
  // The first node of each kind, by its hash; 0: none. Ids alone, at most half of the places: the pages of a large
  // table cost more than the look-ups.
  std::vector<StackId> first(std::bit_ceil(2 * node_count_ + 1));
  const size_t mask = first.size() - 1;
  for (size_t id = format::kFirstNode; id < nodes_.size(); ++id) {
    StackNode& node = nodes_[id];
    if (node.parent == 0) continue;
    if (node.parent >= format::kFirstNode) {
      // A parent that is lost keeps its own id: the frames that are known stay apart from other stacks.
      const StackId parent = canonical_[node.parent];
      node.root = nodes_[node.parent].parent != 0 ? nodes_[node.parent].root : StackRoot::lost;
      if (parent != kLostStack) node.parent = parent;
    } else {
      node.root = root_of_parent(node.parent);
    }
    if (modules.is_recorder(node.module)) {
      canonical_[id] = canonical_[node.parent];
      continue;
    }
    size_t place = hash_of(node) & mask;
    while (first[place] != 0 && !are_same(nodes_[first[place]], node)) place = (place + 1) & mask;
    if (first[place] == 0) first[place] = static_cast<StackId>(id);
    canonical_[id] = first[place];
  }
}

StackId StackNodes::canonical(StackId id) const {
  if (id < canonical_.size()) return canonical_[id];
  return canonical_[kLostStack];
}

StackId StackNodes::add_groups(size_t count) {
  const StackId first = id_limit();
  nodes_.resize(nodes_.size() + count);
  canonical_.resize(nodes_.size());
  for (size_t id = first; id < canonical_.size(); ++id) canonical_[id] = static_cast<StackId>(id);
  return first;
}

void StackNodes::group_stacks(const std::vector<StackId>& group_of) {
  ungrouped_.assign(canonical_.begin(), canonical_.begin() + static_cast<std::ptrdiff_t>(group_of.size()));
  std::copy(group_of.begin(), group_of.end(), canonical_.begin());
}

void StackNodes::ungroup_stacks() {
  std::copy(ungrouped_.begin(), ungrouped_.end(), canonical_.begin());
  ungrouped_.clear();
}

StackRoot StackNodes::root(StackId id) const {
  if (id == format::kNoStack) return StackRoot::none;
  return is_frame(id) ? node(id).root : root_of_parent(id);
}

std::vector<StackId> StackNodes::frames(StackId id, size_t limit, bool* more) const {
  std::vector<StackId> result;
  limit = std::min(limit, kMaxFrames);
  while (is_frame(id) && result.size() < limit) {
    result.push_back(id);
    id = node(id).parent;
  }
  if (more) *more = is_frame(id);
  return result;
}

}  // namespace memprof
