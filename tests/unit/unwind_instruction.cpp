// The decoder against objdump, instruction by instruction, over the C library: all of the compiler's usual code and
// hand-written vector code.
#if defined(__x86_64__)
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "unwind/instruction_x86_64.h"

using memprof::ByteReader;
using namespace memprof::x86_64;

namespace {

struct Listed {
  uint64_t address;
  std::vector<uint8_t> bytes;
  std::string text;

  std::string mnemonic() const { return text.substr(0, text.find(' ')); }
  bool begins(const char* name) const { return text.rfind(name, 0) == 0; }
  bool ends(const std::string& end) const {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
  }
  uint64_t end() const { return address + bytes.size(); }
};

// Lines of `objdump -d --wide`: "  address:\tbytes \ttext". Prefixes as objdump prints them are dropped.
bool parse(const char* line, Listed& out) {
  unsigned long address = 0;
  int used = 0;
  if (sscanf(line, " %lx:\t%n", &address, &used) != 1 || used == 0) return false;
  out = {address, {}, ""};
  const char* at = line + used;
  for (unsigned byte = 0; sscanf(at, "%2x%n", &byte, &used) == 1 && used == 2; at += 3) {
    out.bytes.push_back(static_cast<uint8_t>(byte));
  }
  const char* text = strchr(at, '\t');
  if (text == nullptr) return false;
  out.text = text + 1;
  out.text = out.text.substr(0, out.text.find_first_of("#\n"));
  while (!out.text.empty() && out.text.back() == ' ') out.text.pop_back();
  for (bool found = true; found;) {
    found = false;
    for (const char* prefix : {"bnd ", "notrack ", "repz ", "repnz ", "lock ", "data16 ", "rex.W ", "cs ", "ds ",
                               "xacquire ", "xrelease "}) {
      if (!out.begins(prefix)) continue;
      out.text.erase(0, strlen(prefix));
      found = true;
    }
  }
  return true;
}

bool writes_bp(const Listed& listed) {
  static const char* const readers[] = {"cmp", "test", "push", "call", "jmp",   "bt ",     "nop",
                                        "mul", "imul", "div",  "idiv", "ptest", "prefetch"};
  if (listed.begins("leave")) return true;
  for (const char* reader : readers) {
    if (listed.begins(reader))
      return listed.begins("imul") && listed.text.find(',') != std::string::npos && listed.ends("bp");
  }
  const bool swaps = listed.begins("xchg") || listed.begins("xadd");
  for (const char* name : {"%rbp", "%ebp", "%bp", "%bpl"}) {
    if (listed.ends(name) || (swaps && listed.text.find(std::string(name) + ",") != std::string::npos)) return true;
  }
  return false;
}

struct Counts {
  unsigned listed = 0, refused = 0, bp_writers = 0, needless_bp_writers = 0, branches = 0, calls = 0, wrong = 0;
};

void compare(const Listed& listed, Counts& counts) {
  if (listed.bytes.empty() || listed.text.empty() || listed.begins("(bad)") || listed.begins(".byte")) return;
  const Instruction found = decode(ByteReader(listed.bytes.data(), listed.bytes.data() + listed.bytes.size()));
  ++counts.listed;
  if (found.length == 0) {
    ++counts.refused;
    return;
  }
  const std::string name = listed.mnemonic();
  const bool is_jump = name == "jmp" || name == "jmpq", is_call = name == "call" || name == "callq";
  const bool is_branch = !is_jump && (name[0] == 'j' || name.rfind("loop", 0) == 0);
  const bool is_indirect = listed.text.find(" *") != std::string::npos;
  const bool is_return = name.rfind("ret", 0) == 0;
  const Flow flow = is_call       ? Flow::call
                    : is_branch   ? Flow::branch
                    : is_return   ? Flow::leaves
                    : !is_jump    ? Flow::next
                    : is_indirect ? Flow::indirect_jump
                                  : Flow::jump;
  bool right = found.length == listed.bytes.size() && found.flow == flow;
  if ((is_jump || is_call || is_branch) && !is_indirect) {
    unsigned long target = 0;
    sscanf(listed.text.c_str() + name.size(), " %lx", &target);
    right = right && found.has_target && listed.end() + static_cast<uint64_t>(int64_t{found.target}) == target;
  }
  const bool writes = writes_bp(listed);
  right = right && (!writes || found.may_write_bp);
  counts.bp_writers += writes;
  counts.needless_bp_writers += found.may_write_bp && !writes;
  counts.branches += is_branch;
  counts.calls += is_call;
  if (right) return;
  ++counts.wrong;
  if (counts.wrong < 20) WARN(std::hex << listed.address << " " << listed.text << ": length " << int{found.length});
}

}  // namespace

TEST_CASE("the decoder finds objdump's instructions in the C library", "[unwind][instruction]") {
  Dl_info library;
  REQUIRE(dladdr(reinterpret_cast<void*>(&fopen), &library) != 0);
  const std::string command = std::string("objdump -d --wide ") + library.dli_fname;
  FILE* lines = popen(command.c_str(), "r");
  REQUIRE(lines != nullptr);
  Counts counts;
  char line[512];
  while (fgets(line, sizeof line, lines) != nullptr) {
    Listed listed;
    if (parse(line, listed)) compare(listed, counts);
  }
  CHECK(pclose(lines) == 0);
  CAPTURE(counts.listed, counts.refused, counts.needless_bp_writers);
  CHECK(counts.wrong == 0);
  CHECK(counts.listed > 200'000);
  CHECK(counts.bp_writers > 5'000);
  CHECK(counts.branches > 20'000);
  CHECK(counts.calls > 5'000);
  CHECK(counts.refused < counts.listed / 200);
  CHECK(counts.needless_bp_writers < counts.listed / 20);
}

TEST_CASE("lengths that objdump does not meet in the C library", "[unwind][instruction]") {
  struct Case {
    std::vector<uint8_t> bytes;
    unsigned length;
    bool may_write_bp;
  };
  const std::vector<Case> cases = {
      {{0x66, 0x48, 0xf7, 0xc0, 1, 2, 3, 4}, 8, false},  // REX.W beats the 16-bit prefix
      {{0x66, 0xf7, 0xc0, 1, 2}, 5, false},
      {{0x66, 0x48, 0x05, 1, 2, 3, 4}, 7, false},
      {{0xf3, 0x48, 0x0f, 0x1e, 0xcd}, 5, true},  // rdssp %rbp
      {{0xf3, 0x0f, 0x1e, 0xfa}, 4, false},       // endbr64
      {{0x48, 0x66, 0xb8, 0, 0}, 0, false},       // a prefix after REX
      {{0x48, 0xf3, 0xc3}, 0, false},
  };
  for (const Case& each : cases) {
    CAPTURE(each.bytes);
    const Instruction found = decode(ByteReader(each.bytes.data(), each.bytes.data() + each.bytes.size()));
    CHECK(found.length == each.length);
    CHECK(found.may_write_bp == each.may_write_bp);
  }
}

TEST_CASE("an instruction that is cut or is none has no length", "[unwind][instruction]") {
  const std::vector<std::vector<uint8_t>> cut = {
      {},
      {0x66},
      {0x48},
      {0x48, 0x89},
      {0xe8, 1, 2, 3},
      {0x0f},
      {0x0f, 0x38, 0x00},
      {0xc5, 0xf8},
      {0x62, 1, 2, 3},
      {0x48, 0x48, 0x89, 0xe5},  // two REX prefixes
      {0x8f, 0xe9, 0x78, 0x12},  // XOP
      {0xc7, 0xf8, 0, 0, 0, 0},  // xbegin: a branch of another kind
      {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}};
  for (const auto& bytes : cut) {
    CAPTURE(bytes);
    CHECK(decode(ByteReader(bytes.data(), bytes.data() + bytes.size())).length == 0);
  }
}
#endif
