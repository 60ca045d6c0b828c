#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "unwind/eh_frame.h"
#include "unwind/oracle.h"
#include "unwind_fake_stack.h"

using namespace memprof;

namespace {

// The start of every function that a module's table lists.
std::vector<uintptr_t> functions_of(const ModuleFrames& module) {
  uint32_t count;
  std::memcpy(&count, module.header + 8, sizeof count);
  std::vector<uintptr_t> out;
  for (uint32_t i = 0; i < count; ++i) {
    int32_t offset;
    std::memcpy(&offset, module.header + 12 + 8 * i, sizeof offset);
    out.push_back(reinterpret_cast<uintptr_t>(module.header) + static_cast<uintptr_t>(int64_t{offset}));
  }
  return out;
}

// The entries of a PLT tell by the pc how much they have pushed. No call returns there, so the pc that the oracle is
// asked with (one lower) makes a difference nowhere else.
bool is_told_by_pc(const FrameDescription& description, UnwindState& state) {
  constexpr uint8_t kBaseRegister16 = 0x80;
  if (!run_cfi(description, description.code_end - 1, state.scratch)) return false;
  const CfaRule& cfa = state.scratch.row.cfa;
  if (!cfa.is_expression) return false;
  const auto* block = reinterpret_cast<const uint8_t*>(cfa.value);
  return std::memchr(block + 1, kBaseRegister16, block[0]) != nullptr;
}

int own_function() { return 7; }

std::vector<uintptr_t> modules() {
  return {reinterpret_cast<uintptr_t>(&own_function), reinterpret_cast<uintptr_t>(&std::qsort),
          reinterpret_cast<uintptr_t>(static_cast<void* (*)(size_t)>(&operator new))};
}

}  // namespace

TEST_CASE("every function of the program, libc and libstdc++ is found at its first and last byte",
          "[unwind][eh_frame]") {
  for (const uintptr_t code : modules()) {
    ModuleFrames module;
    REQUIRE(find_module_frames(code, module));
    const auto functions = functions_of(module);
    REQUIRE(functions.size() > 100);
    for (const uintptr_t begin : functions) {
      FrameDescription description;
      REQUIRE(find_description(begin, description) == Found::yes);
      REQUIRE(description.code_begin == begin);
      REQUIRE(description.code_end > begin);
      REQUIRE(find_description(description.code_end - 1, description) == Found::yes);
      REQUIRE(description.code_begin == begin);
      // The byte after it is another function's or nobody's.
      if (find_description(description.code_end, description) == Found::yes) REQUIRE(description.code_begin > begin);
    }
  }
}

TEST_CASE("addresses outside all code are not found", "[unwind][eh_frame]") {
  FrameDescription description;
  int on_the_stack = 0;
  CHECK(find_description(16, description) == Found::no_module);
  CHECK(find_description(reinterpret_cast<uintptr_t>(&on_the_stack), description) == Found::no_module);
  CHECK(find_description(~uintptr_t{0} - 1, description) == Found::no_module);
}

TEST_CASE("damaged tables are refused, whatever is damaged", "[unwind][eh_frame]") {
  // A copy of a small module's header and entries: one CIE, one FDE, one row.
  alignas(8) uint8_t image[128] = {};
  uint8_t* const header = image;
  uint8_t* const cie = image + 32;
  uint8_t* const fde = image + 64;
  const uint8_t cie_bytes[] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                               1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0};
  std::memcpy(cie, cie_bytes, sizeof cie_bytes);
  const auto put = [](uint8_t* at, int64_t value) {
    const auto word = static_cast<int32_t>(value);
    std::memcpy(at, &word, sizeof word);
  };
  put(fde, 20);
  put(fde + 4, fde + 4 - cie);
  put(fde + 8, 48);  // code: 48 bytes after this word
  put(fde + 12, 16);
  const uint8_t head[] = {1, 0x1b, 0x03, 0x3b};
  std::memcpy(header, head, sizeof head);
  put(header + 4, cie - (header + 4));
  put(header + 8, 1);
  put(header + 12, fde + 8 + 48 - header);
  put(header + 16, fde - header);
  const ModuleFrames module{{image, image + sizeof image}, header};
  const auto code = reinterpret_cast<uintptr_t>(fde + 8 + 48);

  const auto finds = [&](uintptr_t at) {
    FrameDescription description;
    const uint8_t* found = search_header(module, at);
    return found != nullptr && decode_description(module, found, description) && description.code_begin == code &&
           description.code_end == code + 16;
  };
  REQUIRE(finds(code));
  REQUIRE(finds(code + 15));
  CHECK(search_header(module, code - 1) == nullptr);
  // Any one byte may have any value: it is refused or read as something else, but only inside the image.
  int still_found = 0;
  for (size_t i = 0; i < sizeof image; ++i) {
    for (unsigned value = 0; value < 256; ++value) {
      const uint8_t before = image[i];
      image[i] = static_cast<uint8_t>(value);
      still_found += finds(code);
      image[i] = before;
    }
  }
  CHECK(still_found > 128);
  CHECK(still_found < 128 * 256);
}

// Every function, entered at several places, on a stack whose words are addresses of other functions: the walk goes on
// through several rules, and its stack and frame pointers decide where.
TEST_CASE("steps out of every function of libc and libstdc++ go where libunwind goes", "[unwind][eh_frame]") {
  if (!load_oracle()) FAIL("libunwind cannot be loaded");
  const auto state = unwind_test::new_state();
  std::mt19937_64 random(2);
  std::vector<uintptr_t> places;
  for (const uintptr_t code : modules()) {
    ModuleFrames module;
    REQUIRE(find_module_frames(code, module));
    for (const uintptr_t begin : functions_of(module)) {
      FrameDescription description;
      REQUIRE(find_description(begin, description) == Found::yes);
      if (is_told_by_pc(description, *state)) continue;
      const uintptr_t bytes = description.code_end - begin;
      places.push_back(begin + 1);
      places.push_back(description.code_end);
      for (int i = 0; i < 4; ++i) places.push_back(begin + 1 + random() % bytes);
    }
  }
  constexpr size_t kWords = 1 << 16;
  std::vector<uintptr_t> stack(kWords);
  for (uintptr_t& word : stack) word = places[random() % places.size()];
  uint64_t frames = 0;
  for (const uintptr_t pc : places) {
    const size_t sp = random() % (kWords / 2), bp = sp + random() % 200;
    // Frame pointers on the stack, as many as code.
    for (int i = 0; i < 8; ++i) {
      const size_t at = sp + random() % 400;
      stack[at] = reinterpret_cast<uintptr_t>(&stack[(at + random() % 300) % kWords]);
    }
    const CapturePoint point{pc, reinterpret_cast<uintptr_t>(&stack[sp]), reinterpret_cast<uintptr_t>(&stack[bp])};
    capture(*state, point, 8);
    frames += state->memo.depth;
    const bool same = verify_capture(*state, point, 8);
    if (!same) {
      UNSCOPED_INFO("from " << std::hex << pc << " end " << static_cast<int>(state->memo.end));
      for (uint32_t i = 0; i < 8; ++i) {
        UNSCOPED_INFO(std::hex << (i < state->memo.depth ? state->memo.frames[state->memo.depth - 1 - i].pc : 0) << " "
                               << (i < state->oracle_depth ? state->fresh[i].pc : 0));
      }
    }
    REQUIRE(same);
  }
  CHECK(frames > 2 * places.size());
}
