// What somebody types for a name: `open_session`, `ns::open_*`, `/^std::(map|set)/`, and any of them behind a `!`.
//
//   word      the whole name
//   glob      * any number of characters, ? one of them; brackets are letters, as in operator[]
//   /regex/   RE2 syntax, found anywhere in the name
// RE2 and not std::regex: it is linear in the name, and neither backtracks nor recurses. Names are hostile bytes, and
// may be megabytes of template arguments. Both sides are bytes, not characters.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace memprof {

class NamePattern {
 public:
  // When `problem` is set, the text is no pattern and what is returned matches nothing.
  static NamePattern parse(std::string_view text, std::string& problem);

  const std::string& text() const { return text_; }  // as typed
  const std::string& word() const { return word_; }  // without `!`
  bool is_negated() const { return is_negated_; }
  // Neither glob nor regex: when it matches nothing at all, it may be misspelled.
  bool is_word() const { return kind_ == Kind::word; }

  // These say nothing of `!`.
  bool matches(std::string_view name) const;
  // The whole name, without its parameters, without template arguments too, or the last parts of any: `open_session`
  // and `ns::open_session` are "int app::ns::open_session<int>(char const*)". A glob takes the last part alone.
  bool matches_function(std::string_view demangled) const;
  // The whole path or its last parts; a glob the path or the base name.
  bool matches_path(std::string_view path) const;
  // As a path, and without the version: libfoo.so is /usr/lib/libfoo.so.1.2.
  bool matches_module(std::string_view path) const;

 private:
  enum class Kind { word, glob, regex };

  bool matches_parts(std::string_view name, std::string_view separator) const;

  std::string text_, word_;
  bool is_negated_ = false;
  Kind kind_ = Kind::word;
  std::shared_ptr<const re2::RE2> regex_;  // of glob and regex
};

// Several of the same option: one that is wanted must match, none that is negated may.
struct NamePatterns {
  std::vector<NamePattern> wanted, unwanted;

  bool is_empty() const { return wanted.empty() && unwanted.empty(); }
  // `match`: whether a pattern matches what is looked at.
  template <class Match>
  bool choose(Match match) const {
    bool is_wanted = wanted.empty();
    for (const NamePattern& pattern : wanted) is_wanted = is_wanted || match(pattern);
    for (const NamePattern& pattern : unwanted) is_wanted = is_wanted && !match(pattern);
    return is_wanted;
  }
};
NamePatterns parse_patterns(const std::vector<std::string>& texts, std::string& problem);

// "ns::open_session" of "ns::open_session(int)".
std::string_view without_parameters(std::string_view name);

}  // namespace memprof
