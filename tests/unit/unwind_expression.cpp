#include <catch2/catch.hpp>

#include <cstring>
#include <vector>

#include "unwind/dwarf_expression.h"
#include "unwind_bytes.h"

using namespace memprof;

namespace {

struct Outcome {
  Evaluation evaluation;
  uintptr_t value;
};

Outcome run(const Bytes& expression, const Registers& registers = {}, ExpressionStart start = {false, 0}) {
  Bytes block{static_cast<uint8_t>(expression.size())};
  block.insert(block.end(), expression.begin(), expression.end());
  block.resize(block.size() + 16);
  ReadablePages pages{};
  Outcome out{Evaluation::failed, 0};
  out.evaluation = evaluate(block.data(), registers, start, pages, out.value);
  return out;
}
uintptr_t value_of(const Bytes& expression) {
  const Outcome out = run(expression);
  CHECK(out.evaluation == Evaluation::done);
  return out.value;
}
bool fails(const Bytes& expression) { return run(expression).evaluation == Evaluation::failed; }

Bytes address(const void* at) {
  Bytes out{0x03};
  const auto word = reinterpret_cast<uintptr_t>(at);
  for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<uint8_t>(word >> 8 * i));
  return out;
}

}  // namespace

TEST_CASE("constants of every width and sign", "[unwind][expression]") {
  CHECK(value_of({0x30}) == 0);
  CHECK(value_of({0x4f}) == 31);
  CHECK(value_of({0x08, 0xff}) == 255);
  CHECK(value_of({0x09, 0xff}) == ~uintptr_t{0});
  CHECK(value_of({0x0a, 0xfe, 0xff}) == 0xfffe);
  CHECK(value_of({0x0b, 0xfe, 0xff}) == ~uintptr_t{1});
  CHECK(value_of({0x0c, 1, 0, 0, 0x80}) == 0x80000001);
  CHECK(value_of({0x0d, 1, 0, 0, 0x80}) == 0xffffffff80000001);
  CHECK(value_of({0x10, 0x80, 0x01}) == 128);
  CHECK(value_of({0x11, 0x40}) == ~uintptr_t{63});
}

TEST_CASE("arithmetic takes the lower operand on the left", "[unwind][expression]") {
  CHECK(value_of({0x39, 0x33, 0x1c}) == 6);                    // 9 - 3
  CHECK(value_of({0x39, 0x34, 0x1d}) == 1);                    // 9 % 4
  CHECK(value_of({0x09, 0xf7, 0x33, 0x1b}) == ~uintptr_t{2});  // -9 / 3, signed
  CHECK(value_of({0x33, 0x35, 0x1e}) == 15);
  CHECK(value_of({0x31, 0x34, 0x24}) == 16);
  CHECK(value_of({0x09, 0xf0, 0x34, 0x26}) == ~uintptr_t{0});  // arithmetic shift
  CHECK(value_of({0x3c, 0x3a, 0x1a}) == 8);
  CHECK(value_of({0x3c, 0x3a, 0x21}) == 14);
  CHECK(value_of({0x3c, 0x3a, 0x27}) == 6);
  CHECK(value_of({0x32, 0x1f}) == ~uintptr_t{1});
  CHECK(value_of({0x30, 0x20}) == ~uintptr_t{0});
  CHECK(value_of({0x09, 0x80, 0x19}) == 128);
  CHECK(value_of({0x30, 0x23, 0x80, 0x01}) == 128);
  CHECK(value_of({0x09, 0xff, 0x31, 0x2d}) == 1);  // -1 < 1, signed
}

TEST_CASE("the stack is moved about", "[unwind][expression]") {
  CHECK(value_of({0x31, 0x32, 0x12, 0x22}) == 4);     // dup
  CHECK(value_of({0x31, 0x32, 0x13}) == 1);           // drop
  CHECK(value_of({0x31, 0x32, 0x14}) == 1);           // over
  CHECK(value_of({0x31, 0x32, 0x33, 0x15, 2}) == 1);  // pick
  CHECK(value_of({0x31, 0x32, 0x16}) == 1);           // swap
  CHECK(value_of({0x31, 0x32, 0x33, 0x17}) == 2);     // rot: 3 1 2
  CHECK(value_of({0x31, 0x32, 0x33, 0x17, 0x13, 0x13}) == 3);
}

TEST_CASE("branches go where they should, and loops end", "[unwind][expression]") {
  CHECK(value_of({0x31, 0x2f, 1, 0, 0x4f}) == 1);  // skips the 31
  CHECK(value_of({0x31, 0x31, 0x28, 1, 0, 0x4f}) == 1);
  CHECK(value_of({0x31, 0x30, 0x28, 1, 0, 0x4f}) == 31);
  CHECK(fails({0x30, 0x2f, 0xfd, 0xff}));  // jumps to itself
  CHECK(fails({0x30, 0x2f, 100, 0}));
}

TEST_CASE("a register is read if it is known", "[unwind][expression]") {
  Registers registers{};
  registers.set(6, 1000);
  CHECK(run({0x76, 0x78}, registers).value == 992);
  CHECK(run({0x92, 6, 8}, registers).value == 1008);
  CHECK(run({0x73, 0}, registers).evaluation == Evaluation::unknown_register);
  CHECK(run({0x92, 0x80, 0x08, 0}, registers).evaluation == Evaluation::unknown_register);
}

TEST_CASE("memory is read only where there is some", "[unwind][expression]") {
  alignas(8) const uint64_t words[2] = {0x8877665544332211, 7};
  CHECK(value_of(address(words) + Bytes{0x06}) == words[0]);
  CHECK(value_of(address(&words[1]) + Bytes{0x06}) == 7);
  CHECK(value_of(address(words) + Bytes{0x23, 2, 0x94, 2}) == 0x4433);
  CHECK(fails({0x31, 0x06}));
  CHECK(fails({0x30, 0x06}));
  CHECK(fails({0x09, 0xf8, 0x06}));
}

TEST_CASE("it starts with what the stack holds", "[unwind][expression]") {
  CHECK(run({0x23, 8}, {}, {true, 100}).value == 108);
  CHECK(run({}, {}, {true, 100}).value == 100);
}

TEST_CASE("malformed expressions fail", "[unwind][expression]") {
  CHECK(fails({}));
  CHECK(fails({0x22}));
  CHECK(fails({0x31, 0x22}));
  CHECK(fails({0x08}));
  CHECK(fails({0xe0}));
  CHECK(fails({0x31, 0x30, 0x1b}));
  CHECK(fails({0x31, 0x30, 0x1d}));
  CHECK(fails(Bytes(40, 0x31)));
}
