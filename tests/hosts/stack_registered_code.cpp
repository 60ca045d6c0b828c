// Code made at run time that registers its frames with the C++ runtime, as JITs do, so that exceptions pass through.
// The recorder does not know of it: what it goes by is the straight line from the call to the return, and each round
// writes another one to the same place. Exceptions must pass as before.
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

extern "C" {
void __register_frame(void* frames);
void __deregister_frame(void* frames);
}

using Function = void (*)(int);
using Code = void (*)(Function, int);

extern "C" {
__attribute__((noinline)) void inside(int value) {
  free(hidden(malloc(52)));
  if (value % 3 == 0) throw value;
}
__attribute__((noinline)) void outside(Code code, int value) {
  free(hidden(malloc(53)));
  code(inside, value);
}
}

namespace {

#if defined(__x86_64__)
struct Frames {
  uint32_t cie_length = 20, cie_id = 0;
  unsigned char cie[16] = {1,    0,        // version, no augmentation
                           1,    0x78,     // code and data alignment: 1, -8
                           16,             // return column
                           0x0c, 7,    8,  // CFA = rsp + 8
                           0x90, 1};       // return address at CFA - 8; then DW_CFA_nop
  uint32_t fde_length = 28, fde_id = 28;
  uint64_t code = 0, code_bytes = 0;
  unsigned char fde[8] = {0x44, 0x0e, 0,   // after 4 bytes: CFA = rsp + this
                          0x48, 0x0e, 8};  // after 8 more bytes: rsp + 8
  uint32_t end = 0;
};
static_assert(sizeof(Frames) == 64);

size_t write_code(unsigned char* page, Frames* frames, unsigned char room) {
  const unsigned char code[] = {0x48, 0x83, 0xec, room,         // sub $room,%rsp
                                0x48, 0x89, 0xf8,               // mov %rdi,%rax
                                0x89, 0xf7,                     // mov %esi,%edi
                                0xff, 0xd0,                     // call *%rax
                                0x90,                           // nop
                                0x48, 0x83, 0xc4, room, 0xc3};  // add $room,%rsp; ret
  memcpy(page, code, sizeof code);
  frames->code = reinterpret_cast<uint64_t>(page);
  frames->code_bytes = sizeof code;
  frames->fde[2] = static_cast<unsigned char>(room + 8);
  return sizeof code;
}
#endif

}  // namespace

int main() {
  int caught = 0;
#if defined(__x86_64__)
  void* mapping = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return 1;
  auto* page = static_cast<unsigned char*>(mapping);
  for (int i = 0; i < 200; ++i) {
    Frames frames;
    write_code(page, &frames, static_cast<unsigned char>(8 + 16 * (i % 5)));
    __register_frame(&frames);
    try {
      outside(reinterpret_cast<Code>(page), i);
    } catch (int value) {
      caught += value == i ? 1 : 100;
    }
    __deregister_frame(&frames);
  }
  print("frames 52 whole inside ? outside main\n");
#else
  for (int i = 0; i < 200; ++i) {
    try {
      outside([](Function function, int value) { function(value); }, i);
    } catch (int) {
      ++caught;
    }
  }
#endif
  print("frames 53 whole outside\n");
  print("caught %d\n", caught);
  return 0;
}
