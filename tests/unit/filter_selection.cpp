// From the filters as they are typed to the selection of a trace.
#include <catch2/catch.hpp>

#include <algorithm>

#include "report/selection_builder.h"
#include "report/stack_filter.h"
#include "symbols_data/fixture.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;
using Catch::Matchers::Contains;
using format::Function;

namespace {

// Two modules; stacks outer, outer > inner, and one of a third module that is loaded and on no stack of a block.
struct Sample {
  Sample() : trace(open_bytes(build())) {}

  Bytes build() {
    TraceBuilder b;
    const uint32_t app = b.add_module("/opt/app/bin/app", 0x400000, 0x500000, 0x400000);
    const uint32_t lib = b.add_module("/usr/lib/libx.so.2", 0x600000, 0x700000, 0x600000);
    b.add_module("/usr/lib/libidle.so", 0x800000, 0x900000, 0x800000);
    outer = b.add_node(format::kRootWhole, app, 0x1150);
    inner = b.add_node(outer, lib, 0x1204);
    other = b.add_node(format::kRootWhole, lib, 0x3000);
    b.define_domain(64, "gpu memory");
    b.define_tag(300, Function::malloc, 64, "textures");
    b.add_metadata(format::MetadataRecord::thread_name, thread_name(2, "worker-1"));
    b.alloc(1, 1'000'000, 0x1000, 24, inner);
    b.alloc(2, 2'000'000, 0x2000, 48, other, Function::operator_new_array);
    b.add_mark(4'000'000, 1, "loaded");
    b.close(10'000'000);
    return b.build();
  }
  // serial, kernel's id, name
  static std::string thread_name(uint32_t serial, std::string_view name) {
    std::string payload(8, '\0');
    for (int i = 0; i < 4; ++i) payload[static_cast<size_t>(i)] = static_cast<char>(serial >> (8 * i));
    payload += name;
    return payload;
  }

  BuiltSelection build(const FilterTexts& texts) const {
    REQUIRE(filter_problem(texts) == "");
    return build_selection(trace, texts, false, nullptr);
  }
  Selection selection(const FilterTexts& texts) const {
    const BuiltSelection built = build(texts);
    REQUIRE(built.problem == "");
    REQUIRE(built.unknown.empty());
    return built.selection;
  }
  std::string unknown(const FilterTexts& texts) const {
    const BuiltSelection built = build(texts);
    REQUIRE(built.problem == "");
    REQUIRE(built.unknown.size() == 1);
    return built.unknown.front().message;
  }

  uint32_t outer = 0, inner = 0, other = 0;
  Trace trace;
};

FilterTexts window(const std::string& from, const std::string& to) {
  FilterTexts texts;
  texts.from = from;
  texts.to = to;
  return texts;
}

FilterTexts functions(std::vector<std::string> patterns) {
  FilterTexts texts;
  texts.functions = std::move(patterns);
  return texts;
}

}  // namespace

TEST_CASE("a window is times of this trace", "[filters]") {
  const Sample sample;
  const Selection part = sample.selection(window("10%", "loaded"));
  CHECK(part.from_ns == 1'000'000);
  CHECK(part.to_ns == 4'000'000);
  CHECK(part.has_window());
  const Selection rest = sample.selection(window("4ms", ""));
  CHECK(rest.from_ns == 4'000'000);
  CHECK(rest.to_ns == Selection::kNoLimit);
  // To the end includes the last event.
  CHECK(sample.selection(window("", "end")).is_everything());
  CHECK(sample.selection(window("start", "1h")).is_everything());
}

TEST_CASE("windows that cannot be are refused with what the trace has", "[filters]") {
  const Sample sample;
  const std::string extent = "the trace is 10.0 ms long and has the marks loaded (4.0 ms)";
  const auto problem = [&](const FilterTexts& texts) { return sample.build(texts).problem; };
  CHECK_THAT(problem(window("10ms", "")), Contains("--from 10ms: 10.0 ms is not before the end; " + extent));
  CHECK_THAT(problem(window("1h", "")), Contains("60 min 00 s is not before the end"));
  CHECK_THAT(problem(window("5ms", "4ms")), Contains("--to 4ms: 4.0 ms is not after the start of the window, 5.0 ms"));
  CHECK_THAT(problem(window("5ms", "5ms")), Contains("not after"));
  CHECK_THAT(problem(window("", "start")), Contains("not after"));
  CHECK_THAT(problem(window("101%", "")), Contains("--from: 101% is more than the whole trace"));
  CHECK_THAT(problem(window("", "laoded")), Contains("--to: laoded is neither") && Contains("did you mean loaded?"));
  FilterTexts late;
  late.alive_at = "11ms";
  CHECK_THAT(problem(late), Contains("behind the end of the trace"));
  late.alive_at = "5ms";
  late.to = "4ms";
  CHECK_THAT(problem(late), Contains("behind the end of the window, 4.0 ms"));
  late.to = "6ms";
  CHECK(sample.selection(late).alive_at_ns == 5'000'000u);
}

TEST_CASE("numbers and words of a selection", "[filters]") {
  const Sample sample;
  FilterTexts texts;
  texts.size = "4K..1M";
  texts.lifetime = ">=5ms";
  texts.temporary = "no";
  texts.state = "closed";
  const Selection selection = sample.selection(texts);
  CHECK(selection.least_size == 4096);
  CHECK(selection.most_size == 1 << 20);
  CHECK(selection.least_lifetime_ns == 5'000'000);
  CHECK(selection.most_lifetime_ns == Selection::kNoLimit);
  CHECK(selection.temporary == false);
  CHECK(selection.state == BlockState::closed);
  CHECK_FALSE(selection.has_window());
  CHECK(sample.selection({}).is_everything());
  texts.temporary = "yes";
  texts.state = "orphaned";
  CHECK(sample.selection(texts).temporary == true);
  CHECK(sample.selection(texts).state == BlockState::orphaned);
}

TEST_CASE("threads by number and by name", "[filters]") {
  const Sample sample;
  const auto chosen = [&](std::vector<std::string> patterns) {
    FilterTexts texts;
    texts.threads = std::move(patterns);
    const Selection selection = sample.selection(texts);
    return std::pair(selection.thread({1, 0}), selection.thread({2, 0}));
  };
  CHECK(chosen({"1"}) == std::pair(true, false));
  CHECK(chosen({"worker-1"}) == std::pair(false, true));
  CHECK(chosen({"work*"}) == std::pair(false, true));
  CHECK(chosen({"!work*"}) == std::pair(true, false));
  CHECK(chosen({"1", "/^w/"}) == std::pair(true, true));
  CHECK(chosen({"nobody*"}) == std::pair(false, false));
  FilterTexts texts;
  texts.threads = {"7"};
  CHECK_THAT(sample.unknown(texts), Contains("--thread 7: the trace has the threads 1, 2 worker-1"));
  texts.threads = {"!worker-2"};
  CHECK_THAT(sample.unknown(texts), Contains("did you mean worker-1?"));
}

TEST_CASE("tags by allocating function and by the program's name", "[filters]") {
  const Sample sample;
  const auto chosen = [&](const std::string& pattern, uint16_t tag) {
    FilterTexts texts;
    texts.tags = {pattern};
    return sample.selection(texts).tag(tag);
  };
  const auto number = [](Function function) { return static_cast<uint16_t>(function); };
  CHECK(chosen("malloc", number(Function::malloc)));
  CHECK_FALSE(chosen("malloc", number(Function::operator_new_array)));
  CHECK(chosen("new*", number(Function::operator_new_array)));
  CHECK(chosen("textures", 300));
  CHECK(chosen("malloc", 300));
  CHECK_FALSE(chosen("!textures", 300));
  FilterTexts texts;
  texts.tags = {"mallok"};
  CHECK_THAT(sample.unknown(texts), Contains("did you mean malloc?"));
}

TEST_CASE("a stack has what any of its frames has", "[filters]") {
  const Sample sample;
  const auto chosen = [&](const FilterTexts& texts) {
    const Selection selection = sample.selection(texts);
    std::string result;
    // The order in which nodes are asked about does not matter.
    for (const auto& [name, stack] :
         {std::pair('i', sample.inner), std::pair('o', sample.outer), std::pair('x', sample.other)})
      if (selection.stack(stack)) result += name;
    return result;
  };
  CHECK(chosen(functions({"libx.so.2+0x1204"})) == "i");
  CHECK(chosen(functions({"app+*"})) == "io");
  CHECK(chosen(functions({"!app+*"})) == "x");
  CHECK(chosen(functions({"app+*", "!*+0x1204"})) == "o");
  CHECK(chosen(functions({"*+0x3000", "*+0x1204"})) == "ix");
  FilterTexts texts;
  texts.modules = {"libx.so"};
  CHECK(chosen(texts) == "ix");
  texts.functions = {"app+*"};
  CHECK(chosen(texts) == "i");
  texts.modules = {"!libx*"};
  CHECK(chosen(texts) == "o");
  texts.modules = {"libidle.so"};
  CHECK(chosen(texts) == "");
  // Ids that the trace does not have, and what is no stack.
  const Selection negated = sample.selection(functions({"!app+*"}));
  for (const StackId stack : {StackId{format::kNoStack}, StackNodes::kLostStack, StackId{1'000'000'000}})
    CHECK(negated.stack(stack));
}

TEST_CASE("misspelled functions, modules and files are told from those that are on no stack", "[filters]") {
  const Sample sample;
  FilterTexts texts = functions({"no_such_function"});
  CHECK_THAT(sample.unknown(texts), Contains("--function no_such_function: without symbols no frame has a name"));
  texts = {};
  texts.modules = {"!libidel.so"};
  CHECK_THAT(sample.unknown(texts), Contains("--module !libidel.so") && Contains("no stack"));
  texts.modules = {"libx.s"};
  CHECK_THAT(sample.unknown(texts), Contains("did you mean libx.so?"));
  texts.modules = {"no_such*"};
  CHECK(sample.build(texts).unknown.empty());
  texts = {};
  texts.files = {"a.cpp"};
  CHECK_THAT(sample.build(texts).problem, Contains("leave out --no-symbols"));
}

TEST_CASE("the counts tell what a filter chose from", "[filters]") {
  const Sample sample;
  FilterTexts texts = functions({"nothing*"});
  texts.threads = {"worker*"};
  const BuiltSelection built = sample.build(texts);
  for (const uint32_t stack : {sample.inner, sample.outer, sample.other}) built.selection.stack(stack);
  built.selection.thread({1, 0});
  built.selection.thread({2, 0});
  CHECK(built.counts->stacks.asked() == 3);
  CHECK(built.counts->stacks.chosen() == 0);
  CHECK(built.counts->threads.asked() == 2);
  CHECK(built.counts->threads.chosen() == 1);
}

TEST_CASE("frames of inlined calls count, and source files", "[filters]") {
  using namespace symbols_test;
  const std::string path = MEMPROF_SYMBOLS_SAMPLE;
  const uint64_t outer = symbol_address(path, "_ZN6sample5outerERKNS_5ShapeEi");
  REQUIRE(outer != 0);
  TraceBuilder b;
  const uint32_t module = b.add_module(path, 0x7f0000000000, 0x7f0000100000, 0x7f0000000000);
  std::vector<uint32_t> stacks;
  for (uint64_t offset = 1; offset < 24; ++offset)
    stacks.push_back(b.add_node(format::kRootWhole, module, outer + offset));
  b.alloc(1, 10, 0x1000, 24, stacks.front());
  b.close(100);
  const Trace trace(open_bytes(b.build()));
  FrameSource source(trace, true);
  FilterTexts by_function = functions({"innermost"}), by_file;
  by_file.files = {"sample.cpp"};
  const BuiltSelection inlined = build_selection(trace, by_function, true, nullptr);
  const BuiltSelection file = build_selection(trace, by_file, true, nullptr);
  REQUIRE(inlined.unknown.empty());
  REQUIRE(file.unknown.empty());
  size_t with = 0;
  for (const uint32_t stack : stacks) {
    const std::vector<Frame> frames = source.frames(stack, 1);
    const bool has = std::any_of(frames.begin(), frames.end(), [](const Frame& frame) {
      return frame.inlined && frame.function.find("innermost") != std::string_view::npos;
    });
    with += has;
    CHECK(inlined.selection.stack(stack) == has);
    const bool has_file = std::any_of(frames.begin(), frames.end(),
                                      [](const Frame& frame) { return frame.file.ends_with("/sample.cpp"); });
    CHECK(file.selection.stack(stack) == has_file);
  }
  CHECK(with > 0);
  CHECK(with < stacks.size());
}

TEST_CASE("a deep stack is walked once and without recursion", "[filters][hostile]") {
  TraceBuilder b;
  uint32_t node = b.stack(0x100);
  for (uint64_t depth = 1; depth < 30'000; ++depth) node = b.add_node(node, format::kNoModule, 0x100 + depth);
  b.alloc(1, 10, 0x1000, 24, node);
  b.close(100);
  const Trace trace(open_bytes(b.build()));
  std::string problem;
  StackFilter filter(trace, {parse_patterns({"0x100"}, problem), {}, {}}, false);
  CHECK(filter.matches(node));
  CHECK(filter.matches(node - 1));
  CHECK(filter.unknown_words().empty());
}

TEST_CASE("filters that no trace could understand", "[filters]") {
  FilterTexts texts = functions({"ok", "/(/"});
  CHECK_THAT(filter_problem(texts), Contains("--function /(/: "));
  texts = {};
  texts.size = "big";
  CHECK_THAT(filter_problem(texts), Contains("--size: big is none of"));
  texts.size = "";
  texts.lifetime = "<5";
  CHECK_THAT(filter_problem(texts), Contains("--lifetime: <5 is none of"));
  texts.lifetime = "";
  texts.state = "opne";
  CHECK_THAT(filter_problem(texts), Contains("did you mean open?") && Contains("one of: open, closed, orphaned"));
  texts.state = "";
  texts.temporary = "maybe";
  CHECK_THAT(filter_problem(texts), Contains("neither yes nor no"));
}
