#include "trace/new_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>
#include <utility>

#include "trace/signals_blocked.h"

namespace memprof {

namespace {

// The one named temporary file that a signal handler has to remove. The name is written before the directory is stored
// with release, and the handler loads that with acquire: it may run in another thread.
struct Doomed {
  std::atomic<int> directory{-1};
  char name[256];
};
Doomed doomed;

void remove_and_die(int signal) {
  if (const int directory = doomed.directory.load(std::memory_order_acquire); directory >= 0)
    ::unlinkat(directory, doomed.name, 0);
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // taken when this returns
}

// Signals that the process ignores (nohup) stay ignored.
void remove_at_signals(int directory, const std::string& name) {
  std::memcpy(doomed.name, name.c_str(), name.size() + 1);
  doomed.directory.store(directory, std::memory_order_release);
  for (const int signal : kFatalSignals) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = remove_and_die;
    ::sigaction(signal, &action, nullptr);
  }
}

void forget_at_signals() { doomed.directory.store(-1, std::memory_order_release); }

std::string temporary_name() {
  std::random_device random;
  return fmt::format(".memprof-{:08x}{:08x}.tmp", random(), random());
}

std::string errno_text() { return std::strerror(errno); }

}  // namespace

NewTraceError::NewTraceError(const std::string& path, const std::string& why)
    : std::runtime_error(fmt::format("{}: cannot be written: {}", path, why)) {}

// The open file, and what it will be called. The directory is held open: it is the same one at the end.
struct NewFile::Place {
  std::string path, name, temporary;  // `temporary` empty: the file has no name yet
  int directory = -1, file = -1;

  [[noreturn]] void fail(const std::string& why) const { throw NewTraceError(path, why); }

  ~Place() {
    if (!temporary.empty()) {
      const SignalsBlocked blocked;
      ::unlinkat(directory, temporary.c_str(), 0);
      forget_at_signals();
    }
    if (file >= 0) ::close(file);
    if (directory >= 0) ::close(directory);
  }

  void open_directory() {
    const size_t slash = path.rfind('/');
    name = path.substr(slash + 1);  // npos + 1 is 0
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (name.empty() || name == "." || name == "..") fail("it names no file");
    directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail(errno_text());
    struct stat status;
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(status.st_mode))
      fail(S_ISLNK(status.st_mode) ? "it is a symbolic link" : "it is no regular file");
  }

  // A file without a name can be given one only through /proc.
  bool open_unnamed() {
    file = ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) return false;
    if (::access(descriptor_path().c_str(), F_OK) == 0) return true;
    ::close(std::exchange(file, -1));
    return false;
  }

  void open_named() {
    const SignalsBlocked blocked;
    const std::string chosen = temporary_name();
    file = ::openat(directory, chosen.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) fail(errno_text());
    temporary = chosen;
    remove_at_signals(directory, temporary);
  }

  std::string descriptor_path() const { return fmt::format("/proc/self/fd/{}", file); }

  bool link_as(const std::string& as) const {
    return ::linkat(AT_FDCWD, descriptor_path().c_str(), directory, as.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }

  // linkat replaces nothing, so what is there already is replaced by way of a name that lives for an instant.
  void give_name() {
    const SignalsBlocked blocked;
    if (temporary.empty()) {
      if (link_as(name)) return;
      if (errno != EEXIST) fail(errno_text());
      const std::string chosen = temporary_name();
      if (!link_as(chosen)) fail(errno_text());
      temporary = chosen;
    }
    if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) fail(errno_text());
    temporary.clear();
    forget_at_signals();
  }
};

NewFile NewFile::create(const std::string& path, Temporary temporary) {
  auto place = std::make_unique<Place>();
  place->path = path;
  place->open_directory();
  if (temporary == Temporary::named || !place->open_unnamed()) place->open_named();
  return NewFile(std::move(place));
}

NewFile::NewFile(std::unique_ptr<Place> place) : place_(std::move(place)) {}
NewFile::NewFile(NewFile&&) noexcept = default;
NewFile& NewFile::operator=(NewFile&&) noexcept = default;
NewFile::~NewFile() = default;

bool NewFile::is_same_file(const std::string& path, const std::string& trace) {
  struct stat one, other;
  return ::stat(path.c_str(), &one) == 0 && ::stat(trace.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

void NewFile::write(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(place_->file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) place_->fail(errno_text());
    bytes = bytes.subspan(static_cast<size_t>(wrote));
    offset += static_cast<uint64_t>(wrote);
  }
}

void NewFile::fail(const std::string& why) const { place_->fail(why); }

void NewFile::commit(uint64_t size_bytes) {
  if (::ftruncate(place_->file, static_cast<off_t>(size_bytes)) != 0) place_->fail(errno_text());
  place_->give_name();
}

}  // namespace memprof
