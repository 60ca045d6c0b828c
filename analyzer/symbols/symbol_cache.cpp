#include "symbols/symbol_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "symbols/regular_file.h"
#include "trace/read_bytes.h"

namespace memprof {

namespace {

constexpr char kMagic[8] = {'M', 'E', 'M', 'P', 'F', 'R', 'A', 'M'};
// Grows with every change of what a look-up answers, and of this layout.
constexpr uint32_t kVersion = 3;
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;
constexpr std::string_view kSuffix = ".frames";

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

uint64_t checksum_of(std::span<std::byte> file) {
  const uint64_t zero = 0;
  std::memcpy(file.data() + offsetof(Head, checksum), &zero, sizeof zero);
  return XXH3_64bits(file.data(), file.size());
}

}  // namespace

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
  const FileDescriptor file(directory_.open(key.file_name));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) return std::nullopt;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(Head) || size > kMaxFileBytes) return std::nullopt;
  std::vector<std::byte> bytes(size);
  int error = 0;
  if (read_bytes(file.get(), 0, bytes, error) != size) return std::nullopt;
  Head head;
  std::memcpy(&head, bytes.data(), sizeof head);
  const uint64_t room = bytes.size() - sizeof head;
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.version != kVersion ||
      head.key_bytes != key.bytes.size() || head.key_bytes > room || head.frames_bytes != room - head.key_bytes ||
      checksum_of(bytes) != head.checksum ||
      !std::equal(key.bytes.begin(), key.bytes.end(), bytes.begin() + sizeof head))
    return std::nullopt;
  CacheDirectory::touch(file.get());  // what is used stays
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
  if (bytes.size() > std::min(kMaxFileBytes, max_bytes_)) return;
  CacheDirectory::NewFile file(directory_);
  file.append(bytes);
  file.commit(key.file_name);
}

void SymbolCache::trim() const { directory_.trim(kSuffix, max_bytes_); }

}  // namespace memprof
