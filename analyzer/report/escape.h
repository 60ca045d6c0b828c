// Names from the trace are bytes that nobody vouches for: made safe for a terminal and for JSON here.
#pragma once

#include <string>
#include <string_view>

namespace memprof {

// For text: control characters, those of bidirectional text among them, and bytes that are no UTF-8 become \xNN. No
// name can move the cursor or reorder the line.
std::string escape_text(std::string_view bytes);

// Valid UTF-8: each bad byte becomes U+FFFD. Control characters stay, JSON escapes them.
std::string to_utf8(std::string_view bytes);

// A JSON string with its quotes, in ASCII: control characters past 0x7e are escaped as well.
std::string json_string(std::string_view bytes);

// As a shell would need it to be typed; safe for a terminal.
std::string quote_argument(std::string_view argument);

}  // namespace memprof
