#include "symbols/symbol_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "symbols/regular_file.h"
#include "trace/read_bytes.h"
#include "trace/signals_blocked.h"

namespace memprof {

namespace {

constexpr char kMagic[8] = {'M', 'E', 'M', 'P', 'F', 'R', 'A', 'M'};
// Grows with every change of what a look-up answers, and of this layout.
constexpr uint32_t kVersion = 1;
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;
constexpr std::string_view kSuffix = ".frames", kTemporarySuffix = ".tmp";
constexpr time_t kStaleSeconds = 3600;

enum : uint32_t { kHasSymbols = 1, kHasLines = 2 };

struct Head {
  char magic[8];
  uint32_t version;
  uint32_t key_bytes;
  uint64_t frames_bytes;
  uint32_t flags;
  uint32_t reserved;
  uint64_t checksum;  // XXH3-64 of the whole file with this field zero
};
static_assert(sizeof(Head) == 40);

template <class T>
void put(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void put_file(std::vector<std::byte>& out, const std::optional<ElfFile>& file) {
  put(out, uint8_t{file.has_value()});
  if (!file) return;
  const ElfFile::Stamp stamp = file->stamp();
  put(out, stamp.size_bytes);
  put(out, stamp.changed_ns);
  put(out, uint64_t{file->path().size()});
  const auto path = std::as_bytes(std::span(file->path()));
  out.insert(out.end(), path.begin(), path.end());
}

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

UniqueFd open_directory(const std::string& path) {
  if (path.empty()) return {};
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status;
  if (!directory || ::fstat(directory.get(), &status) != 0) return {};
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return {};
  return directory;
}

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return true;
}

uint64_t checksum_of(std::span<std::byte> file) {
  const uint64_t zero = 0;
  std::memcpy(file.data() + offsetof(Head, checksum), &zero, sizeof zero);
  return XXH3_64bits(file.data(), file.size());
}

// The whole file, if it is a regular one of this user's.
std::vector<std::byte> read_file(const UniqueFd& directory, const std::string& name, struct stat& status,
                                 UniqueFd& file) {
  file = UniqueFd(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return {};
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(Head) || size > kMaxFileBytes) return {};
  std::vector<std::byte> bytes(size);
  int error = 0;
  if (read_bytes(file.get(), 0, bytes, error) != size) return {};
  return bytes;
}

}  // namespace

std::string SymbolCache::default_directory() {
  if (const char* own = variable("MEMPROF_CACHE")) return own;
  // A relative one is to be ignored, says its specification.
  if (const char* base = variable("XDG_CACHE_HOME"); base != nullptr && *base == '/')
    return fmt::format("{}/memprof", base);
  if (const char* home = variable("HOME")) return fmt::format("{}/.cache/memprof", home);
  return {};
}

std::optional<SymbolCache::Key> SymbolCache::key_of(const ModuleInfo& module, const ModuleFiles& files) {
  // What was found has this build id: nothing else is taken for the module's.
  const auto& found = files.binary ? files.binary : files.debug_info;
  if (!found || found->build_id().empty() || found->build_id() != module.build_id) return std::nullopt;
  Key key;
  put(key.bytes, kVersion);
  put(key.bytes, uint64_t{module.build_id.size()});
  key.bytes.insert(key.bytes.end(), module.build_id.begin(), module.build_id.end());
  put(key.bytes, module.start < module.end ? module.start - module.load_bias : uint64_t{0});
  put(key.bytes, module.start < module.end ? module.end - module.load_bias : uint64_t{0});
  put(key.bytes, uint8_t{files.dwarf_is_usable});
  for (const auto* file : {&files.binary, &files.debug_info, &files.alternate}) put_file(key.bytes, *file);
  key.file_name =
      fmt::format("{}-{:016x}{}", to_hex(module.build_id), XXH3_64bits(key.bytes.data(), key.bytes.size()), kSuffix);
  return key;
}

std::optional<SymbolCache::Entry> SymbolCache::load(const Key& key) const {
  const UniqueFd directory = open_directory(directory_);
  if (!directory) return std::nullopt;
  struct stat status;
  UniqueFd file;
  std::vector<std::byte> bytes = read_file(directory, key.file_name, status, file);
  if (bytes.empty()) return std::nullopt;
  Head head;
  std::memcpy(&head, bytes.data(), sizeof head);
  const uint64_t room = bytes.size() - sizeof head;
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.version != kVersion ||
      head.key_bytes != key.bytes.size() || head.key_bytes > room || head.frames_bytes != room - head.key_bytes ||
      checksum_of(bytes) != head.checksum ||
      !std::equal(key.bytes.begin(), key.bytes.end(), bytes.begin() + sizeof head))
    return std::nullopt;
  // What is used stays. Not every time: reading is not to be writing.
  if (status.st_mtime < ::time(nullptr) - kStaleSeconds) ::futimens(file.get(), nullptr);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(sizeof head + key.bytes.size()));
  return Entry{(head.flags & kHasLines) != 0, (head.flags & kHasSymbols) != 0, std::move(bytes)};
}

void SymbolCache::store(const Key& key, const Entry& entry) const {
  std::vector<std::byte> bytes(sizeof(Head));
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.version = kVersion;
  head.key_bytes = static_cast<uint32_t>(key.bytes.size());
  head.frames_bytes = entry.frames.size();
  head.flags = (entry.has_lines ? kHasLines : 0u) | (entry.has_symbols ? kHasSymbols : 0u);
  std::memcpy(bytes.data(), &head, sizeof head);
  bytes.insert(bytes.end(), key.bytes.begin(), key.bytes.end());
  bytes.insert(bytes.end(), entry.frames.begin(), entry.frames.end());
  head.checksum = checksum_of(bytes);
  std::memcpy(bytes.data(), &head, sizeof head);
  if (bytes.size() > std::min(kMaxFileBytes, max_bytes_) || directory_.empty()) return;

  make_directories(directory_);
  const UniqueFd directory = open_directory(directory_);
  if (!directory) return;
  std::random_device random;
  const std::string temporary = fmt::format("{:08x}{:08x}{}", random(), random(), kTemporarySuffix);
  const SignalsBlocked blocked;
  const UniqueFd file(
      ::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return;
  if (!write_all(file.get(), bytes) ||
      ::renameat(directory.get(), temporary.c_str(), directory.get(), key.file_name.c_str()) != 0)
    ::unlinkat(directory.get(), temporary.c_str(), 0);
}

void SymbolCache::trim() const {
  UniqueFd directory = open_directory(directory_);
  if (!directory) return;
  const int descriptor = directory.get();
  struct CloseDirectory {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(descriptor));
  if (stream == nullptr) return;
  directory.release();  // the stream's now

  struct Kept {
    timespec changed;
    uint64_t bytes;
    std::string name;
  };
  std::vector<Kept> files;
  uint64_t total = 0;
  while (const dirent* entry = ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): the stream is this one's
    const std::string name = entry->d_name;
    const bool is_temporary = name.ends_with(kTemporarySuffix);
    struct stat status;
    if ((!is_temporary && !name.ends_with(kSuffix)) ||
        ::fstatat(descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      continue;
    if (is_temporary) {
      // Of a program that was killed.
      if (status.st_mtime < ::time(nullptr) - kStaleSeconds) ::unlinkat(descriptor, name.c_str(), 0);
      continue;
    }
    files.push_back({status.st_mtim, static_cast<uint64_t>(status.st_size), name});
    total += files.back().bytes;
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) {
    return std::tie(a.changed.tv_sec, a.changed.tv_nsec, a.name) <
           std::tie(b.changed.tv_sec, b.changed.tv_nsec, b.name);
  });
  for (const Kept& file : files) {
    if (total <= max_bytes_) return;
    if (::unlinkat(descriptor, file.name.c_str(), 0) == 0) total -= file.bytes;
  }
}

}  // namespace memprof
