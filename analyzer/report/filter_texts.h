// The filters as they were typed. What is empty was not given.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace memprof {

struct FilterTexts {
  std::string from, to, alive_at;
  std::vector<std::string> threads, tags, functions, modules, files;
  std::string size, lifetime, state;
  std::string temporary;  // yes, no
  // Chooses no blocks: what stacks show.
  std::vector<std::string> hide_frames;

  bool has_window() const { return !from.empty() || !to.empty(); }
  // Something chooses blocks or time.
  bool choose() const {
    return has_window() || !alive_at.empty() || !threads.empty() || !tags.empty() || has_frames() || !size.empty() ||
           !lifetime.empty() || !state.empty() || !temporary.empty();
  }
  bool has_frames() const { return !functions.empty() || !modules.empty() || !files.empty(); }
};

// How many of each kind an analysis asked about, and how many of them were chosen: why an answer is empty.
struct FilterCounts {
  class Count {
   public:
    // More than one analysis may ask about the same.
    void note(uint32_t id, bool is_chosen) {
      if (met_.insert(id).second) chosen_ += is_chosen;
    }
    uint64_t asked() const { return met_.size(); }
    uint64_t chosen() const { return chosen_; }

   private:
    std::unordered_set<uint32_t> met_;
    uint64_t chosen_ = 0;
  };
  Count threads, tags, stacks;
};

}  // namespace memprof
