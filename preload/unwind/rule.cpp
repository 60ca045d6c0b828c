#include "unwind/rule.h"

#include "unwind/byte_reader.h"

namespace memprof {
namespace {

constexpr int64_t kWordBytes = 8;

// n if `bytes` is 8n within [least, most], else 0.
uint32_t words(int64_t bytes, uint32_t least, uint32_t most) {
  const bool fits = bytes >= kWordBytes * least && bytes <= kWordBytes * most && bytes % kWordBytes == 0;
  return fits ? static_cast<uint32_t>(bytes / kWordBytes) : 0;
}

// The block is [frame pointer + offset], with a final dereference if `dereferences`, and nothing else.
bool is_frame_pointer_based(int64_t block, bool dereferences, int64_t& offset) {
  constexpr uint8_t kBaseRegister0 = 0x70, kDereference = 0x06;
  const auto* bytes = reinterpret_cast<const uint8_t*>(block);
  ByteReader length(bytes, bytes + 10);
  const uint64_t count = length.uleb();
  ByteReader in(length.at(), length.at() + count);
  if (in.byte() != kBaseRegister0 + arch::kFramePointer) return false;
  offset = in.sleb();
  if (dereferences && in.byte() != kDereference) return false;
  return in.ok() && in.at_end();
}

Rule realigned_rule(const CfiRow& row) {
  const Rule complex = Rule::special(RuleKind::complex);
  int64_t cfa_slot = 0, saved_slot = 0;
  if (!arch::kFramePointerMayStay || !row.cfa.is_expression) return complex;
  if (row.where[arch::kFramePointer] != Where::at_expression) return complex;
  if (!is_frame_pointer_based(row.cfa.value, true, cfa_slot)) return complex;
  if (!is_frame_pointer_based(row.value[arch::kFramePointer], false, saved_slot)) return complex;
  const uint32_t n = words(-cfa_slot, 1, Rule::kMostCfa), k = words(-saved_slot, 0, Rule::kMostSaved);
  if (n == 0 || (k == 0 && saved_slot != 0)) return complex;
  return Rule::realigned(n, k);
}

}  // namespace

Rule rule_from_row(const CfiRow& row, const FrameDescription& description) {
  const Rule complex = Rule::special(RuleKind::complex);
  const unsigned return_column = description.return_column;
  if (description.is_signal_frame) return complex;
  if (row.where[return_column] == Where::undefined) return Rule::special(RuleKind::outermost);
  if (row.where[return_column] != Where::at_offset) return complex;
  if (row.where[arch::kStackPointer] != Where::unsaved) return complex;

  const Where frame_pointer = row.where[arch::kFramePointer];
  const int64_t saved = row.value[arch::kFramePointer];
  if (!arch::plain_return_offset(row.value[return_column], saved)) return complex;
  if (row.cfa.is_expression) return realigned_rule(row);

  const bool from_frame_pointer = row.cfa.base == arch::kFramePointer;
  if (!from_frame_pointer && row.cfa.base != arch::kStackPointer) return complex;
  const uint32_t n = words(row.cfa.value, 1, Rule::kMostCfa);
  if (n == 0) return complex;
  if (frame_pointer == Where::unsaved && arch::kFramePointerMayStay) {
    return Rule::plain(from_frame_pointer, n, Rule::kKeepsFramePointer);
  }
  if (frame_pointer != Where::at_offset) return complex;
  const uint32_t k = words(-saved, Rule::kKeepsFramePointer + 1, Rule::kMostSaved);
  return k == 0 ? complex : Rule::plain(from_frame_pointer, n, k);
}

}  // namespace memprof
