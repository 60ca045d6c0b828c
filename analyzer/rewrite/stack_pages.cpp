#include "rewrite/stack_pages.h"

namespace memprof {

namespace {

void put_varint(std::vector<std::byte>& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>((value & 0x7f) | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

// Four varints: three of 5 bytes and one of 10.
constexpr size_t kMostNodeBytes = 25;

}  // namespace

StackId StackPages::keep(StackId stack) {
  const StackId id = nodes_.canonical(stack);
  // Outwards, up to a node that was kept before, and its callers with it.
  for (StackId at = id; nodes_.is_frame(at) && !is_needed_[at]; at = nodes_.node(at).parent) is_needed_[at] = true;
  return id;
}

void StackPages::write(NewTraceFile& out) const {
  format::PageHeader head{};
  head.kind = format::StreamKind::stacks;
  head.stream_id = 1;
  std::vector<std::byte> payload;
  StackId previous = 0;
  const auto seal = [&] {
    out.append(head, payload);
    ++head.sequence;
    payload.clear();
    previous = 0;
  };
  for (StackId id = format::kFirstNode; id < is_needed_.size(); ++id) {
    if (!is_needed_[id]) continue;
    if (payload.size() + kMostNodeBytes > out.payload_capacity()) seal();
    const StackNode& node = nodes_.node(id);
    put_varint(payload, id - previous);
    put_varint(payload, id - node.parent);
    put_varint(payload, uint64_t{node.module} << 1 | (node.exact_address ? format::kNodeExactAddress : 0));
    put_varint(payload, node.address);
    previous = id;
  }
  if (!payload.empty()) seal();
}

}  // namespace memprof
