// The filters as they were typed. What is empty was not given.
#pragma once

#include <cstdint>
#include <string>
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
  struct Count {
    uint64_t asked = 0, chosen = 0;
  };
  Count threads, tags, stacks;
};

}  // namespace memprof
