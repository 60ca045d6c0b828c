// What suppressions of both kinds hide, and what not; what is refused; what is written is read.
#include <catch2/catch.hpp>

#include <random>

#include <sys/stat.h>

#include "gate/suppressible_stack.h"
#include "gate/suppressions.h"
#include "gate/written_suppressions.h"
#include "memprof/trace_format.h"
#include "new_directory.h"

using namespace memprof;
using Catch::Matchers::Contains;

namespace {

Finding leak(std::vector<FindingFrame> frames, std::string allocator = "malloc",
             FindingKind kind = FindingKind::definite) {
  Finding finding;
  finding.kind = kind;
  finding.allocator = std::move(allocator);
  finding.frames = std::move(frames);
  finding.blocks = 2;
  finding.bytes = 100;
  return finding;
}

FindingFrame c_frame(std::string function, std::string module = "/app/prog") {
  return {.function = std::move(function), .module = std::move(module)};
}

// make<int> in ns::Factory, called by main through a library.
const std::vector<FindingFrame> kFrames = {
    {.function = "int* ns::Factory::make<int>(char const*)",
     .linkage_name = "_ZN2ns7Factory4makeIiEEPiPKc",
     .file = "../src/factory.cpp",
     .line = 12,
     .module = "/usr/lib/libfactory.so.1.2"},
    c_frame("register_all", "/usr/lib/libfactory.so.1.2"),
    {.module = "/usr/lib/libstripped.so.3", .offset = 0x10},
    c_frame("main"),
};

Suppressions parsed(std::string_view text) {
  Suppressions suppressions;
  REQUIRE(suppressions.add_text(text, "test.supp") == "");
  return suppressions;
}

std::string problem_of(std::string_view text) {
  Suppressions suppressions;
  std::string problem = suppressions.add_text(text, "test.supp");
  CHECK((problem.empty() || suppressions.empty()));
  return problem;
}

// Of valgrind's: one of leaks with these locations, one a line.
std::string supp(const std::string& locations, const std::string& fault = "Memcheck:Leak") {
  return "{\n  name\n  " + fault + "\n" + locations + "\n}\n";
}

bool hides(const std::string& locations, const Finding& finding) {
  return parsed(supp(locations)).match(finding).has_value();
}

bool lsan_hides(const std::string& pattern, const Finding& finding) {
  return parsed("leak:" + pattern + "\n").match(finding).has_value();
}

}  // namespace

TEST_CASE("a valgrind suppression is a pattern of the stack's inner end", "[suppressions]") {
  const Finding finding = leak(kFrames, "new");
  const std::string make = "fun:_ZN2ns7Factory4makeIiEEPiPKc";
  CHECK(hides("fun:_Znwm\n" + make, finding));
  CHECK(hides("fun:_Znwm\n" + make + "\nfun:register_all\nobj:*libstripped*\nfun:main", finding));
  CHECK_FALSE(hides("fun:_Znwm\n" + make + "\nfun:register_all\nobj:*libstripped*\nfun:main\nfun:*", finding));
  CHECK_FALSE(hides(make, finding));  // the allocating function comes first
  CHECK_FALSE(hides("fun:_Znwm\nfun:register_all", finding));
  CHECK_FALSE(hides("fun:malloc\n" + make, finding));
}

TEST_CASE("three dots are any number of frames", "[suppressions]") {
  const Finding finding = leak(kFrames, "new");
  for (const char* locations :
       {"...\nfun:main", "...\nfun:register_all\n...\nfun:main", "fun:_Znwm\n...\nfun:main\n...", "...\nfun:_Znwm",
        "...\nfun:_Znwm\n...\n...\nfun:main", "fun:*\nfun:*\nfun:*\nfun:*\nfun:main", "...\nfun:*\nfun:main"}) {
    CAPTURE(locations);
    CHECK(hides(locations, finding));
  }
  for (const char* locations : {"...\nfun:main\nfun:*", "...\nfun:main\n...\nfun:main", "fun:_Znwm\nfun:main",
                                "...\nfun:register_all\nfun:main", "...\nfun:nobody"}) {
    CAPTURE(locations);
    CHECK_FALSE(hides(locations, finding));
  }
}

TEST_CASE("frames are matched as the naive account of the manual says", "[suppressions]") {
  // No cleverness: every way to spend the frames.
  const std::function<bool(std::string_view, std::string_view)> expected = [&](std::string_view pattern,
                                                                               std::string_view stack) -> bool {
    if (pattern.empty()) return true;
    if (pattern[0] == '.')
      return expected(pattern.substr(1), stack) || (!stack.empty() && expected(pattern, stack.substr(1)));
    return !stack.empty() && (pattern[0] == '*' || pattern[0] == stack[0]) &&
           expected(pattern.substr(1), stack.substr(1));
  };
  std::mt19937 random(3);
  size_t matches = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string pattern, stack = "m";
    for (size_t n = 1 + random() % 6; n > 0; --n) pattern += "mab.*."[random() % 6];
    for (size_t n = random() % 7; n > 0; --n) stack += "ab"[random() % 2];
    std::string locations;
    for (const char c : pattern)
      locations += c == '.' ? "...\n" : c == 'm' ? "fun:malloc\n" : std::string("fun:") + c + "\n";
    if (pattern.find_first_not_of('.') == std::string::npos) continue;
    std::vector<FindingFrame> frames;
    for (const char c : stack.substr(1)) frames.push_back(c_frame(std::string(1, c)));
    CAPTURE(pattern, stack);
    const bool is_hidden = hides(locations, leak(frames));
    CHECK(is_hidden == expected(pattern, stack));
    matches += is_hidden;
  }
  CHECK(matches > 500);
}

TEST_CASE("a function is named as the linker does or as people read it", "[suppressions]") {
  const Finding finding = leak(kFrames);
  for (const char* name :
       {"_ZN2ns7Factory4makeIiEEPiPKc", "_ZN2ns7Factory4make*", "*Factory?make*",
        "int* ns::Factory::make<int>(char const*)", "int* ns::Factory::make<int>", "ns::Factory::make", "ns::*", "*"}) {
    CAPTURE(name);
    CHECK(hides(std::string("fun:malloc\nfun:") + name, finding));
  }
  for (const char* name : {"make", "ns::Factory::mak", "_ZN2ns7Factory4make", "ns::Factory::make(", "?", ""}) {
    CAPTURE(name);
    CHECK_FALSE(hides(std::string("fun:malloc\nfun:") + name, finding));
  }
  // Of what was inlined valgrind has the name in the source.
  Finding inlined = finding;
  inlined.frames[0].is_inlined = true;
  CHECK(hides("fun:malloc\nfun:make", inlined));
  CHECK(hides("fun:malloc\nfun:make<int>", inlined));
  CHECK(hides("fun:malloc\nfun:clone", leak({c_frame("clone3")})));
  // glibc's start-up code has a name of its own there.
  CHECK(hides("fun:malloc\nfun:main\nfun:(below main)", leak({c_frame("main"), c_frame("__libc_start_call_main")})));
}

TEST_CASE("an unknown function or object is matched by wildcards alone", "[suppressions]") {
  const Finding finding = leak({{.offset = 1}, c_frame("main")});
  for (const char* location : {"fun:*", "obj:*", "fun:???"})
    CHECK(hides(std::string("fun:malloc\n") + location, finding));
  for (const char* location : {"fun:main", "fun:*a*", "obj:/*", "src:*", "fun:"})
    CHECK_FALSE(hides(std::string("fun:malloc\n") + location, finding));
}

TEST_CASE("objects and source lines are matched whole", "[suppressions]") {
  const Finding finding = leak(kFrames);
  for (const char* location :
       {"obj:/usr/lib/libfactory.so.1.2", "obj:*libfactory.so*", "obj:/usr/lib/libfactory.so.?.?", "src:factory.cpp",
        "src:factory.cpp:12", "src:../src/factory.cpp:12", "src:*.cpp", "src:factory.cpp:0"}) {
    CAPTURE(location);
    CHECK(hides(std::string("fun:malloc\n") + location, finding));
  }
  for (const char* location :
       {"obj:libfactory.so.1.2", "obj:*libfactory", "src:factory.cpp:13", "src:factory", "src:cpp", "obj:"}) {
    CAPTURE(location);
    CHECK_FALSE(hides(std::string("fun:malloc\n") + location, finding));
  }
}

TEST_CASE("each allocating function stands first on its stack", "[suppressions]") {
  for (const auto& function : format::kFunctions) {
    const std::string tag = function.name;
    if (tag == "new" || tag == "new[]" || tag.starts_with("delete")) continue;
    CAPTURE(tag);
    CHECK(hides("fun:" + tag + "\nfun:main", leak({c_frame("main")}, tag)));
    CHECK_FALSE(hides("fun:x" + tag + "\nfun:main", leak({c_frame("main")}, tag)));
  }
  const auto begins_with = [](const std::string& location, const char* tag) {
    return hides(location + "\nfun:main", leak({c_frame("main")}, tag));
  };
  for (const char* name :
       {"_Znwm", "_ZnwmRKSt9nothrow_t", "_ZnwmSt11align_val_t", "operator new(unsigned long)", "_Znw*"}) {
    CAPTURE(name);
    CHECK(begins_with(std::string("fun:") + name, "new"));
    CHECK_FALSE(begins_with(std::string("fun:") + name, "new[]"));
  }
  CHECK(begins_with("fun:_Znam", "new[]"));
  CHECK(begins_with("fun:operator new[](unsigned long)", "new[]"));
  CHECK_FALSE(begins_with("fun:_Znam", "new"));
  // valgrind's realloc and others call its own malloc and memalign.
  CHECK(begins_with("fun:malloc\nfun:realloc", "realloc"));
  CHECK(begins_with("fun:malloc\nfun:realloc\nfun:reallocarray", "reallocarray"));
  CHECK(begins_with("fun:memalign\nfun:aligned_alloc", "aligned_alloc"));
  CHECK(begins_with("fun:malloc", "realloc"));  // of NULL
  CHECK(begins_with("fun:memalign", "valloc"));
  CHECK_FALSE(begins_with("fun:malloc", "calloc"));
  CHECK_FALSE(begins_with("fun:realloc", "malloc"));
  for (const char* object : {"*", "*vgpreload_memcheck-*.so", "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so",
                             "*/libc-2.31.so", "*libstdc++.so.6*", "*/libmemprof.so", "*libc.so*"})
    CHECK(begins_with(std::string("obj:") + object, "malloc"));
  for (const char* object : {"/app/prog", "*libfoo*", "???"})
    CHECK_FALSE(begins_with(std::string("obj:") + object, "malloc"));
}

TEST_CASE("libstdc++ that is linked statically calls malloc where valgrind sees operator new", "[suppressions]") {
  const Finding finding = leak({{.function = "operator new(unsigned long)", .linkage_name = "_Znwm"}, c_frame("main")});
  CHECK(hides("fun:_Znwm\nfun:main", finding));
  CHECK(hides("fun:malloc\nfun:_Znwm\nfun:main", finding));
  CHECK_FALSE(hides("fun:main", finding));
}

TEST_CASE("match-leak-kinds chooses, without it all leaks are meant", "[suppressions]") {
  const auto hidden = [](const std::string& kinds) {
    const Suppressions suppressions = parsed(supp(kinds + "fun:malloc"));
    std::string names;
    for (size_t i = 0; i < kFindingKinds; ++i) {
      const auto kind = static_cast<FindingKind>(i);
      if (suppressions.match(leak(kFrames, "malloc", kind))) names += std::string(finding_kind_name(kind)) + " ";
    }
    return names;
  };
  CHECK(hidden("") == "definite indirect possible reachable ");
  CHECK(hidden("match-leak-kinds: all\n") == "definite indirect possible reachable ");
  CHECK(hidden("match-leak-kinds:none\n") == "");
  CHECK(hidden("match-leak-kinds: definite\n") == "definite ");
  CHECK(hidden("match-leak-kinds: reachable,indirect\n") == "indirect reachable ");
}

TEST_CASE("Memcheck:Free is about the stack of the free", "[suppressions]") {
  Finding finding = leak(kFrames, "new[]", FindingKind::mismatched_free);
  finding.free_function = "free";
  finding.free_frames = {c_frame("close_all")};
  const auto free_hides = [&](const std::string& locations) {
    return parsed(supp(locations, "Memcheck:Free")).match(finding).has_value();
  };
  CHECK(free_hides("fun:free\nfun:close_all"));
  CHECK_FALSE(free_hides("fun:_Znam\nfun:ns::*"));
  CHECK_FALSE(hides("fun:free\nfun:close_all", finding));  // a Leak
  finding.kind = FindingKind::double_free;
  CHECK(free_hides("fun:free\n...\nfun:close_all"));
  finding.free_function = "delete";
  CHECK(free_hides("fun:_ZdlPvm\nfun:close_all"));
  CHECK_FALSE(parsed("leak:close_all\nleak:main\n").match(finding));
  finding.kind = FindingKind::definite;
  CHECK_FALSE(free_hides("fun:*"));
}

TEST_CASE("what is for other tools or faults is passed over", "[suppressions]") {
  CHECK(parsed(supp("fun:a", "Helgrind:Race")).empty());
  CHECK(parsed(supp("fun:a", "Memcheck:Cond") + supp("write(buf)\nfun:a", "Memcheck:Param")).empty());
  CHECK(parsed(supp("anything at all", "drd:ConflictingAccess") + supp("fun:malloc")).uses().size() == 1);
  CHECK(parsed(supp("fun:malloc", "Addrcheck,Memcheck:Leak")).match(leak(kFrames)));
  CHECK(parsed(supp("fun:malloc", "Helgrind,Memcheck:Leak")).match(leak(kFrames)));
  CHECK(parsed(supp("fun:malloc", "Memchecker,xMemcheck:Leak")).empty());
}

TEST_CASE("comments, blank lines and blanks around lines mean nothing", "[suppressions]") {
  const Suppressions suppressions = parsed(
      "# first\n\n   # second\n\t{ \r\n\n# inside\n  <a name with  blanks>\t\n"
      "Memcheck:Leak\r\n\n  fun:malloc  \n#fun:nobody\n\tfun:main\n}\n\n# end");
  REQUIRE(suppressions.uses().size() == 1);
  CHECK(suppressions.uses()[0].name == "<a name with  blanks>");
  CHECK(suppressions.uses()[0].file == "test.supp");
  CHECK(suppressions.uses()[0].line == 7);
  CHECK(suppressions.match(leak({c_frame("main")})));
  CHECK(parsed("").empty());
  CHECK(parsed("# nothing\n").empty());
}

TEST_CASE("a valgrind suppression that is wrong is refused with its place", "[suppressions]") {
  CHECK(problem_of("{\n") == "test.supp:1: expected the suppression's name, found the end of the file");
  CHECK(problem_of("{\n}\n") == "test.supp:2: expected the suppression's name, found \"}\"");
  CHECK(problem_of("{\n a\n Leak\n}\n") ==
        "test.supp:3: expected TOOL[,TOOL...]:FAULT, such as Memcheck:Leak, found \"Leak\"");
  CHECK(problem_of(supp("fun:a", "Memcheck:Leek")) ==
        "test.supp:3: expected a fault that memcheck knows, such as Memcheck:Leak, found \"Memcheck:Leek\"");
  CHECK(problem_of(supp("fun:a\nmain")) == "test.supp:5: expected fun:..., obj:..., src:... or ..., found \"main\"");
  CHECK(problem_of("# one\n" + supp("fun:a") + "x\n") == "test.supp:7: expected {, found \"x\"");
  CHECK(problem_of("{\n a\n Memcheck:Leak\n fun:a\n") == "test.supp:4: expected }, found the end of the file");
  CHECK(problem_of("{\n a\n Helgrind:Race\n fun:a\n") == "test.supp:4: expected }, found the end of the file");
  CHECK_THAT(problem_of(supp("...\n...")), Contains("expected a line with fun:, obj: or src:"));
  CHECK_THAT(problem_of(supp("")), Contains("expected a line with fun:, obj: or src:"));
  CHECK_THAT(problem_of(supp("match-leak-kinds: definit\nfun:a")), Contains(":4: expected match-leak-kinds: definite"));
  CHECK_THAT(problem_of(supp("match-leak-kinds: mismatched-free\nfun:a")), Contains(":4: expected"));
  CHECK_THAT(problem_of(supp("match-leak-kinds: definite,all\nfun:a")), Contains(":4: expected"));
  CHECK_THAT(problem_of(supp("match-leak-kinds:\nfun:a")), Contains(":4: expected"));
  CHECK_THAT(problem_of(supp("fun:a\nmatch-leak-kinds: all")), Contains(":5: expected"));
  CHECK_THAT(problem_of(supp("match-leak-kinds: all\nfun:a", "Memcheck:Free")), Contains(":4: expected"));
  CHECK_THAT(problem_of(supp("src:a.c:12x")), Contains(":4: expected"));
  CHECK(problem_of(supp("fun:a\n" + std::string(5000, 'x'))).size() < 300);
}

TEST_CASE("any cut of a file is read or refused", "[suppressions]") {
  const std::string text = supp("match-leak-kinds: all\n...\nfun:a*\nsrc:x:3") + supp("fun:b", "Memcheck:Free");
  size_t refused = 0;
  for (size_t length = 0; length <= text.size(); ++length) refused += !problem_of(text.substr(0, length)).empty();
  CHECK(refused > text.size() - 8);
  CHECK(problem_of(text).empty());
  for (size_t at = 0; at < text.size(); ++at) {
    std::string bytes = text;
    bytes[at] = '\0';
    problem_of(bytes);
  }
}

TEST_CASE("a pattern of LeakSanitizer is found anywhere, * ^ $ are special", "[suppressions]") {
  const Finding finding = leak(kFrames);
  for (const char* pattern : {"make", "Factory::make", "^int* ns::", "_ZN2ns", "char const*)$", "libfactory",
                              "libfactory.so.1.2$", "^/usr/lib/libstripped", "src/factory.cpp", "^main$", "reg*all",
                              "*", "^register_all$", "ns*char", "main$ignored", "^ma*in$"}) {
    CAPTURE(pattern);
    CHECK(lsan_hides(pattern, finding));
  }
  for (const char* pattern :
       {"^make", "make$", "^ain$", "ai$", "factory.cpp:12", "reg?ster", "MAIN", "all*reg", "^$"}) {
    CAPTURE(pattern);
    CHECK_FALSE(lsan_hides(pattern, finding));
  }
  // Its stacks begin with its own malloc too.
  CHECK(lsan_hides("^malloc$", finding));
  CHECK(lsan_hides("operator new", leak(kFrames, "new")));
  CHECK_FALSE(lsan_hides("malloc", leak(kFrames, "realloc")));
  for (const FindingKind kind : {FindingKind::indirect, FindingKind::possible, FindingKind::reachable})
    CHECK(lsan_hides("main", leak(kFrames, "malloc", kind)));
}

TEST_CASE("lines for other sanitizers are passed over, what is no line is refused", "[suppressions]") {
  const Suppressions suppressions =
      parsed("# all of them\nrace:foo\n  leak:bar  \r\nvptr_check:*\nfloat-cast-overflow:x\ncalled_from_lib:libz.so\n");
  REQUIRE(suppressions.uses().size() == 1);
  CHECK(suppressions.uses()[0].name == "bar");
  CHECK(suppressions.uses()[0].line == 3);
  CHECK(problem_of("leak:a\nleak\n") == "test.supp:2: expected leak:PATTERN, found \"leak\"");
  CHECK(problem_of("leek:a\n") == "test.supp:1: expected leak:PATTERN, found \"leek:a\"");
  CHECK(problem_of("leak:\n") == "test.supp:1: expected leak:PATTERN, found \"leak:\"");
  CHECK(problem_of("leak:a\n{\n") == "test.supp:2: expected leak:PATTERN, found \"{\"");
  CHECK(problem_of("leak : a\n") == "test.supp:1: expected leak:PATTERN, found \"leak : a\"");
  CHECK_THAT(problem_of("leak:" + std::string(5000, 'a')), Contains("at most 4096 bytes"));
}

TEST_CASE("of several files the first that matches counts, the others may be stale", "[suppressions]") {
  Suppressions suppressions;
  REQUIRE(suppressions.add_text("leak:nobody\nleak:main\n", "one") == "");
  REQUIRE(suppressions.add_text(supp("fun:malloc"), "two") == "");
  REQUIRE(suppressions.add_embedded("leak:only\nleak:main\nrace:x\n", "/app/prog") == "");
  REQUIRE(suppressions.add_embedded("leak:only\nleak:other\n", "/app/prog") == "");
  std::vector<Finding> findings = {leak(kFrames), leak({c_frame("x")}), leak({c_frame("only")}, "calloc"),
                                   leak({c_frame("free_of_all")}, "calloc"), leak(kFrames)};
  findings[4].status = FindingStatus::fixed;
  suppressions.apply(findings);
  CHECK(findings[0].suppression == 1u);
  CHECK(findings[1].suppression == 2u);
  CHECK(findings[2].suppression == 3u);
  CHECK_FALSE(findings[3].suppression);
  CHECK_FALSE(findings[4].suppression);
  const auto& uses = suppressions.uses();
  REQUIRE(uses.size() == 6);
  for (const size_t used : {1u, 2u, 3u}) {
    CHECK(uses[used].findings == 1);
    CHECK(uses[used].blocks == 2);
    CHECK(uses[used].bytes == 100);
  }
  for (const size_t stale : {0u, 4u, 5u}) CHECK(uses[stale].is_stale());
  CHECK(uses[2].name == "name");
  CHECK(uses[2].file == "two");
  CHECK(uses[3].file == "");
  CHECK(uses[5].name == "other");
  CHECK(suppressions.add_embedded("lea", "/app/prog") == "/app/prog:1: expected leak:PATTERN, found \"lea\"");
}

TEST_CASE("a file that cannot be read is refused by name", "[suppressions]") {
  const test::NewDirectory directory;
  Suppressions suppressions;
  const std::string good = directory.at("good"), fifo = directory.at("fifo");
  std::ofstream(good) << supp("fun:malloc");
  CHECK(suppressions.add_file(good) == "");
  CHECK(suppressions.uses().at(0).file == good);
  CHECK_THAT(suppressions.add_file(directory.at("none")), Contains("none: cannot be read: "));
  CHECK_THAT(suppressions.add_file(directory.at(".")), Contains("is not a regular file"));
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THAT(suppressions.add_file(fifo), Contains("is not a regular file"));
  CHECK(suppressions.uses().size() == 1);
}

TEST_CASE("the name in the source of an inlined function", "[suppressions]") {
  const auto both = [](std::string_view name) { return source_name(name) + " " + source_name_with_arguments(name); };
  CHECK(both("int* ns::Factory<char>::make<std::vector<int> >(char const*)") == "make make<std::vector<int> >");
  CHECK(both("ns::Factory<char>::make()") == "make make");
  CHECK(both("main") == "main main");
  CHECK(both("ns::Call::operator()(int) const") == "operator() operator()");
  CHECK(both("f()::{lambda(int)#1}::operator()(int) const") == "operator() operator()");
  CHECK(both("ns::A::~A()") == "~A ~A");
  both("f<");
  both("");
}

TEST_CASE("what is written hides what it was written for and nothing else", "[suppressions][written]") {
  std::vector<Finding> findings;
  for (const char* tag : {"malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "new", "new[]", "mallocx"})
    for (const FindingKind kind : {FindingKind::definite, FindingKind::reachable})
      findings.push_back(leak(kFrames, tag, kind));
  findings.push_back(leak({c_frame("odd\nname"), c_frame("ends in a blank "), c_frame("stars*?")}));
  findings.push_back(leak({c_frame("odd-name"), c_frame("ends in a blank "), c_frame("stars*?")}));
  findings.push_back(leak({{.module = "/lib/a"}, c_frame("f")}));
  findings.push_back(leak({{.module = "/lib/b"}, c_frame("f")}));
  std::vector<FindingFrame> deep, other_end;
  for (int i = 0; i < 40; ++i) deep.push_back(c_frame("f" + std::to_string(i)));
  other_end = deep;
  other_end[22].function = "other";  // the last that is written
  findings.push_back(leak(deep));
  findings.push_back(leak(other_end));
  for (size_t i = 0; i < findings.size(); ++i) findings[i].fingerprint = i;

  for (size_t i = 0; i < findings.size(); ++i) {
    const std::string text = written_suppressions({&findings[i], 1});
    CAPTURE(i, text);
    const Suppressions suppressions = parsed(text);
    REQUIRE(suppressions.uses().size() == 1);
    for (size_t k = 0; k < findings.size(); ++k) {
      const bool is_wildcard = i == 16 && k == 17;  // the odd byte is any byte
      // valgrind has the one in the other's place: malloc, realloc and reallocarray.
      const bool may_be_jump = k < 16 && findings[i].kind == findings[k].kind &&
                               ((i / 2 == 0 && (k / 2 == 2 || k / 2 == 3)) || (i / 2 == 2 && k / 2 == 3));
      CAPTURE(k);
      CHECK(suppressions.match(findings[k]).has_value() == (k == i || is_wildcard || may_be_jump));
    }
  }
  // All at once, in their order, the same each time.
  const std::string all = written_suppressions(findings);
  CHECK(all == written_suppressions(findings));
  const Suppressions suppressions = parsed(all);
  REQUIRE(suppressions.uses().size() == findings.size());
  for (size_t k = 0; k < findings.size(); ++k) CHECK(suppressions.match(findings[k]) == (k == 17 ? 16 : k));
}

TEST_CASE("the text of a written suppression", "[suppressions][written]") {
  Finding finding = leak(kFrames, "new", FindingKind::possible);
  finding.fingerprint = 0xabc;
  CHECK(written_suppressions({&finding, 1}) ==
        "{\n   memprof-0000000000000abc-possible\n   Memcheck:Leak\n   match-leak-kinds: possible\n   fun:_Znwm*\n"
        "   fun:_ZN2ns7Factory4makeIiEEPiPKc\n   fun:register_all\n   obj:/usr/lib/libstripped.so.3\n   fun:main\n}\n");
  finding.frames[0].is_inlined = true;
  CHECK_THAT(written_suppressions({&finding, 1}), Contains("   fun:_Znwm*\n   fun:make<*\n   fun:register_all\n"));
  finding.allocator = "realloc";
  CHECK_THAT(written_suppressions({&finding, 1}), Contains("   ...\n   fun:realloc\n"));
  std::vector<Finding> same = {finding, finding};
  CHECK(written_suppressions(same) == written_suppressions({&finding, 1}));
}

TEST_CASE("only leaks that count and have a place are written", "[suppressions][written]") {
  const auto is_written = [](Finding finding) { return !written_suppressions({&finding, 1}).empty(); };
  Finding finding = leak(kFrames);
  CHECK(is_written(finding));
  Finding other = finding;
  other.suppression = 0;
  CHECK_FALSE(is_written(other));
  other = finding;
  other.is_elsewhere = true;
  CHECK_FALSE(is_written(other));
  other = finding;
  other.status = FindingStatus::fixed;
  CHECK_FALSE(is_written(other));
  CHECK_FALSE(is_written(leak(kFrames, "new", FindingKind::mismatched_free)));
  CHECK_FALSE(is_written(leak({})));
  CHECK_FALSE(is_written(leak({{.offset = 3}, {.offset = 4}})));
}
