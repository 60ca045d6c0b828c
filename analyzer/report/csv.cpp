#include "report/csv.h"

#include "report/escape.h"

namespace memprof {

std::string csv_field(std::string_view bytes) {
  const std::string text = escape_text(bytes);
  const bool needs_quotes = text.find_first_of(",\"") != std::string::npos || (!text.empty() && text.front() == ' ') ||
                            (!text.empty() && text.back() == ' ');
  if (!needs_quotes) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted += '"';
}

}  // namespace memprof
