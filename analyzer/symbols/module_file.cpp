#include "symbols/module_file.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "symbols/debug_file.h"

namespace memprof {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// Every place where the file of `path` may be, the likeliest first.
std::vector<std::string> candidates(std::string path, const FileSearch& search) {
  std::vector<std::string> places;
  if (path.starts_with('/')) {
    places.push_back(search.sysroot + path);
  } else {
    path.insert(0, "/");  // only the search directories say where a relative path starts
  }
  for (const std::string& directory : search.search_dirs) {
    places.push_back(directory + path);
    places.push_back(fmt::format("{}/{}", directory, last_component(path)));
  }
  return places;
}

// The mapped file: the first candidate with the right build id. `problem` keeps the first reason to refuse one,
// but a file that is there and is wrong says more than one that is not.
std::optional<ElfFile> find_binary(const ModuleInfo& module, const FileSearch& search, std::string& problem) {
  std::string path = module.path;
  const bool deleted = path.ends_with(kDeleted);
  if (deleted) path.resize(path.size() - kDeleted.size());
  if (deleted && module.build_id.empty()) {
    problem = "was deleted while it was mapped, and the trace has no build id to know it by";
    return std::nullopt;
  }

  bool found_wrong = false;
  for (const std::string& place : candidates(path, search)) {
    std::string error;
    auto file = ElfFile::open(place, error);
    if (file && module.build_id.empty()) {
      problem = fmt::format("{} is used unverified: the trace has no build id", place);
      return file;
    }
    if (file && file->build_id() == module.build_id) {
      problem.clear();
      return file;
    }
    if (file && !found_wrong) {
      found_wrong = true;
      const std::string id = file->build_id().empty() ? "has none" : to_hex(file->build_id());
      problem = fmt::format("build id differs: trace {}, file {} ({})", to_hex(module.build_id), id, place);
    } else if (problem.empty()) {
      problem = fmt::format("{}: {}", place, error);
    }
  }
  if (problem.empty()) problem = "has no absolute path";
  return std::nullopt;
}

}  // namespace

bool is_kernel_mapping(const std::string& path) {
  const std::string_view name = last_component(path);
  return name.starts_with("linux-vdso") || name.starts_with("linux-gate") || path.starts_with("[v");
}

ModuleFiles find_module_files(const ModuleInfo& module, const FileSearch& search, DebuginfodSource& debuginfod) {
  ModuleFiles files;
  if (is_kernel_mapping(module.path)) return files;

  files.binary = find_binary(module, search, files.problem);
  if (!files.binary && !module.build_id.empty()) {
    files.binary = debuginfod.find(DebuginfodSource::What::executable, module.build_id);
    if (files.binary) files.problem.clear();
  }
  const bool has_dwarf = files.binary && files.binary->has_dwarf();
  const DebugFileSearch debug_search(search, debuginfod);
  if (!has_dwarf) {
    files.debug_info = files.binary ? debug_search.find_for(*files.binary) : debug_search.find_for(module.build_id);
    // A debug file of the same build has the symbols and the lines: the binary is not missed.
    if (files.debug_info && !files.binary) files.problem.clear();
  }
  files.dwarf_is_usable = has_dwarf || (files.debug_info && files.debug_info->has_dwarf());
  if (const ElfFile* dwarf = files.dwarf()) {
    if (const auto link = debug_search.alternate_link_of(*dwarf)) {
      files.alternate = debug_search.find_alternate(*dwarf, *link);
      // Left alone, libdw would open the named file itself, whatever it is and of whatever build.
      files.dwarf_is_usable = files.alternate.has_value();
      if (!files.alternate) files.problem = fmt::format("no lines: {} needs {}", dwarf->path(), link->name);
    }
  }
  return files;
}

}  // namespace memprof
