#include "gate/scopes.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/numbers.h"

namespace memprof {

namespace {

constexpr size_t kNoScope = SIZE_MAX;

}  // namespace

// An allocation's stamp is rounded up: one before a begin or an end may bear a time a little later. The next one comes
// after a record was written, which takes far longer.
ScopeTimeline::ScopeTimeline(const Metadata& metadata, const format::FileHeader& header)
    : rounding_ticks_(uint64_t{1} << std::min(header.time_shift, 63u)) {
  std::map<uint32_t, Steps> threads;
  for (const Metadata::ScopeStep& step : metadata.scope_steps) threads[step.thread_serial].push_back(&step);
  const bool has_inherited = (header.flags & format::kForkChild) != 0;
  for (auto& [serial, steps] : threads) {
    std::stable_sort(steps.begin(), steps.end(), [](const auto* a, const auto* b) { return a->ticks < b->ticks; });
    add_thread(serial, steps, has_inherited);
  }
}

void ScopeTimeline::add_thread(uint32_t thread_serial, const Steps& steps, bool has_inherited) {
  std::vector<Step>& timeline = threads_[thread_serial];
  std::vector<size_t> open;
  for (const Metadata::ScopeStep* step : steps) {
    if (step->is_begin) {
      open.push_back(scopes_.size());
      scopes_.push_back({step->name, step->max_leaked_bytes, step->max_leaked_blocks});
    } else if (!open.empty()) {
      open.pop_back();
    } else {
      without_begin_ += !has_inherited;  // the begin may be in the parent's trace
      continue;
    }
    const uint64_t ticks = std::min(step->ticks, UINT64_MAX - rounding_ticks_) + rounding_ticks_;
    timeline.push_back({ticks, open.empty() ? kNoScope : open.back()});
  }
  if (!open.empty() && without_end_ == 0) first_without_end_ = scopes_[open.front()].name;
  without_end_ += open.size();
}

std::optional<size_t> ScopeTimeline::scope_of(uint32_t thread_serial, uint64_t alloc_ticks) const {
  const auto thread = threads_.find(thread_serial);
  if (thread == threads_.end()) return std::nullopt;
  const std::vector<Step>& steps = thread->second;
  const auto after =
      std::partition_point(steps.begin(), steps.end(), [&](const Step& step) { return step.ticks < alloc_ticks; });
  if (after == steps.begin() || std::prev(after)->innermost == kNoScope) return std::nullopt;
  return std::prev(after)->innermost;
}

std::vector<std::string> ScopeTimeline::warnings() const {
  std::vector<std::string> lines;
  if (without_begin_ != 0)
    lines.push_back(fmt::format("memprof_scope_end: {} in no scope of {} thread",
                                count_of(without_begin_, "call", "calls"), without_begin_ == 1 ? "its" : "their"));
  if (without_end_ != 0)
    lines.push_back(fmt::format("memprof_scope_begin: {} never ended, so {} to the end of the trace (the first: {})",
                                count_of(without_end_, "scope is", "scopes are"),
                                without_end_ == 1 ? "it lasts" : "they last", first_without_end_));
  return lines;
}

}  // namespace memprof
