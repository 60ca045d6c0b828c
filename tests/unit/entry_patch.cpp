// Patches functions that are written here byte by byte, and calls them.
#include "entry_patch/entry_patch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace memprof;

namespace {

using Bytes = std::vector<unsigned char>;
using Called = long (*)(long);

// A page of code. Functions begin at multiples of 64; in between lie breakpoints, as linkers put them there.
class Code {
 public:
  explicit Code(const std::vector<Bytes>& functions) {
    start_ =
        static_cast<unsigned char*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(start_, 0xcc, kBytes);
    for (size_t i = 0; i < functions.size(); ++i) memcpy(start_ + 64 * i, functions[i].data(), functions[i].size());
    mprotect(start_, kBytes, PROT_READ | PROT_EXEC);
  }
  ~Code() { munmap(start_, kBytes); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  uintptr_t at(size_t function) const { return reinterpret_cast<uintptr_t>(start_) + 64 * function; }
  Called call(size_t function) const { return reinterpret_cast<Called>(at(function)); }
  CodeSegment segment() const { return {at(0), at(0) + kBytes, PROT_READ | PROT_EXEC}; }
  Bytes bytes() const { return Bytes(start_, start_ + kBytes); }

 private:
  static constexpr size_t kBytes = 4096;
  unsigned char* start_;
};

void* original = nullptr;
long calls = 0;

}  // namespace

// The stub has put the context on the stack, which a function in C++ knows nothing of.
extern "C" void entry_patch_test_hook();
extern "C" long entry_patch_test_call(long argument) {
  ++calls;
  return reinterpret_cast<Called>(original)(argument) + 1000;
}
asm(".text\nentry_patch_test_hook: lea 8(%rsp), %rsp\n jmp entry_patch_test_call\n");

namespace {

const EntryHook kHook = entry_patch_test_hook;

// Patches the first function, which is `bytes` long, and calls it.
long call_patched(const Code& code, size_t bytes, long argument) {
  PatchBatch batch(code.segment());
  REQUIRE(batch.add(code.at(0), bytes, kHook, nullptr, &original) == PatchRefusal::none);
  REQUIRE(batch.commit() == PatchRefusal::none);
  CHECK(is_patched(code.at(0), batch.stubs(), batch.stub_bytes()));
  calls = 0;
  const long result = code.call(0)(argument);
  CHECK(calls == 1);
  munmap(reinterpret_cast<void*>(batch.stubs()), batch.stub_bytes());
  return result;
}

PatchRefusal refusal_of(const Bytes& function, size_t bytes) {
  const Code code({function});
  const Bytes before = code.bytes();
  PatchBatch batch(code.segment());
  const PatchRefusal refusal = batch.add(code.at(0), bytes, kHook, nullptr, &original);
  CHECK(code.bytes() == before);
  return refusal;
}

const Bytes kSame = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x5d, 0xc3};  // push, mov, mov %rdi to %rax, pop, ret
const Bytes kReturnAddress = {0x48, 0x8b, 0x04, 0x24, 0xc3};

}  // namespace

TEST_CASE("a patched function leads to the hook, and the copy does what it did", "[entry_patch]") {
  const Code code({kSame});
  CHECK(code.call(0)(7) == 7);
  CHECK(call_patched(code, kSame.size(), 7) == 1007);
}

TEST_CASE("an operand that is counted from the instruction still means the same word", "[entry_patch]") {
  // mov 26(%rip) to %eax; add %rdi; ret; the word at 32
  Bytes function = {0x8b, 0x05, 26, 0, 0, 0, 0x48, 0x01, 0xf8, 0xc3};
  function.resize(32, 0xcc);
  function.insert(function.end(), {42, 0, 0, 0});
  const Code code({function});
  CHECK(code.call(0)(5) == 47);
  CHECK(call_patched(code, 10, 5) == 1047);
}

TEST_CASE("a short branch out of the beginning becomes a near one", "[entry_patch]") {
  // test %rdi; je to 10; lea 1(%rdi) to %rax; ret; 10: mov $7 to %eax; ret
  const Bytes function = {0x48, 0x85, 0xff, 0x74, 0x05, 0x48, 0x8d, 0x47, 0x01, 0xc3, 0xb8, 7, 0, 0, 0, 0xc3};
  CHECK(call_patched(Code({function}), function.size(), 3) == 1004);
  CHECK(call_patched(Code({function}), function.size(), 0) == 1007);
}

TEST_CASE("a call in the beginning returns to where it did, not to the copy", "[entry_patch]") {
  // sub $8 from %rsp; call 64; add $8; ret
  const Bytes function = {0x48, 0x83, 0xec, 0x08, 0xe8, 64 - 9, 0, 0, 0, 0x48, 0x83, 0xc4, 0x08, 0xc3};
  const Code code({function, kReturnAddress});
  const auto returns_to = static_cast<long>(code.at(0) + 9);
  CHECK(code.call(0)(0) == returns_to);
  CHECK(call_patched(code, function.size(), 0) == returns_to + 1000);
}

TEST_CASE("functions that are one jump, near or short", "[entry_patch]") {
  CHECK(call_patched(Code({{0xe9, 64 - 5, 0, 0, 0}, kSame}), 5, 8) == 1008);
  CHECK(call_patched(Code({{0xeb, 64 - 2, 0x66, 0x0f, 0x1f, 0x44, 0, 0}, kSame}), 2, 9) == 1009);
}

TEST_CASE("what cannot be moved is refused, and stays as it was", "[entry_patch]") {
  CHECK(refusal_of({0xc3, 0x55, 0x48, 0x89, 0xe5, 0xc3}, 1) == PatchRefusal::too_short);  // another function behind it
  CHECK(refusal_of({0xff, 0xd0, 0x90, 0x90, 0x90, 0xc3}, 6) == PatchRefusal::call_inside);
  CHECK(refusal_of({0x0f, 0x04, 0x90, 0x90, 0x90, 0xc3}, 6) == PatchRefusal::unknown_code);
  // mov; 3: dec; jne to 3; ret
  CHECK(refusal_of({0x48, 0x89, 0xf8, 0x48, 0xff, 0xc8, 0x75, 0xfb, 0xc3}, 9) == PatchRefusal::jump_inside);
  CHECK(refusal_of({0xe2, 0x10, 0x90, 0x90, 0x90, 0xc3}, 6) == PatchRefusal::unknown_code);  // loop has no near form
}

TEST_CASE("a batch that is not committed has changed nothing", "[entry_patch]") {
  const Code code({kSame});
  const Bytes before = code.bytes();
  {
    PatchBatch batch(code.segment());
    REQUIRE(batch.add(code.at(0), kSame.size(), kHook, nullptr, &original) == PatchRefusal::none);
  }
  CHECK(code.bytes() == before);
}

TEST_CASE("code that the kernel lets nobody change refuses the whole batch", "[entry_patch]") {
  char path[] = "/tmp/memprof-code-XXXXXX";
  const int writable = mkstemp(path);
  REQUIRE(writable >= 0);
  Bytes page(4096, 0xcc);
  memcpy(page.data(), kSame.data(), kSame.size());
  REQUIRE(write(writable, page.data(), page.size()) == 4096);
  close(writable);
  const int fd = open(path, O_RDONLY);
  unlink(path);
  void* const code = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  close(fd);
  REQUIRE(code != MAP_FAILED);
  const auto at = reinterpret_cast<uintptr_t>(code);
  PatchBatch batch({at, at + 4096, PROT_READ | PROT_EXEC});
  REQUIRE(batch.add(at, kSame.size(), kHook, nullptr, &original) == PatchRefusal::none);
  CHECK(batch.commit() == PatchRefusal::not_writable);
  CHECK(reinterpret_cast<Called>(at)(7) == 7);
  munmap(code, 4096);
}
