// What counts as proof of a frame record: functions in bytes, of both architectures.
#include "unwind/frame_record.h"

#include <catch2/catch.hpp>
#include <vector>

#include "unwind/dynamic_symbols.h"
#include "unwind_bytes.h"

namespace {

// `until_call` ends with the call in question.
uint32_t cfa_x86(const Bytes& until_call, const Bytes& rest) {
  const Bytes all = until_call + rest;
  return memprof::x86_64::find_frame_record({all.data(), all.data() + all.size()}, all.data() + until_call.size())
      .cfa_offset;
}

const Bytes kMake = {0x55, 0x48, 0x89, 0xe5}, kCall = {0xff, 0xd0}, kEnd = {0x5d, 0xc3};

Bytes words(const std::vector<uint32_t>& all) {
  Bytes bytes;
  for (const uint32_t word : all) {
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
  }
  return bytes;
}
uint32_t cfa_arm(const std::vector<uint32_t>& until_call, const std::vector<uint32_t>& rest) {
  const Bytes all = words(until_call) + words(rest);
  return memprof::aarch64::find_frame_record({all.data(), all.data() + all.size()},
                                             all.data() + until_call.size() * sizeof(uint32_t))
      .cfa_offset;
}

constexpr uint32_t kStp = 0xa9bd7bfd, kMov = 0x910003fd, kBlr = 0xd63f0000, kLdp = 0xa8c37bfd, kRet = 0xd65f03c0;

}  // namespace

TEST_CASE("x86-64: functions that keep a frame record", "[unwind][frame_record]") {
  CHECK(cfa_x86(kMake + kCall, kEnd) == 16);
  CHECK(cfa_x86(Bytes{0x55, 0x48, 0x8b, 0xec} + kCall, kEnd) == 16);  // the other encoding of mov
  CHECK(cfa_x86(Bytes{0xf3, 0x0f, 0x1e, 0xfa} + kMake + kCall, kEnd) == 16);
  CHECK(cfa_x86(kMake + kCall, {0xc9, 0xc3}) == 16);              // leave
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0xf3, 0xc3}) == 16);        // repz ret
  CHECK(cfa_x86(kMake + kCall, {}) == 16);                        // the callee never returns
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0xe9, 0, 1, 0, 0}) == 16);  // tail call to another function
  CHECK(cfa_x86(kMake + Bytes{0xe8, 0, 1, 0, 0}, kEnd) == 16);
  CHECK(cfa_x86(kMake + Bytes{0x74, 2} + kCall, kEnd) == 16);         // over the call
  CHECK(cfa_x86(kMake + kCall + kEnd + Bytes{0xeb, 0xfa}, {}) == 0);  // no call ends there
  CHECK(cfa_x86(kMake + Bytes{0x74, 4} + kCall, kEnd + kCall + kEnd) == 16);
}

TEST_CASE("x86-64: functions that may not", "[unwind][frame_record]") {
  CHECK(cfa_x86(kCall, kEnd) == 0);
  CHECK(cfa_x86(Bytes{0x55} + kCall, kEnd) == 0);
  CHECK(cfa_x86(Bytes{0x55, 0x48, 0x89, 0xec} + kCall, kEnd) == 0);        // mov %rbp,%rsp
  CHECK(cfa_x86(Bytes{0x41, 0x55, 0x48, 0x89, 0xe5} + kCall, kEnd) == 0);  // push %r13
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x89, 0xc5} + kCall, kEnd) == 0);      // mov %rax,%rbp
  CHECK(cfa_x86(kMake + kCall, Bytes{0x89, 0xc5} + kEnd) == 0);            // later, and a loop may lead back
  CHECK(cfa_x86(kMake + Bytes{0x5d} + kCall, {0xc3}) == 0);                // restored before the call
  CHECK(cfa_x86(kMake + kCall, {0x5d}) == 0);                              // falls out of the function
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0x90, 0xc3}) == 0);                  // not left at once
  CHECK(cfa_x86(kMake + Bytes{0x74, 0x7f} + kCall, kEnd) == 0);            // leaves with the record in place
  CHECK(cfa_x86(kMake + kCall, Bytes{0xeb, 0xf8} + kEnd) == 0);            // to the first byte: a second record
  CHECK(cfa_x86(kMake + kCall, Bytes{0xeb, 0xf9} + kEnd) == 0);            // into the record's making
  CHECK(cfa_x86(kMake + kCall, Bytes{0xeb, 0xfd} + kEnd) == 0);            // into an instruction
  CHECK(cfa_x86(kMake + kCall, Bytes{0xff, 0xe0} + kEnd) == 0);            // jmp *%rax
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0xff, 0xe0}) == 0);
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0xeb, 0xfa}) == 0);                          // a jump back without the record
  CHECK(cfa_x86(kMake + kCall, Bytes{0xe8, 0xfc, 0xff, 0xff, 0xff} + kEnd) == 0);  // calls a second entry
  CHECK(cfa_x86(kMake + kCall, Bytes{0x06} + kEnd) == 0);                          // no instruction
  CHECK(cfa_x86(kMake + kCall, {0x5d, 0xc3, 0xe8}) == 0);                          // cut by the end
  CHECK(cfa_x86(kMake + kCall, Bytes(memprof::kMostFunctionBytes, 0x90)) == 0);
}

TEST_CASE("x86-64: the stack pointer must stay on its stack", "[unwind][frame_record]") {
  const Bytes leave = {0xc9, 0xc3};
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x83, 0xec, 0x20} + kCall, leave) == 16);  // sub $32,%rsp
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x83, 0xe4, 0xf0} + kCall, leave) == 16);  // and $-16,%rsp
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x29, 0xc4} + kCall, leave) == 16);        // sub %rax,%rsp
  CHECK(cfa_x86(kMake + kCall, Bytes{0x48, 0x8d, 0x65, 0xf0} + kEnd) == 16);   // lea -16(%rbp),%rsp
  CHECK(cfa_x86(kMake + kCall, Bytes{0x48, 0x89, 0xec} + kEnd) == 16);         // mov %rbp,%rsp
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x89, 0xf4} + kCall, kEnd) == 0);          // mov %rsi,%rsp: another stack
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x8b, 0x26} + kCall, kEnd) == 0);          // mov (%rsi),%rsp
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x94} + kCall, kEnd) == 0);                // xchg %rax,%rsp
  CHECK(cfa_x86(kMake + Bytes{0x5c} + kCall, kEnd) == 0);                      // pop %rsp
  CHECK(cfa_x86(kMake + Bytes{0x48, 0x8d, 0x66, 0xf0} + kCall, kEnd) == 0);    // lea -16(%rsi),%rsp
}

TEST_CASE("x86-64: code that nothing leads to may be a function of its own", "[unwind][frame_record]") {
  const Bytes more = Bytes{0x53} + kCall + Bytes{0x5b, 0xc3};
  CHECK(cfa_x86(kMake + kCall, kEnd + more) == 0);
  CHECK(cfa_x86(kMake + kCall + kEnd + Bytes{0x53} + kCall, {0x5b, 0xc3}) == 0);
  CHECK(cfa_x86(kMake + kCall, kEnd + Bytes{0x0f, 0x1f, 0x00, 0x90, 0xcc}) == 16);  // padding
  CHECK(cfa_x86(kMake + Bytes{0x74, 4} + kCall + kEnd + kCall, kEnd) == 16);        // the branch leads there
}

TEST_CASE("aarch64: functions that keep a frame record", "[unwind][frame_record]") {
  CHECK(cfa_arm({kStp, kMov, kBlr}, {kLdp, kRet}) == 48);
  CHECK(cfa_arm({0xa9bf7bfd, kMov, kBlr}, {0xa8c17bfd, kRet}) == 16);
  CHECK(cfa_arm({0xd503233f, kStp, kMov, kBlr}, {kLdp, 0xd50323bf, kRet}) == 48);  // paciasp, autiasp
  CHECK(cfa_arm({0xd503245f, kStp, kMov, kBlr}, {kLdp, 0xd65f0bff}) == 48);        // bti c, retaa
  CHECK(cfa_arm({kStp, kMov, 0x94001000}, {kLdp, kRet}) == 48);                    // bl
  CHECK(cfa_arm({kStp, kMov, 0xd63f083f}, {kLdp, kRet}) == 48);                    // blraaz
  CHECK(cfa_arm({kStp, kMov, 0xf9400ba0, 0xf90013a0, kBlr}, {kLdp, kRet}) == 48);  // ldr x0,[x29,#16]; str x0,[x29,#32]
  CHECK(cfa_arm({kStp, kMov, 0xa94153f3, 0xb40000a0, kBlr}, {kLdp, 0x14001000, kLdp, kRet}) == 48);  // cbz; tail call
}

TEST_CASE("aarch64: functions that may not", "[unwind][frame_record]") {
  CHECK(cfa_arm({kBlr}, {kLdp, kRet}) == 0);
  CHECK(cfa_arm({kStp, kBlr}, {kLdp, kRet}) == 0);
  CHECK(cfa_arm({0xa9017bfd, kMov, kBlr}, {kLdp, kRet}) == 0);        // stp without write-back
  CHECK(cfa_arm({kStp, kMov, 0xd10043bd, kBlr}, {kLdp, kRet}) == 0);  // sub x29,x29,#16
  CHECK(cfa_arm({kStp, kMov, 0xf94003fd, kBlr}, {kLdp, kRet}) == 0);  // ldr x29,[sp]
  CHECK(cfa_arm({kStp, kMov, 0xf84087a0, kBlr}, {kLdp, kRet}) == 0);  // ldr x0,[x29],#8
  CHECK(cfa_arm({kStp, kMov, 0xa94077e0, kBlr}, {kLdp, kRet}) == 0);  // ldp x0,x29,[sp]
  CHECK(cfa_arm({kStp, kMov, kLdp, kBlr}, {kRet}) == 0);              // restored before the call
  CHECK(cfa_arm({kStp, kMov, kBlr}, {kLdp}) == 0);                    // falls out of the function
  CHECK(cfa_arm({kStp, kMov, kBlr}, {0xd61f0200, kLdp, kRet}) == 0);  // br x16
  CHECK(cfa_arm({kStp, kMov, kBlr}, {0x17fffffe, kLdp, kRet}) == 0);  // b to the record's making
  CHECK(cfa_arm({kStp, kMov, kBlr}, {0x97fffffe, kLdp, kRet}) == 0);  // bl to a second entry
  CHECK(cfa_arm({kStp, kMov, kBlr}, {0x54001000, kLdp, kRet}) == 0);  // b.eq out of the function
  CHECK(cfa_arm({kStp, kMov, 0x91000400}, {kLdp, kRet}) == 0);        // no call ends there
}

TEST_CASE("the function that covers an address", "[unwind][frame_record]") {
  const auto address = reinterpret_cast<uintptr_t>(&fopen);
  memprof::ByteRange found{};
  REQUIRE(memprof::find_function(address, found));
  CHECK(reinterpret_cast<uintptr_t>(found.begin) == address);
  const auto end = reinterpret_cast<uintptr_t>(found.end);
  memprof::ByteRange again{};
  CHECK(memprof::find_function(end - 1, again));
  CHECK(again.begin == found.begin);
  CHECK((!memprof::find_function(end, again) || again.begin != found.begin));
  int on_stack = 0;
  CHECK_FALSE(memprof::find_function(reinterpret_cast<uintptr_t>(&on_stack), again));
}
