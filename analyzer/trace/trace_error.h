// The one exception of the trace layer: this file cannot be read, and why.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace memprof {

// what() is one line that names the file, the byte offset, what was expected there and what was found.
class TraceError : public std::runtime_error {
 public:
  TraceError(std::string file, uint64_t offset, std::string expected, std::string found);

  const std::string& file() const { return file_; }
  uint64_t offset() const { return offset_; }
  const std::string& expected() const { return expected_; }
  const std::string& found() const { return found_; }

 private:
  std::string file_;
  uint64_t offset_;
  std::string expected_;
  std::string found_;
};

}  // namespace memprof
