// Tells pointers to tables of virtual functions, by memcheck's rule: they point into a file's memory, and of the first
// words there, the first two that are not zero point to a file's code.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "snapshot/memory_map.h"

namespace memprof {

class Vtables {
 public:
  // `files` outlive it.
  void begin(const GrowingArray<FileMapping>& files);

  bool is_vtable(uintptr_t value) {
    if (value - lowest_ >= highest_ - lowest_ || value % sizeof(uintptr_t) != 0) return false;
    // Types lie at regular distances: bits of all the address choose the place.
    Answer& answer = answers_[value * 0x9E3779B97F4A7C15 >> (64 - kAnswerBits)];
    if (answer.value != value) answer = {value, look_at(value)};
    return answer.is_vtable;
  }

 private:
  // Many objects share few tables, and a look at one is a system call.
  static constexpr unsigned kAnswerBits = 14;
  static constexpr size_t kMostWords = 20;
  struct Answer {
    uintptr_t value;
    bool is_vtable;
  };

  const FileMapping* file_of(uintptr_t address) const;
  bool look_at(uintptr_t value) const;

  const GrowingArray<FileMapping>* files_ = nullptr;
  uintptr_t lowest_ = 0, highest_ = 0;
  Answer answers_[size_t{1} << kAnswerBits] = {};
};

}  // namespace memprof
