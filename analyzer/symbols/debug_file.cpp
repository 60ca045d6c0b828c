#include "symbols/debug_file.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "symbols/module_file.h"

namespace memprof {
namespace {

std::optional<ElfFile> open_if_same_build(const std::string& path, const BuildId& build_id) {
  std::string error;
  auto file = ElfFile::open(path, error);
  if (file && file->build_id() == build_id) return file;
  return std::nullopt;
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

DebugFileSearch::DebugFileSearch(const FileSearch& search, DebuginfodSource& debuginfod)
    : sysroot_(search.sysroot), debuginfod_(debuginfod) {
  if (!search.sysroot.empty())
    for (const std::string& directory : search.debug_dirs) debug_dirs_.push_back(search.sysroot + directory);
  // Outside the sysroot too: what is found there has been checked by build id or checksum.
  debug_dirs_.insert(debug_dirs_.end(), search.debug_dirs.begin(), search.debug_dirs.end());
}

std::optional<ElfFile> DebugFileSearch::find_for(const ElfFile& binary) const {
  if (auto file = find_in_build_id_dirs(binary.build_id())) return file;
  if (auto file = find_by_link(binary)) return file;
  return debuginfod_.find(DebuginfodSource::What::debug_info, binary.build_id());
}

std::optional<ElfFile> DebugFileSearch::find_for(const BuildId& build_id) const {
  if (auto file = find_in_build_id_dirs(build_id)) return file;
  return debuginfod_.find(DebuginfodSource::What::debug_info, build_id);
}

std::optional<ElfFile> DebugFileSearch::find_in_build_id_dirs(const BuildId& build_id) const {
  if (build_id.size() < 2) return std::nullopt;
  const std::string hex = to_hex(build_id);
  for (const std::string& directory : debug_dirs_) {
    const auto path = fmt::format("{}/.build-id/{}/{}.debug", directory, hex.substr(0, 2), hex.substr(2));
    if (auto file = open_if_same_build(path, build_id)) return file;
  }
  return std::nullopt;
}

std::optional<ElfFile> DebugFileSearch::find_by_link(const ElfFile& binary) const {
  const auto link = binary.debug_link();
  // It is a plain name by its definition; anything else would let a file point anywhere.
  if (!link || link->name.find('/') != std::string::npos || link->name == "..") return std::nullopt;
  const std::string directory = directory_of(binary.path());
  std::vector<std::string> places = {fmt::format("{}/{}", directory, link->name),
                                     fmt::format("{}/.debug/{}", directory, link->name)};
  std::string_view original = directory;  // debug directories mirror the tree without the sysroot
  if (!sysroot_.empty() && original.starts_with(sysroot_)) original.remove_prefix(sysroot_.size());
  for (const std::string& root : debug_dirs_) places.push_back(fmt::format("{}{}/{}", root, original, link->name));
  for (const std::string& place : places) {
    std::string error;
    auto file = ElfFile::open(place, error);
    if (!file) continue;
    const bool both_have_ids = !binary.build_id().empty() && !file->build_id().empty();
    if (both_have_ids ? file->build_id() == binary.build_id() : file->checksum() == link->crc) return file;
  }
  return std::nullopt;
}

// A file name, a zero byte, then the build id of that file.
std::optional<DebugFileSearch::AlternateLink> DebugFileSearch::alternate_link_of(const ElfFile& debug_info) {
  const auto bytes = debug_info.section_bytes(".gnu_debugaltlink");
  if (bytes.empty()) return std::nullopt;
  const std::string_view text(bytes.data(), bytes.size());
  const size_t name_length = std::min(text.find('\0'), text.size());
  const auto id = std::as_bytes(bytes.subspan(std::min(name_length + 1, bytes.size())));
  return AlternateLink{std::string(text.substr(0, name_length)), BuildId(id.begin(), id.end())};
}

std::optional<ElfFile> DebugFileSearch::find_alternate(const ElfFile& debug_info, const AlternateLink& link) const {
  if (link.name.empty() || link.build_id.empty()) return std::nullopt;
  if (auto file = find_in_build_id_dirs(link.build_id)) return file;
  const std::string place = link.name.starts_with('/')
                                ? sysroot_ + link.name
                                : fmt::format("{}/{}", directory_of(debug_info.path()), link.name);
  if (auto file = open_if_same_build(place, link.build_id)) return file;
  return debuginfod_.find(DebuginfodSource::What::debug_info, link.build_id);
}

}  // namespace memprof
