// A bar on stderr, when that is a terminal and the work takes longer than a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "model/analysis.h"

namespace memprof {

// "[####      ]  40 %, 5000 pages/s, 12 s left". `pages_total` and `elapsed_s` are not 0.
std::string progress_line(uint64_t pages_done, uint64_t pages_total, double elapsed_s);

class ProgressBar : public ProgressSink {
 public:
  ProgressBar();
  ~ProgressBar() override;  // wipes the line
  void advance(uint64_t pages_done, uint64_t pages_total) override;

 private:
  using SteadyClock = std::chrono::steady_clock;
  bool is_wanted_;
  bool is_shown_ = false;
  SteadyClock::time_point start_, last_;
};

}  // namespace memprof
