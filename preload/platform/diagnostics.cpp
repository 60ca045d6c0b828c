#include "platform/diagnostics.h"

#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "platform/text.h"

namespace memprof {
namespace {

constinit dev_t stderr_device = 0;
constinit ino_t stderr_inode = 0;
constinit bool stderr_known = false;
constinit char* collected = nullptr;
constinit size_t room_for_collected = 0;

void collect(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  if (length + 2 > room_for_collected) return;
  __builtin_memcpy(collected, text, length);
  collected[length] = '\n';
  collected[length + 1] = '\0';
  collected += length + 1;
  room_for_collected -= length + 1;
}

// Names come from the environment: what would steer a terminal (C0 and C1) is shown, not obeyed.
void add_visible(const char* text, Text<1024>* line) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (bool in_c1 = false; *text != '\0'; ++text) {
    const auto byte = static_cast<unsigned char>(*text);
    const bool begins_c1 = byte == 0xC2 && (static_cast<unsigned char>(text[1]) & 0xE0) == 0x80;
    if (byte < 0x20 || byte == 0x7F || begins_c1 || in_c1)
      line->add("\\x").add(kDigits[byte >> 4]).add(kDigits[byte & 15]);
    else
      line->add(*text);
    in_c1 = begins_c1;
  }
}

// A pipe that nobody reads sends SIGPIPE to who writes to it, a file at the host's RLIMIT_FSIZE SIGXFSZ. The host did
// not write: the signal is taken away, unless one was pending before.
void write_unnoticed(const char* line, size_t bytes) {
  constexpr sys::SignalSet kOfWriting = sys::set_of(SIGPIPE) | sys::set_of(SIGXFSZ);
  const SignalsBlocked until_done;  // SIGTTOU, too
  const sys::SignalSet before = sys::pending_signals();
  if (!sys::takes_a_line(2) || sys::write_file(2, line, bytes) >= 0) return;
  const sys::SignalSet ours = sys::pending_signals() & ~before & kOfWriting;
  if (ours != 0) sys::take_pending(ours);
}

}  // namespace

void remember_stderr() {
  struct stat now;
  stderr_known = sys::status(2, &now) == 0;
  if (!stderr_known) return;
  stderr_device = now.st_dev;
  stderr_inode = now.st_ino;
}

void collect_lines(char* to, size_t bytes) {
  collected = to;
  room_for_collected = to != nullptr ? bytes : 0;
}

void say(const char* text) {
  if (collected != nullptr) return collect(text);
  struct stat now;
  if (!stderr_known || sys::status(2, &now) != 0) return;
  if (now.st_dev != stderr_device || now.st_ino != stderr_inode) return;
  Text<1024> line;
  line.add("memprof: ");
  add_visible(text, &line);
  if (line.cut()) line.set_length(line.capacity() - 2);
  line.add('\n');
  write_unnoticed(line.c_str(), line.length());
}

}  // namespace memprof
