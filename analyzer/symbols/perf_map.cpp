#include "symbols/perf_map.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "symbols/regular_file.h"

namespace memprof {
namespace {

constexpr uint64_t kMaxMapBytes = uint64_t{256} << 20;
constexpr size_t kMaxMapNameBytes = 4096;

std::optional<uint64_t> take_hex(std::string_view& line) {
  if (line.starts_with("0x") || line.starts_with("0X")) line.remove_prefix(2);
  uint64_t value = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), value, 16);
  if (error != std::errc() || rest == line.data() + line.size() || *rest != ' ') return std::nullopt;
  line.remove_prefix(static_cast<size_t>(rest - line.data()) + 1);
  return value;
}

// The size is taken once: a JIT may append to the file for as long as this reads it.
std::string read_up_to(int fd, size_t size) {
  std::string text(size, '\0');
  size_t used = 0;
  while (used < size) {
    const ssize_t got = ::pread(fd, text.data() + used, size - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += static_cast<size_t>(got);
  }
  text.resize(used);
  return text;
}

}  // namespace

PerfMap PerfMap::load(const std::string& directory, pid_t pid, int64_t not_before) {
  const std::string path = fmt::format("{}/perf-{}.map", directory, pid);
  PerfMap map;
  const RegularFile file = open_regular_file(path, kMaxMapBytes, /*follow_links=*/false);
  if (!file.fd) {
    if (::access(path.c_str(), F_OK) == 0) map.error_ = file.error;
  } else if (file.status.st_uid != ::geteuid() && file.status.st_uid != 0) {
    map.error_ = fmt::format("belongs to user {}", file.status.st_uid);
  } else if (file.status.st_mtime < not_before) {
    map.error_ = "is older than the trace";
  } else {
    map = parse(read_up_to(file.fd.get(), static_cast<size_t>(file.status.st_size)));
  }
  map.path_ = path;
  return map;
}

PerfMap PerfMap::parse(std::string_view text) {
  PerfMap map;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    map.parse_line(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return map;
}

void PerfMap::parse_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto start = take_hex(line);
  if (!start) return;
  const auto size = take_hex(line);
  if (!size || *size == 0 || *size > UINT64_MAX - *start || line.empty()) return;
  insert(*start, *start + *size, line.substr(0, kMaxMapNameBytes));
}

void PerfMap::insert(uint64_t start, uint64_t end, std::string_view name) {
  auto next = entries_.lower_bound(start);
  if (next != entries_.begin()) {
    const auto before = std::prev(next);
    if (before->second.end > start) {
      // The older entry keeps what sticks out on either side.
      if (before->second.end > end) entries_.emplace(end, Entry{before->second.end, before->second.name});
      before->second.end = start;
    }
  }
  next = entries_.lower_bound(start);
  while (next != entries_.end() && next->first < end) {
    if (next->second.end > end) {
      auto tail = entries_.extract(next);
      tail.key() = end;
      entries_.insert(std::move(tail));
      break;
    }
    next = entries_.erase(next);
  }
  entries_.emplace(start, Entry{end, std::string(name)});
}

std::string_view PerfMap::find(uint64_t address) const {
  auto entry = entries_.upper_bound(address);
  if (entry == entries_.begin()) return {};
  --entry;
  return address < entry->second.end ? std::string_view(entry->second.name) : std::string_view();
}

}  // namespace memprof
