#include <catch2/catch.hpp>

#include <string>

#include "symbols/demangle.h"

using memprof::demangle;
using memprof::without_symbol_version;

TEST_CASE("C++ names are demangled", "[symbols]") {
  CHECK(demangle("_ZN3foo3barEv") == "foo::bar()");
  CHECK(demangle("_ZN3FooC4Ev") == "Foo::Foo()");  // what DWARF calls a constructor
  CHECK(demangle("_ZNKSt6vectorIiSaIiEE4sizeEv") == "std::vector<int, std::allocator<int> >::size() const");
  CHECK(demangle("_ZN12_GLOBAL__N_14workEi") == "(anonymous namespace)::work(int)");
  CHECK(demangle("_Znwm") == "operator new(unsigned long)");
  CHECK(demangle("_ZZ4mainENKUlvE_clEv") == "main::{lambda()#1}::operator()() const");
  CHECK(demangle("_ZN3foo3barEv.cold") == "foo::bar() [clone .cold]");
  CHECK(demangle("_ZThn16_N1C1fEv") == "non-virtual thunk to C::f()");
}

TEST_CASE("Rust names are demangled without their hash", "[symbols]") {
  CHECK(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE") == "core::fmt::Write::write_fmt");
  CHECK(demangle("_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h1a2b3c4d5e6f7890E") ==
        "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop");
  CHECK(demangle("_RNvNtCs1234_7mycrate3foo3bar") == "mycrate::foo::bar");
  CHECK(demangle("_RNvC6_123foo3bar") == "123foo::bar");
  CHECK(demangle("_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE") ==
        "std::mem::align_of::<std::mem::Discriminant>");
  CHECK(demangle("_RNCNvCs4fqI2P2rA04_7mycrate4main0B3_") == "mycrate::main::{closure#0}");
}

// The sanitizer's build notices: a null pointer was given to memcpy.
TEST_CASE("a Rust name with an empty part does no harm", "[symbols]") {
  CHECK(demangle("_RNvC024_7mycrate3foo") == "_RNvC024_7mycrate3foo");
}

TEST_CASE("names that are not mangled stay as they are", "[symbols]") {
  for (const std::string name : {"", "main", "_init", "__libc_start_main", "_Z", "_ZN", "_ZN3foo", "_R", "_RNv",
                                 "Z3foov", "_ZN3foo17h0123456789abcdef", "a b;c\n", "_GLOBAL_offset"})
    CHECK(demangle(name) == name);
}

TEST_CASE("a long C++ name is demangled, one without end is not", "[symbols]") {
  std::string mangled = "_Z1f", readable = "f(";
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    mangled += "70" + std::string(70, letter);
    readable += std::string(70, letter) + (letter == 'z' ? ")" : ", ");
  }
  CHECK(demangle(mangled) == readable);

  const std::string too_long = "_Z1f" + std::string(100000, 'P') + "i";
  CHECK(demangle(too_long) == too_long);
}

TEST_CASE("a name that doubles with each back reference is left alone", "[symbols]") {
  const std::string digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string bomb = "_Z1f1pIiiE";  // S_ is p, S0_ is p<int, int>, S1_ a pair of those, ...
  for (const char digit : digits) bomb += std::string("S_IS") + digit + "_S" + digit + "_E";
  CHECK(demangle(bomb) == bomb);
}

TEST_CASE("deeply nested names neither crash nor hang", "[symbols]") {
  for (const std::string unit : {"F", "DpP", "N1aI", "XadL", "A1_", "M1a", "I", "Xsz", "Xcl"}) {
    std::string name = "_Z1fI";
    while (name.size() + unit.size() <= 4096) name += unit;
    CHECK_FALSE(demangle(name).empty());
  }
  for (const std::string unit : {"NvC", "INv", "TT", "FF", "RR", "NC", "B_"}) {
    std::string name = "_RINvC1a1b";
    while (name.size() + unit.size() <= 4096) name += unit;
    CHECK_FALSE(demangle(name).empty());
  }
}

TEST_CASE("a symbol's version is not part of its name", "[symbols]") {
  CHECK(without_symbol_version("memcpy@@GLIBC_2.14") == "memcpy");
  CHECK(without_symbol_version("memcpy@GLIBC_2.2.5") == "memcpy");
  CHECK(without_symbol_version("memcpy") == "memcpy");
  CHECK(without_symbol_version("@x") == "@x");
  CHECK(without_symbol_version("").empty());
}
