#include "symbols/debuginfod_source.h"

#include <dlfcn.h>
#include <elfutils/debuginfod.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <type_traits>

namespace memprof {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kAnswerTime = std::chrono::seconds(10);  // until the first byte
constexpr auto kStallTime = std::chrono::seconds(30);   // without a further byte

struct Progress {
  Clock::time_point last_change = Clock::now();
  long bytes = 0;
  bool gave_up = false;
};

// Loaded when the first file is asked for: with it come curl and thirty libraries more, which take longer to load than
// most commands run.
struct Library {
  decltype(&debuginfod_begin) begin = nullptr;
  decltype(&debuginfod_end) end = nullptr;
  decltype(&debuginfod_set_user_data) set_user_data = nullptr;
  decltype(&debuginfod_get_user_data) get_user_data = nullptr;
  decltype(&debuginfod_set_progressfn) set_progressfn = nullptr;
  decltype(&debuginfod_find_executable) find_executable = nullptr;
  decltype(&debuginfod_find_debuginfo) find_debuginfo = nullptr;
  bool is_there = false;

  Library() {
    void* const handle = ::dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    const auto load = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
      return function != nullptr;
    };
    is_there = handle && load(begin, "debuginfod_begin") && load(end, "debuginfod_end") &&
               load(set_user_data, "debuginfod_set_user_data") && load(get_user_data, "debuginfod_get_user_data") &&
               load(set_progressfn, "debuginfod_set_progressfn") &&
               load(find_executable, "debuginfod_find_executable") && load(find_debuginfo, "debuginfod_find_debuginfo");
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

// libdebuginfod calls this about once a second while it waits; a result other than 0 ends the query.
// The second argument counts bytes only once the total is known.
int check_progress(debuginfod_client* client, long done, long total) {
  auto& progress = *static_cast<Progress*>(library().get_user_data(client));
  const auto now = Clock::now();
  if (total > 0 && done > progress.bytes) {
    progress.bytes = done;
    progress.last_change = now;
  }
  progress.gave_up = now - progress.last_change > (progress.bytes > 0 ? kStallTime : kAnswerTime);
  return progress.gave_up ? 1 : 0;
}

}  // namespace

void DebuginfodSource::EndClient::operator()(debuginfod_client* client) const { library().end(client); }

DebuginfodSource::DebuginfodSource(bool enabled) {
  // Nothing in this process writes to the environment.
  const char* urls = std::getenv(DEBUGINFOD_URLS_ENV_VAR);  // NOLINT(concurrency-mt-unsafe)
  enabled_ = enabled && urls != nullptr && *urls != '\0';
}

DebuginfodSource::~DebuginfodSource() = default;

std::optional<ElfFile> DebuginfodSource::find(What what, const BuildId& build_id) {
  const std::lock_guard lock(mutex_);
  if (!enabled_ || build_id.empty()) return std::nullopt;
  if (client_ == nullptr && library().is_there) client_.reset(library().begin());
  if (client_ == nullptr) {
    enabled_ = false;
    return std::nullopt;
  }

  Progress progress;
  library().set_user_data(client_.get(), &progress);
  library().set_progressfn(client_.get(), check_progress);
  const auto* id = reinterpret_cast<const unsigned char*>(build_id.data());
  const int length = static_cast<int>(build_id.size());
  char* path = nullptr;
  FileDescriptor fd(what == What::executable ? library().find_executable(client_.get(), id, length, &path)
                                             : library().find_debuginfo(client_.get(), id, length, &path));
  const std::string name = path != nullptr ? path : "debuginfod";
  std::free(path);
  if (!fd) {
    // "Not there" is an answer; anything that took this long is a server that is away.
    const int error = -fd.get();
    if (progress.gave_up || error == ETIMEDOUT || error == ETIME || error == EHOSTUNREACH || error == ENETUNREACH)
      enabled_ = false;
    return std::nullopt;
  }
  std::string error;
  auto file = ElfFile::adopt(std::move(fd), name, error);
  // An ELF file without a build id cannot be what was asked for either.
  if (file && file->build_id() != build_id) return std::nullopt;
  return file;
}

}  // namespace memprof
