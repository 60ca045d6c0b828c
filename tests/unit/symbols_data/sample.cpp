// A small shared object with DWARF for the tests of the symbolizer, which patch copies of it. Built with -g.
//
// Two sections are not for this file but for its patched copies:
// .xxx_debuglink becomes .gnu_debuglink, which names the debug file "sample.debug" (its checksum is patched in too),
// and .xxx_debugaltlink becomes .gnu_debugaltlink, which names a dwz file that does not exist.
asm(R"(
  .section .xxx_debuglink, "", @progbits
  .asciz "sample.debug"
  .balign 4
  .long 0
  .section .xxx_debugaltlink, "", @progbits
  .asciz "no-such-dwz-file"
  .ascii "0123456789abcdefghij"
  .text
)");

extern "C" int sample_leaf(int value) { return value + 1; }

namespace sample {

namespace {
[[gnu::always_inline]] inline int innermost(int value) {
  return sample_leaf(value) * 3;  // innermost line
}
}  // namespace

struct Shape {
  int sides = 3;
  [[gnu::always_inline]] int area(int value) const {
    return innermost(value) + sides;  // area line
  }
};

[[gnu::noinline]] int outer(const Shape& shape, int value) {
  return shape.area(value) - 1;  // outer line
}

}  // namespace sample
