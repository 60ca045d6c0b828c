#include "trace/cache_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "trace/signals_blocked.h"

namespace memprof {

namespace {

constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr time_t kStaleSeconds = 3600;

const char* variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here writes to the environment
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// Each missing directory of the path, closed to others.
void make_directories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0700);
    if (slash == std::string::npos) return;
  }
}

}  // namespace

std::string CacheDirectory::default_path() {
  if (const char* own = variable("MEMPROF_CACHE")) return own;
  // A relative one is to be ignored, says its specification.
  if (const char* base = variable("XDG_CACHE_HOME"); base != nullptr && *base == '/')
    return fmt::format("{}/memprof", base);
  if (const char* home = variable("HOME")) return fmt::format("{}/.cache/memprof", home);
  return {};
}

int CacheDirectory::open_directory() const {
  if (path_.empty()) return -1;
  const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat status;
  if (directory >= 0 && ::fstat(directory, &status) == 0 && status.st_uid == ::geteuid() &&
      (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return directory;
  if (directory >= 0) ::close(directory);
  return -1;
}

int CacheDirectory::open(const std::string& name) const {
  const int directory = open_directory();
  if (directory < 0) return -1;
  const int file = ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  ::close(directory);
  struct stat status;
  if (file >= 0 && ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid()) return file;
  if (file >= 0) ::close(file);
  return -1;
}

void CacheDirectory::touch(int file) {
  struct stat status;
  if (::fstat(file, &status) == 0 && status.st_mtime < ::time(nullptr) - kStaleSeconds) ::futimens(file, nullptr);
}

void CacheDirectory::trim(std::string_view suffix, uint64_t most_bytes) const {
  const int directory = open_directory();
  if (directory < 0) return;
  struct CloseDirectory {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(directory));
  if (stream == nullptr) {
    ::close(directory);
    return;
  }
  std::vector<std::tuple<int64_t, std::string, uint64_t>> files;  // changed, name, bytes
  uint64_t total = 0;
  while (const dirent* entry = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is this one's
    const std::string_view name = entry->d_name;
    const bool is_temporary = name.ends_with(kTemporarySuffix);
    struct stat status;
    if ((!is_temporary && !name.ends_with(suffix)) ||
        ::fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      continue;
    if (is_temporary) {
      // Of a program that was killed in the instant of a commit.
      if (status.st_mtime < ::time(nullptr) - kStaleSeconds) ::unlinkat(directory, entry->d_name, 0);
      continue;
    }
    const auto bytes = static_cast<uint64_t>(status.st_size);
    files.emplace_back(status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, entry->d_name, bytes);
    total += bytes;
  }
  std::sort(files.begin(), files.end());
  for (const auto& [changed, name, bytes] : files) {
    if (total <= most_bytes) break;
    if (::unlinkat(directory, name.c_str(), 0) == 0) total -= bytes;
  }
}

CacheDirectory::NewFile::NewFile(const CacheDirectory& directory) {
  if (directory.path_.empty()) return;
  make_directories(directory.path_);
  directory_ = directory.open_directory();
  if (directory_ >= 0) file_ = ::openat(directory_, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

CacheDirectory::NewFile::~NewFile() {
  give_up();
  if (directory_ >= 0) ::close(directory_);
}

void CacheDirectory::NewFile::give_up() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

void CacheDirectory::NewFile::append(std::span<const std::byte> bytes) {
  while (file_ >= 0 && !bytes.empty()) {
    const ssize_t wrote = ::write(file_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return give_up();
    bytes = bytes.subspan(static_cast<size_t>(wrote));
    size_bytes_ += static_cast<uint64_t>(wrote);
  }
}

// linkat replaces nothing: what has the name already is replaced by way of another, which lives for an instant.
void CacheDirectory::NewFile::commit(const std::string& name) {
  if (file_ < 0) return;
  std::random_device random;
  const std::string passing = fmt::format("{:08x}{:08x}{}", random(), random(), kTemporarySuffix);
  const SignalsBlocked blocked;
  const std::string path = fmt::format("/proc/self/fd/{}", file_);
  if (::linkat(AT_FDCWD, path.c_str(), directory_, passing.c_str(), AT_SYMLINK_FOLLOW) == 0 &&
      ::renameat(directory_, passing.c_str(), directory_, name.c_str()) != 0)
    ::unlinkat(directory_, passing.c_str(), 0);
  give_up();
}

}  // namespace memprof
