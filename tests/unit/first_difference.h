// Where two long texts differ, for a test to print: the whole of them takes the test framework minutes.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace memprof::test {

// Empty when they are equal.
inline std::string first_difference(std::string_view found, std::string_view expected) {
  if (found == expected) return {};
  const auto at = static_cast<size_t>(
      std::mismatch(found.begin(), found.end(), expected.begin(), expected.end()).first - found.begin());
  const size_t from = at - std::min<size_t>(at, 100);
  return "found ..." + std::string(found.substr(from, 300)) + "\nexpected ..." +
         std::string(expected.substr(from, 300));
}

}  // namespace memprof::test
