// What the reports are written to, a descriptor or a text: buffered, every write checked.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace memprof {

// The report could not be written. what() says why.
class OutputError : public std::runtime_error {
 public:
  explicit OutputError(int error);
  // The reader went away (`| head`): nothing to complain about.
  bool is_closed_pipe() const;

 private:
  int error_;
};

class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}
  // `text` is appended to.
  explicit Output(std::string* text) : text_(text) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text) {
    buffer_ += text;
    lines_ += static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
    if (buffer_.size() >= kFlushBytes) flush();
  }
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::vformat(format, fmt::make_format_args(args...)));
  }
  // That were written.
  uint64_t lines() const { return lines_; }
  // Throws OutputError. To be called at the end: the destructor drops what is left.
  void flush();

 private:
  static constexpr size_t kFlushBytes = 1u << 16;
  int descriptor_ = -1;
  std::string* text_ = nullptr;
  std::string buffer_;
  uint64_t lines_ = 0;
};

}  // namespace memprof
