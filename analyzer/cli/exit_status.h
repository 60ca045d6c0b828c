// Exit statuses of memprof-analyze (DESIGN §4). Stable.
#pragma once

namespace memprof {

enum ExitStatus : int {
  kDone = 0,
  kGateFailed = 1,
  kUsageError = 2,
  kTraceUnreadable = 3,
  kOtherError = 4,
};

}  // namespace memprof
