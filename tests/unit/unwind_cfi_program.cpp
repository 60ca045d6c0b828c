#include <catch2/catch.hpp>

#include <vector>

#include "unwind/cfi_program.h"

using namespace memprof;

namespace {

using Bytes = std::vector<uint8_t>;

// Code at 0x1000, code_align 1, data_align -8.
struct Run {
  CfiScratch scratch{};
  bool understood;

  Run(const Bytes& cie, const Bytes& fde, uintptr_t code) {
    FrameDescription description{};
    description.code_begin = 0x1000;
    description.code_end = 0x2000;
    description.code_align = 1;
    description.data_align = -8;
    description.return_column = 16;
    description.cie_instructions = {cie.data(), cie.data() + cie.size()};
    description.fde_instructions = {fde.data(), fde.data() + fde.size()};
    understood = run_cfi(description, code, scratch);
  }
  const CfiRow& row() const { return scratch.row; }
  bool is_saved(unsigned column, int64_t offset) const {
    return row().where[column] == Where::at_offset && row().value[column] == offset;
  }
};

const Bytes kUsual{0x0c, 7, 8, 0x90, 1};  // def_cfa r7 8; offset r16 at cfa-8

}  // namespace

TEST_CASE("a CIE's rules hold from the first instruction", "[unwind][cfi]") {
  const Run run(kUsual, {}, 0x1000);
  REQUIRE(run.understood);
  CHECK(run.row().cfa.base == 7);
  CHECK(run.row().cfa.value == 8);
  CHECK(run.is_saved(16, -8));
  CHECK(run.row().where[6] == Where::unsaved);
}

TEST_CASE("a row holds up to the address where the next begins", "[unwind][cfi]") {
  // advance 1; def_cfa_offset 16; offset r6 at cfa-16; advance 3; def_cfa_register r6
  const Bytes fde{0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6};
  CHECK(Run(kUsual, fde, 0x1000).row().cfa.value == 8);
  CHECK(Run(kUsual, fde, 0x1001).row().cfa.value == 16);
  CHECK(Run(kUsual, fde, 0x1001).is_saved(6, -16));
  CHECK(Run(kUsual, fde, 0x1003).row().cfa.base == 7);
  CHECK(Run(kUsual, fde, 0x1004).row().cfa.base == 6);
  CHECK(Run(kUsual, fde, 0x1fff).row().cfa.base == 6);
}

TEST_CASE("all ways to advance", "[unwind][cfi]") {
  const Bytes fde{0x02, 0x80, 0x0e, 16, 0x03, 0x00, 0x01, 0x0e, 24, 0x04, 0, 2, 0, 0, 0x0e, 32};
  CHECK(Run(kUsual, fde, 0x107f).row().cfa.value == 8);
  CHECK(Run(kUsual, fde, 0x1080).row().cfa.value == 16);
  CHECK(Run(kUsual, fde, 0x117f).row().cfa.value == 16);
  CHECK(Run(kUsual, fde, 0x1180).row().cfa.value == 24);
  CHECK(Run(kUsual, fde, 0x1380).row().cfa.value == 32);
  const Bytes set_location{0x01, 0x50, 0x10, 0, 0, 0, 0, 0, 0, 0x0e, 48};
  CHECK(Run(kUsual, set_location, 0x104f).row().cfa.value == 8);
  CHECK(Run(kUsual, set_location, 0x1050).row().cfa.value == 48);
}

TEST_CASE("a remembered state comes back with its CFA", "[unwind][cfi]") {
  const Bytes fde{0x0e, 16, 0x86, 2, 0x0a, 0x41, 0xc6, 0x0e, 8, 0x41, 0x0b};
  const Run between(kUsual, fde, 0x1001), after(kUsual, fde, 0x1002);
  CHECK(between.row().cfa.value == 8);
  CHECK(between.row().where[6] == Where::unsaved);
  CHECK(after.row().cfa.value == 16);
  CHECK(after.is_saved(6, -16));
}

TEST_CASE("remembering nests to a limit, and nothing comes back that was not remembered", "[unwind][cfi]") {
  Bytes fde(CfiScratch::kRemembered, 0x0a);
  CHECK(Run(kUsual, fde, 0x1000).understood);
  fde.push_back(0x0a);
  CHECK_FALSE(Run(kUsual, fde, 0x1000).understood);
  CHECK_FALSE(Run(kUsual, {0x0b}, 0x1000).understood);
}

TEST_CASE("restore gives the CIE's rule back", "[unwind][cfi]") {
  const Bytes cie{0x0c, 7, 8, 0x90, 1, 0x83, 5};
  CHECK(Run(cie, {0x83, 9}, 0x1000).is_saved(3, -72));
  CHECK(Run(cie, {0x83, 9, 0xc3}, 0x1000).is_saved(3, -40));
  CHECK(Run(cie, {0x83, 9, 0x06, 3}, 0x1000).is_saved(3, -40));
}

TEST_CASE("all ways to place a register", "[unwind][cfi]") {
  const Run run(kUsual,
                {0x05, 3, 4, 0x11, 12, 0x7e, 0x14, 13, 2, 0x15, 14, 0x7f, 0x07, 15, 0x08, 16, 0x09, 0, 1, 0x2f, 2, 3},
                0x1000);
  REQUIRE(run.understood);
  CHECK(run.is_saved(3, -32));
  CHECK(run.is_saved(12, 16));
  CHECK(run.row().where[13] == Where::is_offset);
  CHECK(run.row().value[13] == -16);
  CHECK(run.row().where[14] == Where::is_offset);
  CHECK(run.row().value[14] == 8);
  CHECK(run.row().where[15] == Where::undefined);
  CHECK(run.row().where[16] == Where::unsaved);
  CHECK(run.row().where[0] == Where::in_register);
  CHECK(run.row().value[0] == 1);
  CHECK(run.is_saved(2, 24));
}

TEST_CASE("expressions are kept where they are", "[unwind][cfi]") {
  const Bytes fde{0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0, 0x16, 3, 1, 0x30};
  const Run run(kUsual, fde, 0x1000);
  REQUIRE(run.understood);
  CHECK(run.row().cfa.is_expression);
  CHECK(reinterpret_cast<const uint8_t*>(run.row().cfa.value) == fde.data() + 1);
  CHECK(run.row().where[6] == Where::at_expression);
  CHECK(reinterpret_cast<const uint8_t*>(run.row().value[6]) == fde.data() + 7);
  CHECK(run.row().where[3] == Where::is_expression);
  // An offset means nothing to a CFA that is an expression.
  CHECK_FALSE(Run(kUsual, {0x0f, 1, 0x30, 0x0e, 8}, 0x1000).understood);
}

TEST_CASE("signed CFA forms, argument sizes and vector registers", "[unwind][cfi]") {
  CHECK(Run(kUsual, {0x12, 6, 0x7e}, 0x1000).row().cfa.value == 16);
  CHECK(Run(kUsual, {0x13, 0x7d}, 0x1000).row().cfa.value == 24);
  CHECK(Run(kUsual, {0x2e, 32}, 0x1000).row().cfa.value == 8);
  CHECK(Run(kUsual, {0x91, 4, 0x05, 0x80, 0x01, 2}, 0x1000).understood);
}

TEST_CASE("malformed programs are not understood", "[unwind][cfi]") {
  CHECK_FALSE(Run(kUsual, {0x3e}, 0x1000).understood);  // no such instruction
  CHECK_FALSE(Run(kUsual, {0x0e}, 0x1000).understood);  // operand missing
  CHECK_FALSE(Run(kUsual, {0x0c, 7}, 0x1000).understood);
  CHECK_FALSE(Run(kUsual, {0x0f, 9, 0x30}, 0x1000).understood);     // block longer than the program
  CHECK_FALSE(Run(kUsual, {0x0e, 0xff, 0xff}, 0x1000).understood);  // number without end
  CHECK_FALSE(Run(kUsual, {0x04, 1, 2}, 0x1000).understood);
}
