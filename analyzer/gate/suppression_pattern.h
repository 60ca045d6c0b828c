// What a suppression says of one name. Both sides are bytes; names are hostile and may be megabytes of template
// arguments.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace memprof {

class SuppressionPattern {
 public:
  // valgrind's: the whole name, * any number of characters, ? one of them.
  static SuppressionPattern glob(std::string_view text);
  // LeakSanitizer's: anywhere in the name, * any number of characters, ^ its begin, $ its end.
  static SuppressionPattern anywhere(std::string_view text);

  const std::string& text() const { return text_; }
  bool matches(std::string_view name) const;

 private:
  explicit SuppressionPattern(std::string_view text) : text_(text) {}

  std::string text_;
  bool is_anywhere_ = false;
  std::shared_ptr<const re2::RE2> regex_;  // null: there are no wildcards
};

}  // namespace memprof
