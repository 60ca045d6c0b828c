#pragma once

#include <string>

namespace memprof::tests {

// The running test case cannot be done on this machine: prints why at the end, and counts it. Return right after.
void skip(const std::string& reason);

}  // namespace memprof::tests
