#include "unwind/way_out.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace memprof;

namespace {

Rule way_out(const std::vector<uint8_t>& code) { return find_way_out({code.data(), code.data() + code.size()}); }

bool same(Rule found, Rule expected) { return found.bits() == expected.bits(); }

const Rule kNone = Rule::special(RuleKind::no_data);

}  // namespace

TEST_CASE("a straight way out says where the return address lies", "[unwind]") {
  CHECK(same(way_out({0xc3}), Rule::plain(false, 1, 1)));
  CHECK(same(way_out({0x48, 0x83, 0xc4, 0x08, 0xc3}), Rule::plain(false, 2, 1)));                    // add $8
  CHECK(same(way_out({0x48, 0x81, 0xc4, 0x00, 0x01, 0, 0, 0xc3}), Rule::plain(false, 33, 1)));       // add $256
  CHECK(same(way_out({0x48, 0x83, 0xc4, 0x10, 0x5b, 0x41, 0x5c, 0xc3}), Rule::plain(false, 5, 1)));  // pop rbx, r12
  CHECK(same(way_out({0x48, 0x83, 0xc4, 0x10, 0x5d, 0xc3}), Rule::plain(false, 4, 2)));              // pop rbp
  CHECK(same(way_out({0x5b, 0x5d, 0x41, 0x5e, 0xc3}), Rule::plain(false, 4, 3)));                   // rbp in the middle
  CHECK(same(way_out({0xc9, 0xc3}), Rule::plain(true, 2, 2)));                                      // leave
  CHECK(same(way_out({0x48, 0x89, 0xd8, 0x0f, 0xb6, 0xc0, 0xc9, 0xc3}), Rule::plain(true, 2, 2)));  // moves before
}

TEST_CASE("any other way out says nothing", "[unwind]") {
  for (const std::vector<uint8_t>& code :
       std::vector<std::vector<uint8_t>>{{},
                                         {0x90},                          // the end of what may be read
                                         {0x85, 0xc0, 0x75, 0x00, 0xc3},  // a branch
                                         {0xe9, 0, 0, 0, 0, 0xc3},        // a jump
                                         {0xff, 0xd0, 0xc3},              // another call
                                         {0x53, 0x5b, 0xc3},              // push
                                         {0x48, 0x89, 0xec, 0x5d, 0xc3},  // mov %rbp to %rsp
                                         {0x48, 0x83, 0xec, 0x08, 0xc3},  // sub
                                         {0x48, 0x89, 0xc5, 0xc3},        // writes %rbp
                                         {0x5c, 0xc3},                    // pop %rsp
                                         {0xc2, 0x08, 0x00},              // ret $8
                                         {0x48, 0x83, 0xc4, 0x04, 0xc3},  // no whole word
                                         {0x5d, 0xc9, 0xc3},              // %rbp is gone before leave
                                         {0x06, 0xc3}}) {                 // no instruction
    CAPTURE(code);
    CHECK(same(way_out(code), kNone));
  }
}
