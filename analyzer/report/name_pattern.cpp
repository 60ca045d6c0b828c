#include "report/name_pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "model/fingerprint_name.h"

namespace memprof {

namespace {

constexpr size_t kMostPatternBytes = 4096;

std::string regex_of_glob(std::string_view glob) {
  std::string regex;
  for (const char c : glob) {
    if (c == '*')
      regex += ".*";
    else if (c == '?')
      regex += '.';
    else
      regex += re2::RE2::QuoteMeta(std::string_view(&c, 1));
  }
  return regex;
}

std::shared_ptr<const re2::RE2> compile(const std::string& text, std::string& problem) {
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);  // bytes
  options.set_dot_nl(true);
  options.set_log_errors(false);
  auto regex = std::make_shared<const re2::RE2>(text, options);
  if (!regex->ok()) problem = regex->error();
  return regex;
}

}  // namespace

NamePattern NamePattern::parse(std::string_view text, std::string& problem) {
  NamePattern pattern;
  pattern.text_ = text;
  pattern.is_negated_ = text.starts_with('!');
  if (pattern.is_negated_) text.remove_prefix(1);
  pattern.word_ = text;
  if (text.empty() || text.size() > kMostPatternBytes) {
    problem = text.empty() ? "the pattern is empty" : "the pattern is too long";
    return pattern;
  }
  if (text.starts_with('/') && text.ends_with('/') && text.size() > 2) {
    pattern.kind_ = Kind::regex;
    pattern.regex_ = compile(std::string(text.substr(1, text.size() - 2)), problem);
  } else if (text.find_first_of("*?") != std::string_view::npos) {
    pattern.kind_ = Kind::glob;
    pattern.regex_ = compile(regex_of_glob(text), problem);
  }
  return pattern;
}

bool NamePattern::matches(std::string_view name) const {
  switch (kind_) {
    case Kind::word: return name == word_;
    case Kind::glob: return re2::RE2::FullMatch(name, *regex_);
    case Kind::regex: return re2::RE2::PartialMatch(name, *regex_);
  }
  return false;
}

bool NamePattern::matches_parts(std::string_view name, std::string_view separator) const {
  if (matches(name)) return true;
  if (kind_ == Kind::word)
    return name.ends_with(word_) && name.substr(0, name.size() - word_.size()).ends_with(separator);
  const size_t last = kind_ == Kind::glob ? name.rfind(separator) : std::string_view::npos;
  return last != std::string_view::npos && matches(name.substr(last + separator.size()));
}

bool NamePattern::matches_function(std::string_view demangled) const {
  if (matches(demangled)) return true;
  return kind_ != Kind::regex &&
         (matches_parts(without_parameters(demangled), "::") || matches_parts(canonical_function(demangled), "::"));
}

bool NamePattern::matches_path(std::string_view path) const { return matches_parts(path, "/"); }

bool NamePattern::matches_module(std::string_view path) const {
  return matches_path(path) || (kind_ != Kind::regex && matches(canonical_module(path)));
}

NamePatterns parse_patterns(const std::vector<std::string>& texts, std::string& problem) {
  NamePatterns patterns;
  for (const std::string& text : texts) {
    std::string own_problem;
    NamePattern pattern = NamePattern::parse(text, own_problem);
    if (!own_problem.empty() && problem.empty()) problem = fmt::format("{}: {}", text, own_problem);
    (pattern.is_negated() ? patterns.unwanted : patterns.wanted).push_back(std::move(pattern));
  }
  return patterns;
}

std::string_view without_parameters(std::string_view name) {
  const size_t end = name.find('(', name.starts_with("(anonymous namespace)") ? 1 : 0);
  return end == 0 ? name : name.substr(0, end);
}

}  // namespace memprof
