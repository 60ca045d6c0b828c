#include <catch2/catch.hpp>

#include "model/fingerprint.h"
#include "model/fingerprint_match.h"
#include "model/fingerprint_name.h"

using namespace memprof;

namespace {

std::string text(Fingerprinter& names, const std::vector<NamedFrame>& frames, bool is_truncated = false) {
  return names.text_of(names.fingerprint(frames, "/bin/app", is_truncated), " ");
}

Fingerprint chain(Fingerprinter& names, const std::vector<std::string>& functions) {
  std::vector<NamedFrame> frames;
  for (const std::string& function : functions) frames.push_back({function, "/bin/app"});
  return names.fingerprint(frames, "/bin/app", false);
}

}  // namespace

TEST_CASE("a function's canonical name has no types, no numbers and no suffixes", "[diff]") {
  const std::pair<const char*, const char*> cases[] = {
      {"main", "main"},
      {"load(std::string const&, int)", "load"},
      {"load", "load"},
      {"int* make<int, (anonymous namespace)::Tag>(std::vector<int, std::allocator<int> >&)", "make"},
      {"std::vector<int, std::allocator<int> >::push_back(int&&)", "std::vector::push_back"},
      {"std::__cxx11::basic_string<char>::reserve(unsigned long)", "std::basic_string::reserve"},
      {"(anonymous namespace)::Hidden::Hidden(unsigned long)", "(anonymous namespace)::Hidden::Hidden"},
      {"main::{lambda(int)#3}::operator()(int) const", "{lambda}"},
      {"main::$_12::operator()(int) const", "{lambda}"},
      {"run(int)::{lambda()#1}::operator()() const::{lambda()#2}::operator()() const", "{lambda}"},
      {"operator()", "{lambda}"},
      {"main::{lambda(int)#3}::_FUN(int)", "{lambda}"},
      {"Compare::operator()(int) const", "Compare::operator()"},
      {"Outer<int>::run(int) const::Local::go()", "Outer::run::Local::go"},
      {"shapes::operator<(shapes::Shape const&, unsigned long)", "shapes::operator<"},
      {"std::ostream& operator<< <char>(std::ostream&, char)", "operator<<"},
      {"Big::operator->() const", "Big::operator->"},
      {"operator new[](unsigned long)", "operator new[]"},
      {"operator new(unsigned long, std::align_val_t)", "operator new"},
      {"Value::operator std::vector<int>() const", "Value::operator std::vector"},
      {"bool f<(1>2)>(int)", "f"},
      {"decltype(auto) visit<int>(int)", "visit"},
      {"decltype (f(1)) later<int>(int)", "later"},
      {"name[abi:cxx11](int)", "name"},
      {"helper.constprop.0.isra.0.cold", "helper"},
      {"helper(int) [clone .part.0] [clone .cold]", "helper"},
      {"helper.llvm.1234567890", "helper"},
      {"counter.3", "counter"},
      {"main.main", "main.main"},
      {"_GLOBAL__sub_I_places.cpp", "(static initialization)"},
      {"__static_initialization_and_destruction_0(int, int)", "(static initialization)"},
      {"__cxx_global_var_init.7", "(static initialization)"},
      {"app::run::{closure#2}", "app::run::{closure}"},
      {"app::run::{{closure}}", "app::run::{closure}"},
      {"<alloc::vec::Vec<u8> as core::clone::Clone>::clone", "<alloc::vec::Vec as core::clone::Clone>::clone"},
      {"core::iter::collect::<alloc::vec::Vec<u8>>", "core::iter::collect"},
      {"", ""},
      {"((((", "("},
      {"a<b<c", "a"},
      {"{", "{}"},
  };
  for (const auto& [given, wanted] : cases) {
    CAPTURE(given);
    CHECK(canonical_function(given) == wanted);
  }
  CHECK(canonical_module("/usr/lib/libfoo.so.1.2.3") == "libfoo.so");
  CHECK(canonical_module("libfoo-2.so") == "libfoo-2.so");
}

TEST_CASE("any bytes have a canonical name", "[diff]") {
  uint64_t state = 1;
  const std::string letters = "<>(){}[]:: operatorlambda$_#0.~*&\"-\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string name;
    for (int i = 0; i < 24; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      name += letters[(state >> 33) % letters.size()];
    }
    CHECK(canonical_function(name).size() <= 3 * name.size());
  }
}

TEST_CASE("a fingerprint does not show inlining, recursion, start-up code or the library's own calls", "[diff]") {
  Fingerprinter names;
  const std::vector<NamedFrame> plain = {{"make(int)", "/bin/app"}, {"main", "/bin/app"}};
  CHECK(text(names, plain) == "make main");
  // Statically linked libstdc++, clones and start-up code of any C library.
  CHECK(text(names, {{"operator new(unsigned long)", "/bin/app"},
                     {"make(int) [clone .part.0]", "/bin/app"},
                     {"make(int)", "/bin/app"},
                     {"main", "/bin/app"},
                     {"__libc_start_call_main", "/lib/libc.so.6"},
                     {"", "/lib/libc.so.6"},
                     {"_start", "/bin/app"}}) == "make main");
  CHECK(text(names, {{"std::allocator<int>::allocate(unsigned long)", "/bin/app"},
                     {"", "/usr/lib/libstdc++.so.6"},
                     {"std::vector<int>::push_back(int)", "/bin/app"},
                     {"main", "/bin/app"}}) == "std::vector::push_back main");
  for (const int depth : {1, 2, 7}) {
    std::vector<NamedFrame> direct, mutual;
    for (int i = 0; i < depth; ++i) {
      direct.push_back({"walk(Node*)", "/bin/app"});
      mutual.push_back({"even", "/bin/app"});
      mutual.push_back({"odd", "/bin/app"});
    }
    direct.push_back({"main", "/bin/app"});
    mutual.push_back({"main", "/bin/app"});
    CHECK(text(names, direct) == "walk main");
    CHECK(text(names, mutual) == "even odd main");
  }
  // No symbols: the module, never an address; the program whatever its file is called.
  CHECK(text(names, {{"", "/opt/libx.so.1"}, {"", "/opt/libx.so.1"}, {"", "/bin/app"}, {"", ""}}) ==
        "(libx.so) (program) (unknown)");
  CHECK(text(names, {{"__GI___strdup", "/lib/libc.so.6"}, {"main", "/bin/app"}}) == "strdup main");
  CHECK(text(names, plain, true) == "make main (truncated)");
  CHECK(names.fingerprint(plain, "", false).hash != names.fingerprint(plain, "", true).hash);
}

TEST_CASE("the hash of a fingerprint is fixed: baselines hold it", "[diff]") {
  Fingerprinter names;
  const Fingerprint fingerprint = chain(names, {"make(int)", "main"});
  Fingerprinter others;
  chain(others, {"other", "names", "before"});
  CHECK(chain(others, {"make", "main"}).hash == fingerprint.hash);
  CHECK(fingerprint_text(fingerprint.hash).size() == 16);
  CHECK(fingerprint_text(1) == "0000000000000001");
}

TEST_CASE("a weaker match needs much in common, a similar size and no rival", "[diff]") {
  Fingerprinter names;
  const Fingerprint old_stack = chain(names, {"make", "load", "open", "run", "main"});
  const Fingerprint renamed = chain(names, {"make", "load", "open_file", "run", "main"});
  const Fingerprint jumped = chain(names, {"load", "open", "run", "main"});
  const Fingerprint other = chain(names, {"free_list", "run", "main"});
  bool is_complete = false;
  const auto match = [&](std::vector<MatchCandidate> olds, std::vector<MatchCandidate> news) {
    return match_weakly(olds, news, &is_complete);
  };
  const auto found = match({{&old_stack, 100}}, {{&renamed, 100}, {&other, 100}});
  REQUIRE(found.size() == 1);
  CHECK(found[0].old_index == 0);
  CHECK(found[0].new_index == 0);
  CHECK(found[0].similarity == Approx(0.8));
  CHECK(is_complete);
  CHECK(match({{&old_stack, 100}}, {{&jumped, 100}}).size() == 1);
  CHECK(match({{&old_stack, 100}}, {{&renamed, 900}}).empty());
  CHECK(match({{&old_stack, 100}}, {{&other, 100}}).empty());
  // Two as good: neither.
  const Fingerprint rival = chain(names, {"make", "load", "open_url", "run", "main"});
  CHECK(match({{&old_stack, 100}}, {{&renamed, 100}, {&rival, 100}}).empty());
}
