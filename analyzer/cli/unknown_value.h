// What is said about a value that an option does not have.
#pragma once

#include <string>
#include <string_view>

namespace memprof {

// "--by siez is unknown, did you mean size?, one of: ...". `list`: "open, peak, ..."
std::string unknown_value(const char* option, const std::string& value, std::string_view list);

}  // namespace memprof
