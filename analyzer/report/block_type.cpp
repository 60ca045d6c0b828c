#include "report/block_type.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace memprof {

namespace {

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Of operator<, operator>> and their like, which are no brackets: how long the symbol at `at` is. 0: it is none.
size_t operator_at(std::string_view text, size_t at) {
  if (!text.substr(0, at).ends_with("operator")) return 0;
  static constexpr std::string_view kSymbols[] = {
      "<=>", "<<=", "<<", "<=", "<", ">>=", ">>", ">=", ">", "->", "()", "[]"};
  for (const std::string_view symbol : kSymbols)
    if (text.substr(at).starts_with(symbol)) return symbol.size();
  return 0;
}

// What stands between the bracket at `open` and the one that closes it, cut at the commas between; and where it ends.
// Nothing when a bracket has no partner.
struct Arguments {
  std::vector<std::string_view> list;
  size_t end = 0;  // behind the closing bracket
};
std::optional<Arguments> arguments_at(std::string_view text, size_t open) {
  Arguments result;
  std::string closers;
  size_t begin = open + 1;
  for (size_t i = open; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_arrow = c == '>' && i > 0 && text[i - 1] == '-';
    if (const size_t length = operator_at(text, i); length != 0) {
      i += length - 1;
      continue;
    }
    if (c == '<') closers += '>';
    if (c == '(') closers += ')';
    if (c == '[') closers += ']';
    if (c == '{') closers += '}';
    if (c == ',' && closers.size() == 1) {
      result.list.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
    if ((c != '>' || is_arrow) && c != ')' && c != ']' && c != '}') continue;
    if (closers.empty() || closers.back() != c) return std::nullopt;
    closers.pop_back();
    if (!closers.empty()) continue;
    result.list.push_back(trimmed(text.substr(begin, i - begin)));
    result.end = i + 1;
    return result;
  }
  return std::nullopt;
}

// The template whose name is all of `text` before its arguments; libc++'s and libstdc++'s inline namespaces left out.
struct Template {
  std::string name;
  std::vector<std::string_view> arguments;
};
std::optional<Template> parse_template(std::string_view text) {
  const size_t open = text.find('<');
  if (open == std::string_view::npos) return std::nullopt;
  const std::optional<Arguments> arguments = arguments_at(text, open);
  if (!arguments || arguments->end != text.size()) return std::nullopt;
  std::string name(text.substr(0, open));
  for (const std::string_view inline_namespace : {"__1::", "__cxx11::", "__ndk1::"})
    if (const size_t at = name.find(inline_namespace); at != std::string::npos) name.erase(at, inline_namespace.size());
  return Template{name, arguments->list};
}

std::string with_short_strings(std::string type) {
  static constexpr std::string_view kLong[] = {
      "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
      "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >",
      "std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char>>"};
  for (const std::string_view text : kLong)
    for (size_t at = type.find(text); at != std::string::npos; at = type.find(text, at))
      type.replace(at, text.size(), "std::string");
  return type;
}

// Nodes and control blocks of containers, by what they hold.
std::string describe(std::string_view type) {
  const std::optional<Template> node = parse_template(type);
  if (!node || node->arguments.empty()) {
    if (type == "std::__detail::_Hash_node_base*") return "buckets of a hash table";
    return with_short_strings(std::string(type));
  }
  struct Node {
    std::string_view name;
    const char* text;
    size_t argument;
  };
  static constexpr std::array kNodes = {
      Node{"std::_Rb_tree_node", "tree node of {}", 0},
      Node{"std::__tree_node", "tree node of {}", 0},
      Node{"std::_List_node", "list node of {}", 0},
      Node{"std::__list_node", "list node of {}", 0},
      Node{"std::_Fwd_list_node", "list node of {}", 0},
      Node{"std::__forward_list_node", "list node of {}", 0},
      Node{"std::__detail::_Hash_node", "hash node of {}", 0},
      Node{"std::__hash_node", "hash node of {}", 0},
      Node{"std::_Sp_counted_ptr_inplace", "{}", 0},
      Node{"std::__shared_ptr_emplace", "{}", 0},
      Node{"std::_Sp_counted_ptr", "shared_ptr count of {}", 0},
      Node{"std::_Sp_counted_deleter", "shared_ptr count of {}", 0},
      Node{"std::__value_type", "std::pair<{} const, ...>", 0},
  };
  const bool is_map_node = node->name == "alloc::collections::btree::node::LeafNode" ||
                           node->name == "alloc::collections::btree::node::InternalNode";
  if (is_map_node && node->arguments.size() >= 2)
    return fmt::format("BTree node of ({}, {})", describe(node->arguments[0]), describe(node->arguments[1]));
  for (const Node& known : kNodes)
    if (node->name == known.name)
      return fmt::format(fmt::runtime(known.text), describe(node->arguments[known.argument]));
  return with_short_strings(std::string(type));
}

// A place in a function's name where a template begins whose arguments name what is allocated.
struct Clue {
  std::string_view name;   // of the template
  std::string_view after;  // what follows its arguments
  bool is_rust = false;
};
constexpr std::array kClues = {
    Clue{"allocator", "::allocate"},
    Clue{"polymorphic_allocator", "::allocate"},
    Clue{"basic_string", "::"},
    Clue{"make_unique", ""},
    Clue{"make_unique_for_overwrite", ""},
    Clue{"make_shared", ""},
    Clue{"make_shared_for_overwrite", ""},
    Clue{"allocate_shared", ""},
    Clue{"__libcpp_allocate", ""},
    Clue{"Box", "::new", true},
    Clue{"Box", "::new_in", true},
    Clue{"Box", "::new_uninit", true},
    Clue{"Box", "::new_uninit_in", true},
    Clue{"Box", "::try_new_uninit_in", true},
    Clue{"Arc", "::new", true},
    Clue{"Rc", "::new", true},
    Clue{"RawVec", "::", true},
    Clue{"Vec", "::", true},
    Clue{"RawTable", "::", true},
};

// Rust's old names have parameters for arguments: Vec<T,A>::push::<Widget, Global>, where the last brackets tell.
bool is_parameter(std::string_view type) { return type.size() == 1 && type[0] >= 'A' && type[0] <= 'Z'; }
std::optional<std::string_view> last_argument_list_front(std::string_view function) {
  size_t open = std::string_view::npos;
  for (size_t at = function.find("::<"); at != std::string_view::npos; at = function.find("::<", at + 1)) {
    const std::optional<Arguments> arguments = arguments_at(function, at + 2);
    if (arguments && arguments->end == function.size()) open = at + 2;
  }
  if (open == std::string_view::npos) return std::nullopt;
  const std::string_view front = arguments_at(function, open)->list.front();
  return is_parameter(front) ? std::nullopt : std::optional(front);
}

// std::allocator<T>, __gnu_cxx::new_allocator<T>, my::pool_allocator<T>: one kind of name.
std::string_view last_word_before(std::string_view text, size_t end) {
  size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

bool is_named(std::string_view word, const Clue& clue) {
  if (clue.name == "allocator") return word.ends_with("allocator") || word.ends_with("Allocator");
  return word == clue.name;
}

}  // namespace

std::optional<std::string> block_type_of(std::string_view function) {
  for (size_t open = function.find('<'); open != std::string_view::npos; open = function.find('<', open + 1)) {
    std::string_view word = last_word_before(function, open);
    // Rust writes Box<T> as Box::<T> in calls.
    if (word.empty() && open >= 2 && function.substr(open - 2, 2) == "::") word = last_word_before(function, open - 2);
    for (const Clue& clue : kClues) {
      if (!is_named(word, clue)) continue;
      const std::optional<Arguments> arguments = arguments_at(function, open);
      if (!arguments || arguments->list.front().empty()) continue;
      std::string_view rest = function.substr(arguments->end);
      // <alloc::boxed::Box<T>>::new, allocator_traits<std::allocator<T> >::allocate
      while (rest.starts_with(">") || rest.starts_with(" >")) rest.remove_prefix(1);
      if (!rest.starts_with(clue.after)) continue;
      rest.remove_prefix(clue.after.size());
      const bool is_call = rest.empty() || rest.front() == '(' || rest.front() == '[' ||  // [abi:v15000]
                           rest.starts_with("::<");
      if (!is_call && clue.after != "::") continue;
      std::string_view type = arguments->list.front();
      if (clue.is_rust && is_parameter(type)) {
        const std::optional<std::string_view> argument = last_argument_list_front(function);
        if (!argument) continue;
        type = *argument;
      }
      return clue.name == "RawTable" ? fmt::format("hash table of {}", describe(type)) : describe(type);
    }
  }
  return std::nullopt;
}

}  // namespace memprof
