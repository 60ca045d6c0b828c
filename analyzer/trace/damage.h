// What is wrong with a trace that can still be read: counted, kept for the warnings, never fatal.
#pragma once

#include <tsl/robin_set.h>

#include <cstdint>
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

  uint64_t pages() const { return pages_.size(); }
  // In no order.
  const tsl::robin_set<uint64_t>& page_numbers() const { return pages_; }
  uint64_t missing_pages() const { return missing_pages_; }
  void add_missing_pages(uint64_t count) { missing_pages_ += count; }
  bool any() const { return !pages_.empty() || missing_pages_ != 0 || !notes_.empty(); }

  // One line each. A few pages are named, the rest is a count.
  std::vector<std::string> warnings() const;

 private:
  static constexpr size_t kMaxPageNotes = 8, kMaxNotes = 8;

  tsl::robin_set<uint64_t> pages_;
  std::vector<std::string> page_notes_;
  std::vector<std::string> notes_;
  uint64_t missing_pages_ = 0;
};

}  // namespace memprof
