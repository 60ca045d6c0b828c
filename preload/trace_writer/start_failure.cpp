#include "trace_writer/start_failure.h"

#include <errno.h>

#include "platform/diagnostics.h"
#include "platform/syscalls.h"
#include "platform/text.h"

namespace memprof {
namespace {

using Line = Text<1024>;
using Path = Text<4352>;

// The end of a long name, so that what is said about it has room.
void add_name(const char* name, Line* line) {
  constexpr size_t kMost = 400;
  const size_t length = text_length(name);
  if (length > kMost) line->add("...");
  line->add(length > kMost ? name + length - kMost : name);
}

// The shortest part of the directory's name that `is_amiss`; the whole of it where none is.
template <typename IsAmiss>
void add_directory(const char* path, Line* line, IsAmiss is_amiss) {
  static constinit Path directory;
  directory.clear();
  size_t length = 0;
  for (size_t i = 0; path[i] != '\0'; ++i) {
    if (path[i] == '/') length = i;
  }
  if (length == 0) {
    line->add(path[0] == '/' ? "/" : ".");
    return;
  }
  for (size_t i = 0; i < length; ++i) {
    if (path[i] == '/' && i > 0 && is_amiss(directory.c_str())) break;
    directory.add(path[i]);
  }
  add_name(directory.c_str(), line);
}

bool is_missing(const char* directory) {
  struct stat status;
  return sys::status_of_target(directory, &status) == -ENOENT;
}

bool is_no_directory(const char* directory) {
  struct stat status;
  return sys::status_of_target(directory, &status) == 0 && !S_ISDIR(status.st_mode);
}

bool is_closed_to_us(const char* directory) {
  struct stat status;
  Path inside;
  inside.add(directory).add("/.");
  return sys::status_of_target(inside.c_str(), &status) == -EACCES;
}

const char* kind_of(const char* path) {
  struct stat status;
  if (sys::status_of(path, &status) != 0) return "something that cannot be looked at";
  if (S_ISDIR(status.st_mode)) return "a directory";
  if (S_ISLNK(status.st_mode)) return "a symbolic link, and none is followed";
  if (S_ISFIFO(status.st_mode)) return "a fifo";
  if (!S_ISREG(status.st_mode)) return "a device or a socket";
  if (status.st_uid != sys::user_id()) return "a file of another user";
  return "a file that is no finished trace, or that cannot be moved away";
}

void add_descriptor_limit(Line* line) {
  struct rlimit limit;
  if (sys::resource_limit(RLIMIT_NOFILE, &limit) != 0) return;
  line->add(" (RLIMIT_NOFILE is ").add_number(limit.rlim_cur).add(")");
}

void add_reason(const char* path, long error, Line* line) {
  switch (-error) {
    case EEXIST: line->add("expected no file or a finished trace, found ").add(kind_of(path)); break;
    case ENOENT:
      line->add("its directory is missing: ");
      add_directory(path, line, is_missing);
      break;
    case ENOTDIR:
      line->add("this is not a directory: ");
      add_directory(path, line, is_no_directory);
      break;
    case EISDIR: line->add("expected the name of a file, found that of a directory"); break;
    case EACCES:
    case EPERM:
      line->add("no permission to write in ");
      add_directory(path, line, is_closed_to_us);
      break;
    case EROFS: line->add("the file system is read-only"); break;
    case EMFILE:
      line->add("the program has no free file descriptor");
      add_descriptor_limit(line);
      break;
    case ENFILE: line->add("the system has no free file descriptor"); break;
    case ENOSPC: line->add("no space is left on the file system"); break;
    case EDQUOT: line->add("the disk quota is used up"); break;
    case EFBIG: line->add("the file size limit (RLIMIT_FSIZE) is too small"); break;
    case ENOMEM: line->add("no address space is left"); break;
    case ENAMETOOLONG: line->add("the name is too long"); break;
    case ELOOP: line->add("the directory's name leads through too many links"); break;
    default: line->add("the kernel refuses it, errno ").add_number(static_cast<uint64_t>(-error)); break;
  }
}

}  // namespace

void say_cannot_record(const char* path, long error) {
  Line line;
  line.add("cannot record to ");
  add_name(path, &line);
  line.add(": ");
  add_reason(path, error, &line);
  line.add("; the program runs unrecorded");
  say(line.c_str());
}

}  // namespace memprof
