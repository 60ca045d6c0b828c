// Paths of sources as a repository knows them.
#pragma once

#include <string>
#include <string_view>

namespace memprof {

// Without "." and "..", and relative to `source_root` where it lies below it. Raw bytes.
std::string path_in_repository(std::string_view file, std::string_view source_root);

// A URI reference: relative as it is, absolute as file://. Each byte that needs it is percent-encoded.
std::string path_as_uri(std::string_view path);

}  // namespace memprof
