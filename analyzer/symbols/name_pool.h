#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

namespace memprof {

// Keeps each distinct string once, at an address that never changes (unordered_set nodes do not move):
// a thousand frames in one file share one path. One pool per module, so that modules can be resolved
// by different threads.
class NamePool {
 public:
  std::string_view keep(std::string_view text) {
    return text.empty() ? std::string_view() : std::string_view(*names_.emplace(text).first);
  }

 private:
  std::unordered_set<std::string> names_;
};

}  // namespace memprof
