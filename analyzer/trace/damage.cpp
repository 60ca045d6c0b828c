#include "trace/damage.h"

#include <fmt/format.h>

namespace memprof {

void Damage::add_page(uint64_t page, std::string_view why) {
  if (!pages_.insert(page).second) return;
  if (page_notes_.size() < kMaxPageNotes) page_notes_.push_back(fmt::format("page {} is damaged: {}", page, why));
}

void Damage::add_note(std::string note) {
  if (notes_.size() < kMaxNotes) notes_.push_back(std::move(note));
}

std::vector<std::string> Damage::warnings() const {
  std::vector<std::string> lines = notes_;
  lines.insert(lines.end(), page_notes_.begin(), page_notes_.end());
  if (pages_.size() > page_notes_.size())
    lines.push_back(fmt::format("{} more damaged pages", pages_.size() - page_notes_.size()));
  if (missing_pages_ != 0)
    lines.push_back(fmt::format("{} {} missing", missing_pages_, missing_pages_ == 1 ? "page is" : "pages are"));
  return lines;
}

}  // namespace memprof
