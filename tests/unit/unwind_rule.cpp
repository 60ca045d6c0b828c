#include <catch2/catch.hpp>

#include <memory>

#include "unwind/rule.h"

using namespace memprof;

TEST_CASE("a plain rule keeps what it is given", "[unwind][rule]") {
  for (const uint32_t n : {1u, 2u, 77u, Rule::kMostCfa}) {
    for (const uint32_t k : {Rule::kKeepsFramePointer, 2u, 9u, Rule::kMostSaved}) {
      for (const bool from_frame_pointer : {false, true}) {
        const Rule rule = Rule::plain(from_frame_pointer, n, k);
        CHECK(rule.is_plain());
        CHECK(rule.from_frame_pointer() == from_frame_pointer);
        CHECK(rule.cfa_offset() == n * 8);
        CHECK(rule.saved_below_cfa() == k * 8);
        CHECK(rule.keeps_frame_pointer() == (k == Rule::kKeepsFramePointer));
        CHECK(rule.bits() >> Rule::kBits == 0);
      }
    }
  }
}

TEST_CASE("a rule that is not plain keeps its kind", "[unwind][rule]") {
  for (const RuleKind kind : {RuleKind::outermost, RuleKind::no_data, RuleKind::realigned, RuleKind::complex}) {
    CHECK_FALSE(Rule::special(kind).is_plain());
    CHECK(Rule::special(kind).kind() == kind);
  }
  CHECK(Rule::realigned(3, 0).kind() == RuleKind::realigned);
  CHECK(Rule::realigned(3, 0).cfa_offset() == 24);
  CHECK(Rule::realigned(3, 0).saved_below_cfa() == 0);
}

TEST_CASE("an address is found by itself alone", "[unwind][rule]") {
  const auto table = std::make_unique<RuleTable>();
  const uintptr_t pc = 0x7f12'3456'7895;
  CHECK_FALSE(table->look_up(pc).is_hit());
  table->insert(pc, Rule::plain(true, 2, 2));
  REQUIRE(table->look_up(pc).is_hit());
  CHECK(table->look_up(pc).rule().bits() == Rule::plain(true, 2, 2).bits());
  // All addresses that differ in one bit, and all that share its entry by differing in two.
  const unsigned align = 1u << arch::kCodeAlignBits;
  for (unsigned bit = arch::kCodeAlignBits; bit < arch::kCodeBits; ++bit) {
    CHECK_FALSE(table->look_up(pc ^ uintptr_t{1} << bit).is_hit());
    for (unsigned other = 0; other < bit; ++other) {
      const uintptr_t neighbour = pc ^ uintptr_t { 1 } << bit ^ uintptr_t { 1 } << other;
      if ((neighbour ^ pc) >= align) CHECK_FALSE(table->look_up(neighbour).is_hit());
    }
  }
}

TEST_CASE("of three addresses with one place the two later ones stay", "[unwind][rule]") {
  const auto table = std::make_unique<RuleTable>();
  // The same place under another tag: a tag bit flipped, and the index bit that it is folded into.
  const auto rival = [](uintptr_t pc, unsigned bit) {
    const uintptr_t index_bit = uintptr_t{1} << bit << arch::kCodeAlignBits;
    return pc ^ index_bit ^ index_bit << RuleTable::kIndexBits;
  };
  const uintptr_t first = 0x5555'0000'1230, second = rival(first, 0), third = rival(first, 1);
  table->insert(first, Rule::plain(false, 2, 1));
  table->insert(second, Rule::plain(false, 3, 1));
  CHECK(table->look_up(first).rule().cfa_offset() == 16);
  CHECK(table->look_up(second).rule().cfa_offset() == 24);
  table->insert(third, Rule::plain(false, 4, 1));
  CHECK_FALSE(table->look_up(first).is_hit());
  CHECK(table->look_up(second).rule().cfa_offset() == 24);
  CHECK(table->look_up(third).rule().cfa_offset() == 32);
  table->forget();
  CHECK_FALSE(table->look_up(second).is_hit());
  CHECK_FALSE(table->look_up(third).is_hit());
}

TEST_CASE("addresses that no tag can hold are not stored", "[unwind][rule]") {
  const auto table = std::make_unique<RuleTable>();
  for (const uintptr_t pc : {uintptr_t{1} << arch::kCodeBits, ~uintptr_t{15}}) {
    table->insert(pc, Rule::plain(false, 2, 1));
    CHECK_FALSE(table->look_up(pc).is_hit());
  }
}

#if defined(__x86_64__)
namespace {

constexpr FrameDescription kDescription{0, 0, 1, -8, 16, 0, false, {nullptr, nullptr}, {nullptr, nullptr}};

CfiRow row(unsigned base, int64_t offset) {
  CfiRow out{};
  for (unsigned i = 0; i < arch::kColumns; ++i) out.where[i] = Where::unsaved;
  out.cfa = {false, base, offset};
  out.where[16] = Where::at_offset;
  out.value[16] = -8;
  return out;
}
CfiRow with(CfiRow row, unsigned column, Where where, int64_t value) {
  row.where[column] = where;
  row.value[column] = value;
  return row;
}
bool is_complex(const CfiRow& row) {
  const Rule rule = rule_from_row(row, kDescription);
  return !rule.is_plain() && rule.kind() == RuleKind::complex;
}

}  // namespace

TEST_CASE("usual rows become plain rules", "[unwind][rule]") {
  const Rule leaf = rule_from_row(row(7, 8), kDescription);
  CHECK(leaf.bits() == Rule::plain(false, 1, Rule::kKeepsFramePointer).bits());
  const Rule framed = rule_from_row(with(row(6, 16), 6, Where::at_offset, -16), kDescription);
  CHECK(framed.bits() == Rule::plain(true, 2, 2).bits());
}

TEST_CASE("a return address is not taken to be where it usually is", "[unwind][rule]") {
  CHECK(is_complex(with(row(7, 24), 16, Where::at_offset, -16)));
  CHECK(is_complex(with(row(7, 24), 16, Where::in_register, 0)));
  CHECK(is_complex(with(row(7, 24), 16, Where::unsaved, 0)));
  const Rule end = rule_from_row(with(row(7, 8), 16, Where::undefined, 0), kDescription);
  CHECK(end.kind() == RuleKind::outermost);
}

TEST_CASE("rows that a plain rule cannot say are complex", "[unwind][rule]") {
  CHECK(is_complex(row(3, 16)));                                 // CFA from another register
  CHECK(is_complex(row(7, 12)));                                 // not in words
  CHECK(is_complex(row(7, 0)));                                  // no progress
  CHECK(is_complex(row(7, (int64_t{Rule::kMostCfa} + 1) * 8)));  // too large
  CHECK(is_complex(with(row(7, 64), 6, Where::at_offset, -8)));  // over the return address
  CHECK(is_complex(with(row(7, 64), 6, Where::at_offset, 8)));   // above the frame
  CHECK(is_complex(with(row(7, 64), 6, Where::undefined, 0)));
  CHECK(is_complex(with(row(7, 64), 6, Where::is_offset, 0)));
  CHECK(is_complex(with(row(7, 64), 7, Where::at_offset, -16)));  // the stack pointer itself is saved
  FrameDescription signal = kDescription;
  signal.is_signal_frame = true;
  CHECK(rule_from_row(row(7, 8), signal).kind() == RuleKind::complex);
}

TEST_CASE("gcc's expressions for a realigned frame are recognised, others are not", "[unwind][rule]") {
  const auto block = [](const uint8_t* bytes) { return reinterpret_cast<int64_t>(bytes); };
  static const uint8_t cfa[] = {3, 0x76, 0x78, 0x06};  // breg6 -8, deref
  static const uint8_t saved[] = {2, 0x76, 0};         // breg6 0
  static const uint8_t longer[] = {4, 0x76, 0x78, 0x06, 0x96};
  static const uint8_t by_rbx[] = {3, 0x73, 0x78, 0x06};
  CfiRow realigned = with(row(7, 8), 6, Where::at_expression, block(saved));
  realigned.cfa = {true, arch::kColumns, block(cfa)};
  CHECK(rule_from_row(realigned, kDescription).bits() == Rule::realigned(1, 0).bits());
  realigned.cfa.value = block(longer);
  CHECK(is_complex(realigned));
  realigned.cfa.value = block(by_rbx);
  CHECK(is_complex(realigned));
}
#endif
