#include "platform/diagnostics.h"

#include "platform/syscalls.h"
#include "platform/text.h"

namespace memprof {
namespace {

constinit dev_t stderr_device = 0;
constinit ino_t stderr_inode = 0;
constinit bool stderr_known = false;

}  // namespace

void remember_stderr() {
  struct stat now;
  stderr_known = sys::status(2, &now) == 0;
  if (!stderr_known) return;
  stderr_device = now.st_dev;
  stderr_inode = now.st_ino;
}

void say(const char* text) {
  struct stat now;
  if (!stderr_known || sys::status(2, &now) != 0) return;
  if (now.st_dev != stderr_device || now.st_ino != stderr_inode) return;
  Text<1024> line;
  line.add("memprof: ").add(text);
  if (line.cut()) line.set_length(line.capacity() - 2);
  line.add('\n');
  sys::write_file(2, line.c_str(), line.length());
}

}  // namespace memprof
