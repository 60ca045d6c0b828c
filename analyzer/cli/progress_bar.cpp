#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/diagnostics.h"

namespace memprof {

using namespace std::chrono_literals;

std::string progress_line(uint64_t pages_done, uint64_t pages_total, double elapsed_s) {
  const double done = std::min(1.0, static_cast<double>(pages_done) / static_cast<double>(pages_total));
  std::string line = fmt::format("[{:<30}] {:3.0f} %", std::string(static_cast<size_t>(done * 30), '#'), done * 100);
  // Of the first moments nothing can be told.
  if (done > 0.01)
    line += fmt::format(", {:.0f} pages/s, {:.0f} s left", static_cast<double>(pages_done) / elapsed_s,
                        elapsed_s / done - elapsed_s);
  return line;
}

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
  say_on_stderr("\r\033[K" +
                progress_line(pages_done, pages_total, std::chrono::duration<double>(now - start_).count()));
  std::fflush(stderr);
}

}  // namespace memprof
