// The numbers of an account and of a site as JSON.
#pragma once

#include <cstdint>

#include "report/frame_text.h"

namespace memprof {

// The keys that DESIGN gives to the heap and to every other domain. `account` may be null: zeros.
void put_account(Json& out, const Analysis& analysis, const Account* account);
Json site_json(const Analysis& analysis, FrameSource& source, const Site& site, const ReportOptions& options);

struct StackCounts {
  uint64_t stacks = 0, truncated = 0;
};
StackCounts count_stacks(const Analysis& analysis, const Account* account);

}  // namespace memprof
