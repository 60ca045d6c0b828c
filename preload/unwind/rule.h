// How to step out of the frame at one address, in 29 bits; and the per-thread table of them.
//
//   bit  0      not plain
//   bit  1      CFA = frame pointer + 8n, else stack pointer + 8n
//   bits 2-15   n
//   bits 16-26  k: the frame pointer is saved at CFA - 8k; kKeepsFramePointer: it is not saved
//   bits 27-28  what it is, where not plain
//
// A plain rule's return address lies where arch::return_slot says; this is checked against the CFI when the rule is
// made. A realigned rule is what gcc writes for a function that aligns its stack (DRAP): CFA = [frame pointer - 8n],
// and the frame pointer is saved at frame pointer - 8k.
#pragma once

#include <stdint.h>

#include "unwind/arch.h"
#include "unwind/cfi_program.h"
#include "unwind/frame.h"

namespace memprof {

enum class RuleKind : uint8_t { outermost, no_data, realigned, complex };

class Rule {
 public:
  // Saved where the return address is: impossible, so it can stand for "not saved", and a load there is always allowed.
  static constexpr uint32_t kKeepsFramePointer = 1;
  static constexpr uint32_t kMostCfa = (1u << 14) - 1, kMostSaved = (1u << 11) - 1;
  static constexpr unsigned kBits = 29;

  constexpr explicit Rule(uint64_t bits) : bits_(static_cast<uint32_t>(bits) & ((1u << kBits) - 1)) {}
  static constexpr Rule plain(bool from_frame_pointer, uint32_t n, uint32_t k) {
    return Rule(uint64_t{from_frame_pointer} << 1 | n << 2 | k << 16);
  }
  static constexpr Rule realigned(uint32_t n, uint32_t k) {
    return Rule(1 | n << 2 | k << 16 | uint64_t{static_cast<uint8_t>(RuleKind::realigned)} << 27);
  }
  static constexpr Rule special(RuleKind kind) { return Rule(1 | uint64_t{static_cast<uint8_t>(kind)} << 27); }

  constexpr bool is_plain() const { return (bits_ & 1) == 0; }
  constexpr bool from_frame_pointer() const { return (bits_ & 2) != 0; }
  constexpr uintptr_t cfa_offset() const { return (bits_ >> 2 & kMostCfa) * 8; }
  constexpr uintptr_t saved_below_cfa() const { return (bits_ >> 16 & kMostSaved) * 8; }
  constexpr bool keeps_frame_pointer() const { return (bits_ >> 16 & kMostSaved) == kKeepsFramePointer; }
  constexpr RuleKind kind() const { return static_cast<RuleKind>(bits_ >> 27 & 3); }
  constexpr bool is_special(RuleKind which) const { return !is_plain() && kind() == which; }
  constexpr uint32_t bits() const { return bits_; }
  constexpr BpUse bp_use() const {
    if (!is_plain()) return kind() == RuleKind::outermost ? BpUse::reloads : BpUse::reads;
    return from_frame_pointer() ? BpUse::reads : keeps_frame_pointer() ? BpUse::keeps : BpUse::reloads;
  }

 private:
  uint32_t bits_;
};

// The rule that a row of CFI comes to; complex where it does not fit.
Rule rule_from_row(const CfiRow& row, const FrameDescription& description);

// Two-way: two places an address, the newer rule first. The tag is exact: together with the entry's place it is the
// whole address, so a hit is never a guess. An entry is written by one 8-byte store: a signal handler finds it whole.
class RuleTable {
 public:
  static constexpr unsigned kIndexBits = 12;

  // The entry for `pc`: is_hit() tells whether it is really its own.
  struct Entry {
    uint64_t word;
    uint64_t tag;
    bool is_hit() const { return word >> Rule::kBits == tag; }
    Rule rule() const { return Rule(word); }
  };
  Entry look_up(uintptr_t pc) const {
    const uintptr_t key = pc >> arch::kCodeAlignBits;
    const uint64_t* places = entries_[index_of(key)];
    const Entry newer{places[0], key >> kIndexBits};
    return __builtin_expect(newer.is_hit(), 1) ? newer : Entry{places[1], newer.tag};
  }
  void insert(uintptr_t pc, Rule rule) {
    const uintptr_t key = pc >> arch::kCodeAlignBits;
    if (pc >> arch::kCodeBits != 0 || key >> kIndexBits == 0) return;
    uint64_t* places = entries_[index_of(key)];
    places[1] = places[0];
    places[0] = uint64_t{key >> kIndexBits} << Rule::kBits | rule.bits();
  }
  void forget() {
    for (auto& places : entries_) places[0] = places[1] = 0;
  }

 private:
  static_assert(arch::kCodeBits - arch::kCodeAlignBits - kIndexBits <= 64 - Rule::kBits, "the tag must be exact");

  // Invertible when the upper bits are known. Folding them in spreads call sites at equal page offsets.
  static uintptr_t index_of(uintptr_t key) { return (key ^ key >> kIndexBits) & ((1u << kIndexBits) - 1); }

  // 0: empty. It hits for an address below 4096, which is no code; its rule makes no progress, so the walk gives up.
  uint64_t entries_[1u << kIndexBits][2];
};

}  // namespace memprof
