#include "reach/parent_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "trace/trace_error.h"

namespace memprof {

namespace {

namespace fs = std::filesystem;

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Files are renamed and written anew, and all images of a process have its number: the one counts that ran when the
// child was forked.
bool is_parent(const format::FileHeader& header, const format::FileHeader& child) {
  const bool has_begun = header.start_ticks < child.fork_ticks;
  const bool has_ended = header.end_state != format::EndState::running && header.end_ticks < child.fork_ticks;
  return header.pid == child.parent_pid && has_begun && !has_ended;
}

// NAME.PID.N.EXT, or NAME.N.EXT where NAME has the number already: by N.
std::vector<fs::path> renamed(const fs::path& named, uint32_t pid) {
  std::vector<std::pair<std::string, fs::path>> found;
  const std::string stem = named.stem().string(), extension = named.extension().string();
  const bool has_number = stem.find(std::to_string(pid)) != stem.npos;
  const std::string begin = has_number ? stem + "." : fmt::format("{}.{}.", stem, pid);
  std::error_code error;
  fs::directory_iterator entries(named.has_parent_path() ? named.parent_path() : fs::path("."), error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(extension) || name.size() < begin.size() + extension.size())
      continue;
    const std::string number = name.substr(begin.size(), name.size() - begin.size() - extension.size());
    if (is_number(number)) found.emplace_back(fmt::format("{:0>20}", number), entries->path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (const auto& [number, path] : found) paths.push_back(path);
  return paths;
}

}  // namespace

std::optional<TraceFile> open_parent_trace(const Trace& child) {
  const format::FileHeader& header = child.file.header();
  const fs::path named = child.metadata.parent_trace;
  const fs::path beside = fs::path(child.file.name()).parent_path() / named.filename();
  std::optional<TraceFile> other_namespace;
  // True: it is the one. Numbers of another namespace may be those of another process: they are the last resort.
  const auto is_the_one = [&](const fs::path& path, std::optional<TraceFile>& file) {
    try {
      file = TraceFile::open(path.string());
    } catch (const TraceError&) {
      return false;
    }
    if (!is_parent(file->header(), header)) return false;
    if (file->header().pid_namespace == header.pid_namespace) return true;
    if (!other_namespace) other_namespace = std::move(file);
    return false;
  };
  std::optional<TraceFile> file;
  for (const fs::path& path : {named, beside})
    if (is_the_one(path, file)) return file;
  for (const fs::path& path : {named, beside})
    for (const fs::path& other : renamed(path, header.parent_pid))
      if (is_the_one(other, file)) return file;
  return other_namespace;
}

}  // namespace memprof
