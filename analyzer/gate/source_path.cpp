#include "gate/source_path.h"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>

namespace memprof {

std::string path_in_repository(std::string_view file, std::string_view source_root) {
  std::string path = std::filesystem::path(file).lexically_normal().string();
  if (source_root.empty()) return path;
  // The empty last part makes "/repo" no prefix of "/repository".
  const std::string root = (std::filesystem::path(source_root) / "").lexically_normal().string();
  return path.starts_with(root) && path.size() > root.size() ? path.substr(root.size()) : path;
}

std::string path_as_uri(std::string_view path) {
  // A colon in a relative path would make what is before it a scheme; a leading "//" a host.
  static constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/+=@,";
  while (path.starts_with("//")) path.remove_prefix(1);
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (char c : path) {
    if (kPlain.find(c) != std::string_view::npos)
      uri += c;
    else
      fmt::format_to(std::back_inserter(uri), "%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

}  // namespace memprof
