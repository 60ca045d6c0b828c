#include "model/fingerprint_name.h"

#include <algorithm>
#include <array>

namespace memprof {

namespace {

constexpr std::string_view kStaticInitialization = "(static initialization)";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// ".part.0.cold" and the like. Only what compilers are known to add: Go and Zig have dots in their names.
std::string_view without_clone_suffixes(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kSuffixes = {
      ".part",        ".isra",  ".constprop", ".cold",  ".llvm",   ".lto_priv", ".localalias",
      ".local_alias", ".clone", ".resolver",  ".ifunc", ".__uniq", ".warm",     ".specialized"};
  for (bool found = true; found;) {
    found = false;
    size_t end = name.size();
    while (end > 0 && is_digit(name[end - 1])) --end;
    if (end > 1 && end < name.size() && name[end - 1] == '.') {
      name = name.substr(0, end - 1);
      found = true;
    }
    for (const std::string_view suffix : kSuffixes) {
      if (name.size() <= suffix.size() || !name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      found = true;
    }
  }
  return name;
}

bool is_static_initialization(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kPrefixes = {
      "_GLOBAL__sub_", "_GLOBAL__I_",   "global constructors keyed to ", "__static_initialization_and_destruction",
      "__cxx_global_", "__GLOBAL_init_"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// One pass over the name; `out_` is what is kept of it so far.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size() && !is_done_) step();
    return std::move(out_);
  }

 private:
  bool follows(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool begins_component() const { return out_.empty() || out_.ends_with("::"); }

  void step() {
    const char c = text_[at_];
    if (begins_component() && read_special_component()) return;
    if (follows("operator") && begins_component() && !is_identifier(character_behind("operator")))
      return read_operator();
    if (is_identifier(c)) return read_identifier();
    if (c == '{') return read_braces();
    if (c == '<') return read_template_arguments();
    if (c == '(') return read_parameters();
    if (follows("[abi:")) {
      at_ = std::min(text_.find(']', at_), text_.size() - 1) + 1;
      return;
    }
    ++at_;
    if (c == ' ' && out_ == "decltype" && follows("(")) return;
    // What stands before the name: a return type, "non-virtual thunk to".
    if (c == ' ' && at_ < text_.size()) return out_.clear();
    out_ += c;
  }

  char character_behind(std::string_view word) const {
    const size_t behind = at_ + word.size();
    return behind < text_.size() ? text_[behind] : '\0';
  }

  bool read_special_component() {
    if (follows("(anonymous namespace)")) {
      constexpr std::string_view kAnonymous = "(anonymous namespace)";
      at_ += kAnonymous.size();
      out_ += kAnonymous;
      return true;
    }
    // DWARF of gcc: "<lambda(int)>"; symbols of clang: "$_0", as libiberty leaves it.
    if (follows("<lambda")) {
      skip_template_arguments();
      out_ += "{lambda}";
      return true;
    }
    if (follows("$_") && is_digit(character_behind("$_"))) {
      at_ += 2;
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      out_ += "{lambda}";
      return true;
    }
    // Rust: "<Type as Trait>::method", "module::<impl Trait for Type>::method".
    if (follows("<") && (out_.empty() || follows("<impl "))) {
      const size_t begin = at_ + 1;
      skip_template_arguments();
      const size_t end = text_[at_ - 1] == '>' ? at_ - 1 : at_;
      (out_ += '<') += without_nested_arguments(text_.substr(begin, end - begin));
      out_ += '>';
      return true;
    }
    return false;
  }

  static std::string without_nested_arguments(std::string_view text) {
    std::string result;
    int depth = 0;
    for (const char c : text) {
      if (c == '<') ++depth;
      if (depth == 0) result += c;
      if (c == '>' && depth > 0) --depth;
    }
    return result;
  }

  void read_identifier() {
    while (at_ < text_.size() && is_identifier(text_[at_])) out_ += text_[at_++];
  }

  // "{lambda(int)#2}", "{closure#0}", "{{closure}}", "{unnamed type#1}"
  void read_braces() {
    const size_t begin = at_;
    for (int depth = 0; at_ < text_.size();) {
      const char c = text_[at_++];
      if (c == '{') ++depth;
      if (c == '}' && --depth == 0) break;
    }
    std::string_view inside = text_.substr(begin, at_ - begin);
    while (inside.starts_with('{')) inside.remove_prefix(1);
    inside = inside.substr(0, inside.find_first_of("(#}"));
    ((out_ += '{') += inside) += '}';
  }

  // "operator<" is no bracket, and "operator new" has a space. A conversion keeps its type's name.
  void read_operator() {
    at_ += std::string_view("operator").size();
    out_ += "operator";
    static constexpr std::array<std::string_view, 23> kSymbols = {
        "()", "[]", "<=>", "<<=", ">>=", "->*",    "<<",        ">>",   "<=",      ">=",        "->",  "==",
        "!=", "&&", "||",  "<",   ">",   " new[]", " delete[]", " new", " delete", " co_await", "\"\""};
    for (const std::string_view symbol : kSymbols) {
      if (!follows(symbol)) continue;
      at_ += symbol.size();
      out_ += symbol;
      // "operator<< <char>", "operator\"\" _km"
      if (follows(" <") || (symbol == "\"\"" && follows(" "))) ++at_;
      return;
    }
    if (!follows(" ")) return;
    ++at_;
    out_ += ' ';
    while (at_ < text_.size() && text_[at_] != '(') {
      if (text_[at_] == '<')
        skip_template_arguments();
      else
        out_ += text_[at_++];
    }
  }

  void read_template_arguments() {
    skip_template_arguments();
    // A Rust turbofish, "collect::<Vec<u8>>".
    if (out_.ends_with("::") && !follows("::") && (at_ == text_.size() || !is_identifier(text_[at_])))
      out_.resize(out_.size() - 2);
    else if (out_.ends_with("::") && follows("::"))
      at_ += 2;
  }

  // To behind the bracket that closes the one at at_. Parentheses hide what is in them: "<(1>2)>".
  void skip_template_arguments() {
    int depth = 0, parentheses = 0;
    while (at_ < text_.size()) {
      if (follows("operator<") || follows("operator>")) {
        at_ += std::string_view("operator").size();
        while (at_ < text_.size() && (text_[at_] == '<' || text_[at_] == '>' || text_[at_] == '=')) ++at_;
        continue;
      }
      const char c = text_[at_++];
      if (c == '(') ++parentheses;
      if (c == ')' && parentheses > 0) --parentheses;
      const bool is_arrow = c == '>' && text_[at_ - 2] == '-';
      // "<(anonymous namespace)::A<(int)2> >": parentheses hide brackets only where these do not match.
      if (parentheses > 0 || is_arrow) continue;
      if (c == '<') ++depth;
      if (c == '>' && --depth == 0) return;
    }
  }

  void read_parameters() {
    const bool is_type = out_.ends_with("decltype");
    if (out_.empty()) {
      // "(int) ..." or "(*)...": no name that C++ or Rust has.
      out_ += text_[at_++];
      return;
    }
    for (int depth = 0; at_ < text_.size();) {
      const char c = text_[at_++];
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) break;
    }
    if (is_type) return;
    // "f(int) const::Local::g()": the name goes on behind a function that it is local to.
    const size_t scope = text_.find("::", at_);
    const std::string_view between = text_.substr(at_, scope == std::string_view::npos ? 0 : scope - at_);
    const bool is_qualifier = std::all_of(between.begin(), between.end(),
                                          [](char c) { return c == ' ' || c == '&' || (c >= 'a' && c <= 'z'); });
    if (scope != std::string_view::npos && is_qualifier)
      at_ = scope;
    else if (!follows("[abi:") && !follows("::"))
      is_done_ = true;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
  bool is_done_ = false;
};

// Versions of the same library.
void remove_inline_namespaces(std::string& name) {
  for (const std::string_view space : {"__cxx11::", "__1::", "__ndk1::", "_V2::"})
    for (size_t at = name.find(space); at != std::string::npos; at = name.find(space, at))
      at == 0 || name[at - 1] == ':' ? void(name.erase(at, space.size())) : void(++at);
}

// DWARF of gcc names an inlined lambda "operator()" and nothing else, so no lambda can keep the function that it is
// written in. Its callers tell them apart, as far as they do.
bool is_lambda(std::string_view name) {
  if (name == "operator()" || name == "_FUN") return true;
  for (const std::string_view call : {"{lambda}::operator()", "{lambda}::_FUN", "{lambda}::__invoke"})
    if (name.ends_with(call)) return true;
  return false;
}

}  // namespace

std::string canonical_function(std::string_view demangled) {
  std::string_view name = demangled.substr(0, demangled.find(" [clone "));
  if (is_static_initialization(name)) return std::string(kStaticInitialization);
  name = without_clone_suffixes(name);
  std::string result = Reader(name).read();
  remove_inline_namespaces(result);
  if (is_lambda(result)) return "{lambda}";
  return result.empty() ? std::string(name) : result;
}

std::string_view canonical_module(std::string_view path) {
  const size_t slash = path.rfind('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const size_t version = name.find(".so.");
  if (version != std::string_view::npos && version > 0) name = name.substr(0, version + 3);
  return name;
}

}  // namespace memprof
