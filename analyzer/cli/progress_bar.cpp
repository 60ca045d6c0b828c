#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/diagnostics.h"

namespace memprof {

using namespace std::chrono_literals;

ProgressBar::ProgressBar() : is_wanted_(::isatty(STDERR_FILENO) == 1), start_(SteadyClock::now()), last_(start_) {}

ProgressBar::~ProgressBar() {
  if (is_shown_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::advance(uint64_t pages_done, uint64_t pages_total) {
  if (!is_wanted_ || pages_total == 0) return;
  const SteadyClock::time_point now = SteadyClock::now();
  if (now - start_ < 1s || now - last_ < 100ms) return;
  last_ = now;
  is_shown_ = true;
  const double done = std::min(1.0, static_cast<double>(pages_done) / static_cast<double>(pages_total));
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const int filled = static_cast<int>(done * 30);
  const std::string left = done > 0.01 ? fmt::format(", {:.0f} s left", elapsed / done - elapsed) : "";
  say_on_stderr(
      fmt::format("\r\033[K[{:<30}] {:3.0f} %{}", std::string(static_cast<size_t>(filled), '#'), done * 100, left));
  std::fflush(stderr);
}

}  // namespace memprof
