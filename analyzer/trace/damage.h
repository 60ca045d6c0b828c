// What is wrong with a trace that can still be read: counted, kept for the warnings, never fatal.
//
// Pages are read by several threads at once, in any order: every function may be called at any time, and what is said
// does not depend on who came first.
#pragma once

#include <tsl/robin_set.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace memprof {

class Damage {
 public:
  // A page is counted once, however often it is met.
  void add_page(uint64_t page, std::string_view why);
  // Damage that belongs to no page: a live header field that contradicts the file, pages that are not there.
  void add_note(std::string note);

  // In ascending order.
  std::vector<uint64_t> page_numbers() const;
  void add_missing_pages(uint64_t count);

  uint64_t pages() const;
  uint64_t missing_pages() const;
  bool any() const;

  // One line each. The first pages are named, the rest is a count.
  std::vector<std::string> warnings() const;

 private:
  static constexpr size_t kMaxPageNotes = 8, kMaxNotes = 8;

  mutable std::mutex mutex_;
  tsl::robin_set<uint64_t> pages_;
  std::map<uint64_t, std::string> reasons_;  // of the first kMaxPageNotes pages
  std::vector<std::string> notes_;
  uint64_t missing_pages_ = 0;
};

}  // namespace memprof
