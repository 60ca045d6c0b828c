#include "trace/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace memprof {

void Damage::add_page(uint64_t page, std::string_view why) {
  const std::lock_guard lock(mutex_);
  if (!pages_.insert(page).second) return;
  reasons_.emplace(page, why);
  if (reasons_.size() > kMaxPageNotes) reasons_.erase(std::prev(reasons_.end()));
}

void Damage::add_note(std::string note) {
  const std::lock_guard lock(mutex_);
  if (notes_.size() < kMaxNotes) notes_.push_back(std::move(note));
}

void Damage::add_missing_pages(uint64_t count) {
  const std::lock_guard lock(mutex_);
  missing_pages_ += count;
}

std::vector<uint64_t> Damage::page_numbers() const {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> pages(pages_.begin(), pages_.end());
  std::sort(pages.begin(), pages.end());
  return pages;
}

uint64_t Damage::pages() const {
  const std::lock_guard lock(mutex_);
  return pages_.size();
}

uint64_t Damage::missing_pages() const {
  const std::lock_guard lock(mutex_);
  return missing_pages_;
}

bool Damage::any() const {
  const std::lock_guard lock(mutex_);
  return !pages_.empty() || missing_pages_ != 0 || !notes_.empty();
}

std::vector<std::string> Damage::warnings() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines = notes_;
  for (const auto& [page, why] : reasons_) lines.push_back(fmt::format("page {} is damaged: {}", page, why));
  if (pages_.size() > reasons_.size())
    lines.push_back(fmt::format("{} more damaged pages", pages_.size() - reasons_.size()));
  if (missing_pages_ != 0)
    lines.push_back(fmt::format("{} {} missing", missing_pages_, missing_pages_ == 1 ? "page is" : "pages are"));
  return lines;
}

}  // namespace memprof
