#include "report/escape.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>

namespace memprof {

namespace {

// Length of the UTF-8 sequence at the start of `text`, 0 when there is none. Overlong forms, surrogates and what is
// past U+10FFFF are none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) >= 0xa0) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) >= 0x90) return 0;
    return 4;
  }
  return 0;
}

// C0, DEL, C1 (which some terminals obey in their UTF-8 form), and what moves or reorders the text around it: the
// marks, embeddings, overrides and isolates of bidirectional text, the line and paragraph separators, the byte order
// mark.
bool is_control(std::string_view sequence) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(sequence[i]); };
  if (sequence.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  if (sequence.size() == 2) return (byte(0) == 0xc2 && byte(1) < 0xa0) || sequence == "\u061c";
  if (sequence.size() != 3) return false;
  return sequence == "\u200e" || sequence == "\u200f" || (sequence >= "\u2028" && sequence <= "\u202e") ||
         (sequence >= "\u2066" && sequence <= "\u2069") || sequence == "\ufeff";
}

}  // namespace

std::string escape_text(std::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    const std::string_view part = bytes.substr(0, length == 0 ? 1 : length);
    if (length != 0 && !is_control(part))
      result += part;
    else
      for (char c : part) fmt::format_to(std::back_inserter(result), "\\x{:02x}", static_cast<uint8_t>(c));
    bytes.remove_prefix(part.size());
  }
  return result;
}

std::string to_utf8(std::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    result += length != 0 ? bytes.substr(0, length) : std::string_view("\xef\xbf\xbd");
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

std::string json_string(std::string_view bytes) { return nlohmann::json(to_utf8(bytes)).dump(-1, ' ', true); }

std::string quote_argument(std::string_view argument) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  const std::string safe = escape_text(argument);
  if (!safe.empty() && safe.find_first_not_of(plain) == std::string::npos) return safe;
  std::string quoted = "'";
  for (char c : safe) c == '\'' ? quoted += "'\\''" : quoted += c;
  return quoted += '\'';
}

}  // namespace memprof
