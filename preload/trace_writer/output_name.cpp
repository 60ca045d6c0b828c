#include "trace_writer/output_name.h"

#include <errno.h>

#include "memprof/trace_format.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "trace_writer/same_run.h"

namespace memprof {
namespace {

using Path = Text<4352>;

constinit Path chosen;

constexpr int kCreate = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
constexpr unsigned kAttempts = 100'000;

// Writes `stem + middle + extension` where the name is split at the last dot of its last component.
void insert_before_extension(const Path& name, const char* middle, Path* out) {
  size_t split = name.length();
  for (size_t i = name.length(); i > 0 && name.c_str()[i - 1] != '/'; --i) {
    const bool hidden_file = i == 1 || name.c_str()[i - 2] == '/';
    if (name.c_str()[i - 1] == '.' && !hidden_file) {
      split = i - 1;
      break;
    }
  }
  out->clear();
  out->add(name.c_str(), split).add(middle).add(name.c_str() + split);
}

bool has_directive(const char* pattern, char letter) {
  for (; *pattern != '\0'; ++pattern) {
    if (*pattern != '%') continue;
    ++pattern;
    if (*pattern == letter) return true;
  }
  return false;
}

void expand(const OutputRequest& request, uint64_t number, Path* out) {
  out->clear();
  for (const char* at = request.pattern; *at != '\0'; ++at) {
    if (*at != '%') {
      out->add(*at);
      continue;
    }
    switch (*++at) {
      case 'p': out->add_number(request.pid); break;
      case 'e': out->add(request.program); break;
      case 'n': out->add_number(number); break;
      default: out->add('%'); break;
    }
  }
}

enum class Existing { same_process, alive, finished, empty, foreign };

// The shell made it a moment ago, for what the program is going to write.
bool is_standard_stream(const struct stat& file) {
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat stream;
    if (sys::status(fd, &stream) == 0 && stream.st_dev == file.st_dev && stream.st_ino == file.st_ino) return true;
  }
  return false;
}

// Regular files only: to open a fifo lets its writers in, who then have no reader; to open a device may start it.
long open_existing(const char* path) {
  struct stat status;
  const long result = sys::status_of(path, &status);
  if (result != 0) return result;
  if (!S_ISREG(status.st_mode)) return -EEXIST;
  return sys::open_file(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

// A process whose start nobody tells (no /proc, no descriptor for it) may be the one that wrote there.
bool is_alive(const format::FileHeader& header) {
  if (!sys::process_exists(header.pid)) return false;
  const uint64_t start = process_start_time(header.pid);
  return start == 0 || start == header.process_start;
}

// Who wrote the open file that has our name? Fills in the header where it is a trace.
Existing inspect(int fd, const OutputRequest& request, format::FileHeader* found) {
  struct stat status;
  format::FileHeader& header = *found;
  if (sys::status(fd, &status) != 0 || !S_ISREG(status.st_mode)) return Existing::foreign;
  // As mktemp leaves it: there is nothing in it to lose.
  if (status.st_size == 0 && status.st_uid == sys::user_id() && status.st_nlink == 1) {
    return is_standard_stream(status) ? Existing::foreign : Existing::empty;
  }
  const bool is_trace = sys::read_file(fd, &header, sizeof(header)) == sizeof(header) &&
                        __builtin_memcmp(header.magic, format::kMagic, sizeof(header.magic)) == 0;
  if (!is_trace) return Existing::foreign;
  const bool same_namespace = header.pid_namespace == process_namespace();
  if (same_namespace && header.pid == request.pid && header.process_start == request.process_start && !request.forked) {
    return Existing::same_process;
  }
  // A pid of another namespace says nothing here: only the file itself tells that its writer is done.
  if (!same_namespace) {
    return header.end_state == format::EndState::running ? Existing::alive : Existing::finished;
  }
  return is_alive(header) ? Existing::alive : Existing::finished;
}

// Cuts the pages that an image reserved and never used; only for files that nobody writes any more.
void trim(const char* path) {
  const long fd = sys::open_file(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  format::FileHeader header;
  if (sys::read_file(static_cast<int>(fd), &header, sizeof(header)) == sizeof(header) &&
      header.page_size == format::kPageSize) {
    const uint64_t pages = header.page_count & ~format::kPageCountClosed;
    struct stat status;
    const uint64_t bytes = pages * format::kPageSize;
    if (sys::status(static_cast<int>(fd), &status) == 0 && static_cast<uint64_t>(status.st_size) > bytes && pages > 0) {
      sys::truncate(static_cast<int>(fd), bytes);
    }
  }
  sys::close_file(static_cast<int>(fd));
}

// renameat2 needs help from the filesystem; without it the check and the rename are two steps.
bool rename_to_new(const char* from, const char* to) {
  const long result = sys::rename_new(from, to);
  if (result == 0) return true;
  if (result != -EINVAL && result != -ENOSYS) return false;
  const long fd = sys::open_file(to, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) sys::close_file(static_cast<int>(fd));
  return fd == -ENOENT && sys::rename(from, to) == 0;
}

// Another trace of this process, or of a process of this run that had its number: name.PID.N.ext, N from 1.
bool keep_numbered(const Path& name, bool names_pid, const OutputRequest& request) {
  trim(name.c_str());
  for (unsigned number = 1; number < kAttempts; ++number) {
    Text<64> middle;
    if (!names_pid) middle.add('.').add_number(request.pid);
    middle.add('.').add_number(number);
    Path target;
    insert_before_extension(name, middle.c_str(), &target);
    if (rename_to_new(name.c_str(), target.c_str())) return true;
  }
  return false;
}

bool is_same_file(int fd, const char* path) {
  struct stat ours;
  struct stat there;
  return sys::status(fd, &ours) == 0 && sys::status_of(path, &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

// `fd` is the file, and locked. Where both names are its names, rename succeeds and does nothing.
bool keep_old(int fd, const Path& name) {
  Path old;
  old.add(name.c_str()).add(".old");
  if (old.cut() || sys::rename(name.c_str(), old.c_str()) != 0) return false;
  return !is_same_file(fd, name.c_str()) || sys::remove(name.c_str()) == 0;
}

enum class Step { try_again, use_pid, use_number, give_up };

// Waits as long as another newcomer may need to move the file away. Anybody else's lock may stand for ever, and the
// host would stand with it. A filesystem without locks does without.
bool lock_for_a_moment(int fd) {
  constexpr int kTries = 200;
  constexpr long kPauseNs = 500'000;
  for (int tries = 0; tries < kTries; ++tries) {
    if (sys::lock_file(fd) != -EWOULDBLOCK) return true;
    sys::sleep_ns(kPauseNs);
  }
  return false;
}

// Two newcomers may find the same old file: whoever locks it moves it away, the other finds it gone and looks again.
// `begun_by_name`: files get their names before their headers here, so an empty one may be another newcomer's.
// `why`: a negative errno, when it gives up.
Step make_room(const Path& name, bool names_pid, bool begun_by_name, const OutputRequest& request, long* why) {
  *why = -EEXIST;
  const long opened = open_existing(name.c_str());
  if (opened == -ENOENT) return Step::try_again;
  if (opened == -EMFILE || opened == -ENFILE) *why = opened;
  if (opened < 0) return Step::give_up;
  const int fd = static_cast<int>(opened);
  const bool locked = lock_for_a_moment(fd);
  Step step = Step::try_again;
  format::FileHeader header;
  if (!is_same_file(fd, name.c_str())) {
    // moved away meanwhile
  } else if (!locked) {
    step = inspect(fd, request, &header) == Existing::foreign ? Step::give_up
           : names_pid                                        ? Step::use_number
                                                              : Step::use_pid;
  } else {
    switch (inspect(fd, request, &header)) {
      case Existing::foreign: step = Step::give_up; break;
      case Existing::empty:
        if (begun_by_name)
          step = names_pid ? Step::use_number : Step::use_pid;
        else if (sys::remove(name.c_str()) != 0)
          step = Step::give_up;
        break;
      case Existing::alive: step = names_pid ? Step::use_number : Step::use_pid; break;
      case Existing::same_process:
        if (!keep_numbered(name, names_pid, request)) step = Step::give_up;
        break;
      case Existing::finished:
        if (names_pid) {
          if (!keep_numbered(name, names_pid, request)) step = Step::give_up;
        } else if (is_of_this_run(header, fd, request.process_start)) {
          step = Step::use_pid;
        } else if (!keep_old(fd, name)) {
          step = Step::give_up;
        }
        break;
    }
  }
  sys::close_file(fd);
  return step;
}

void take_name_with_pid(const OutputRequest& request, Path* name) {
  if (has_directive(request.pattern, 'p')) return;
  Text<32> middle;
  middle.add('.').add_number(request.pid);
  Path plain = *name;
  insert_before_extension(plain, middle.c_str(), name);
}

void add_number(unsigned number, Path* name) {
  Text<32> middle;
  middle.add('.').add_number(number);
  const Path plain = *name;
  insert_before_extension(plain, middle.c_str(), name);
}

// An earlier image of a forked child wrote under this name: then this image belongs there as well.
bool wrote_with_pid(const OutputRequest& request, Path* name) {
  expand(request, 0, name);
  take_name_with_pid(request, name);
  const long fd = open_existing(name->c_str());
  if (fd < 0) return false;
  format::FileHeader header;
  const bool ours = inspect(static_cast<int>(fd), request, &header) == Existing::same_process;
  sys::close_file(static_cast<int>(fd));
  return ours;
}

using FileOfDescriptor = Text<64>;
FileOfDescriptor file_of(int fd) {
  FileOfDescriptor path;
  path.add("/proc/self/fd/").add_number(static_cast<uint64_t>(fd));
  return path;
}

// A negative errno where there can be none, or where it could not be given a name later.
int make_unnamed_file(const OutputRequest& request) {
  expand(request, 0, &chosen);
  size_t length = chosen.length();
  while (length > 0 && chosen.c_str()[length - 1] != '/') --length;
  static constinit Path directory;
  directory.clear();
  directory.add(length > 0 ? chosen.c_str() : "./", length > 0 ? length : 2);
  const auto fd = static_cast<int>(sys::open_file(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd < 0) return fd;
  char target[8];
  if (sys::read_link(file_of(fd).c_str(), target, sizeof(target)) > 0) return fd;
  sys::close_file(fd);
  return -ENOENT;
}

// A new file, or one that was made without a name.
long take_name(const Path& name, int unnamed) {
  if (unnamed < 0) return sys::open_file(name.c_str(), kCreate, 0600);
  const long result = sys::link_to_new(file_of(unnamed).c_str(), name.c_str());
  return result == 0 ? unnamed : result;
}

OutputFile find_name(const OutputRequest& request, int unnamed) {
  const bool counted = has_directive(request.pattern, 'n');
  const bool pattern_names_pid = has_directive(request.pattern, 'p');
  bool with_pid = request.forked || (!counted && !pattern_names_pid && wrote_with_pid(request, &chosen));
  uint64_t number = 0;
  unsigned same_pid_writers = 0;  // alive in other pid namespaces: the name goes on counting past them
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    expand(request, number, &chosen);
    if (with_pid && !counted) take_name_with_pid(request, &chosen);
    if (same_pid_writers > 0) add_number(same_pid_writers, &chosen);
    if (chosen.cut()) return {-ENAMETOOLONG, chosen.c_str(), false};
    const long fd = take_name(chosen, unnamed);
    if (fd != -EEXIST) return {static_cast<int>(fd), chosen.c_str(), fd >= 0};
    if (counted) {
      ++number;
      continue;
    }
    long why = 0;
    switch (make_room(chosen, with_pid || pattern_names_pid, unnamed < 0, request, &why)) {
      case Step::try_again: break;
      case Step::use_pid: with_pid = true; break;
      case Step::use_number: ++same_pid_writers; break;
      case Step::give_up: return {static_cast<int>(why), chosen.c_str(), false};
    }
  }
  return {-EEXIST, chosen.c_str(), false};
}

}  // namespace

OutputFile make_output_file(const OutputRequest& request) {
  const int unnamed = make_unnamed_file(request);
  return unnamed >= 0 ? OutputFile{unnamed, chosen.c_str(), false} : find_name(request, -1);
}

OutputFile name_output_file(const OutputRequest& request, int fd) { return find_name(request, fd); }

uint64_t process_namespace() {
  struct stat status;
  return sys::status_of_target("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

uint64_t process_start_time(uint32_t pid) {
  Text<64> path;
  path.add("/proc/").add_number(pid).add("/stat");
  const long fd = sys::open_file(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char buffer[1024];
  const long bytes = sys::read_file(static_cast<int>(fd), buffer, sizeof(buffer));
  sys::close_file(static_cast<int>(fd));
  // Field 2 is the name in parentheses and may hold anything: count fields from the last one that closes.
  long at = bytes - 1;
  while (at >= 0 && buffer[at] != ')') --at;
  if (at < 0) return 0;
  unsigned field = 2;
  uint64_t value = 0;
  for (++at; at < bytes && field <= 22; ++at) {
    if (buffer[at] == ' ') {
      ++field;
    } else if (field == 22 && buffer[at] >= '0' && buffer[at] <= '9') {
      value = value * 10 + static_cast<uint64_t>(buffer[at] - '0');
    }
  }
  return value;
}

}  // namespace memprof
