#include "cli/unknown_value.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/nearest_word.h"

namespace memprof {

std::string unknown_value(const char* option, const std::string& value, std::string_view list) {
  std::vector<std::string> words;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(", ", at), list.size());
    words.emplace_back(list.substr(at, end - at));
    at = end + 2;
  }
  return fmt::format("{} {} is unknown{}, one of: {}", option, value, did_you_mean(value, words), list);
}

}  // namespace memprof
