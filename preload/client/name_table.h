// Names that the program gives to things: each once, numbered from 1.
//
// Invariants: a name is published in its place with release once all of it is there, and never changes or goes; who
// only looks takes no lock. The table's memory is mapped when the first name comes, and is touched as it fills.
// Thread-safe and async-signal-safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "platform/rare_lock.h"

namespace memprof {

class NameTable {
 public:
  static constexpr uint32_t kMostNames = (1u << 16) - 1;
  static constexpr size_t kLongestName = 1023;  // what lies behind is cut off

  struct Name {
    const char* text;
    uint32_t bytes;
  };
  // Tells the trace of a name, under the table's lock.
  using Define = void (*)(uint32_t number, Name name);

  constexpr explicit NameTable(Define define) : define_(define) {}

  static bool is_empty(const char* text) { return text == nullptr || *text == '\0'; }
  // Its number; 0: there is no room. Of a name that is not empty.
  uint32_t find_or_add(const char* text);
  // Of a number that find_or_add() gave.
  Name name(uint32_t number) const { return {entries_[number].text, entries_[number].bytes}; }
  uint32_t count() const { return count_.load(std::memory_order_acquire); }

 private:
  static constexpr uint32_t kPlaces = 1u << 17;
  struct Entry {
    const char* text;
    uint64_t hash;
    uint32_t bytes;
  };

  uint32_t find(uint64_t hash, Name name, uint32_t* place) const;
  bool map();
  char* take_text(size_t bytes);

  const Define define_;
  std::atomic<std::atomic<uint32_t>*> places_{nullptr};
  Entry* entries_ = nullptr;
  std::atomic<uint32_t> count_{0};
  char* text_ = nullptr;
  size_t text_left_ = 0;
  RareLock lock_{};
};

}  // namespace memprof
