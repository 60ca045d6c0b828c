// Rows of a report against those that are wanted.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memprof::test {

// Which of two equal rows comes first is not this test's matter.
inline void compare_rows(const nlohmann::json& got, const nlohmann::json& want) {
  std::vector<std::string> got_lines, want_lines, surplus, missing;
  for (const nlohmann::json& row : got) got_lines.push_back(row.dump());
  for (const nlohmann::json& row : want) want_lines.push_back(row.dump());
  std::sort(got_lines.begin(), got_lines.end());
  std::sort(want_lines.begin(), want_lines.end());
  std::set_difference(got_lines.begin(), got_lines.end(), want_lines.begin(), want_lines.end(),
                      std::back_inserter(surplus));
  std::set_difference(want_lines.begin(), want_lines.end(), got_lines.begin(), got_lines.end(),
                      std::back_inserter(missing));
  CHECK(surplus == std::vector<std::string>());
  CHECK(missing == std::vector<std::string>());
}

}  // namespace memprof::test
