#include "gate/suppression_pattern.h"

#include <re2/re2.h>

namespace memprof {

namespace {

// RE2 and not backtracking: it is linear in the name.
std::shared_ptr<const re2::RE2> compile(const std::string& regex) {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_dot_nl(true);
  options.set_log_errors(false);
  return std::make_shared<const re2::RE2>(regex, options);
}

void add_character(std::string& regex, char c) { regex += re2::RE2::QuoteMeta(std::string_view(&c, 1)); }

}  // namespace

SuppressionPattern SuppressionPattern::glob(std::string_view text) {
  SuppressionPattern pattern(text);
  if (text.find_first_of("*?") == std::string_view::npos) return pattern;
  std::string regex = "\\A";
  for (const char c : text) {
    if (c == '*')
      regex += ".*";
    else if (c == '?')
      regex += '.';
    else
      add_character(regex, c);
  }
  pattern.regex_ = compile(regex + "\\z");
  return pattern;
}

SuppressionPattern SuppressionPattern::anywhere(std::string_view text) {
  SuppressionPattern pattern(text);
  pattern.is_anywhere_ = true;
  if (text.find_first_of("*^$") == std::string_view::npos) return pattern;
  std::string regex;
  if (text.starts_with('^')) {
    regex = "\\A";
    text.remove_prefix(1);
  }
  for (const char c : text) {
    if (c == '*') {
      regex += ".*";
    } else if (c == '$') {
      regex += "\\z";
      break;  // nothing can follow, and LeakSanitizer does not look
    } else {
      add_character(regex, c);
    }
  }
  pattern.regex_ = compile(regex);
  return pattern;
}

bool SuppressionPattern::matches(std::string_view name) const {
  // A pattern that is too large for RE2 matches nothing, so that what it was to hide is seen.
  if (regex_) return regex_->ok() && re2::RE2::PartialMatch(name, *regex_);
  return is_anywhere_ ? name.find(text_) != std::string_view::npos : name == text_;
}

}  // namespace memprof
