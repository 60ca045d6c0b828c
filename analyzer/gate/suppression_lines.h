// The text of a suppressions file, line by line, and what is said of one that is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace memprof {

class SuppressionLines {
 public:
  // `file`: for messages. Both must outlive this.
  SuppressionLines(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  // The next line that is neither blank nor a comment (#), without the blanks around it. False at the end.
  bool next(std::string_view& line);
  uint32_t line_number() const { return number_; }  // of the line that next() gave; at the end: of the last one

  // "FILE:LINE: expected EXPECTED, found FOUND": raw bytes, of a long line the begin. An empty `found` is the end of
  // the file.
  std::string problem(std::string_view expected, std::string_view found) const;

 private:
  std::string_view rest_, file_;
  uint32_t number_ = 0;
};

}  // namespace memprof
