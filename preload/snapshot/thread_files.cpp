#include "snapshot/thread_files.h"

#include "platform/text.h"

namespace memprof {

namespace {

// The begin of /proc/self/task/THREAD/NAME, terminated; empty when there is none.
constinit char file_text[2048] = {};
const char* read_thread_file(uint32_t thread, const char* name) {
  Text<64> path;
  path.add("/proc/self/task/").add_number(thread).add('/').add(name);
  file_text[0] = '\0';
  const long opened = sys::open_file(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return file_text;
  const long bytes = sys::read_file(static_cast<int>(opened), file_text, sizeof(file_text) - 1);
  file_text[bytes > 0 ? bytes : 0] = '\0';
  sys::close_file(static_cast<int>(opened));
  return file_text;
}

// What stands behind `key`; the end of the text when it is not there.
const char* find_value(const char* text, const char* key) {
  for (; *text != '\0'; ++text) {
    const char *at = text, *wanted = key;
    while (*wanted != '\0' && *at == *wanted) ++at, ++wanted;
    if (*wanted == '\0') return at;
  }
  return text;
}

uint64_t hex_at(const char* text) {
  uint64_t value = 0;
  for (;; ++text) {
    const char c = *text;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return value;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
}

}  // namespace

// "NUMBER 0xA 0xB 0xC 0xD 0xE 0xF 0xSP 0xPC", or "running".
CallUnderWay call_of_thread(uint32_t thread) {
  const char* at = read_thread_file(thread, "syscall");
  CallUnderWay call{-1, 0, 0};
  if (*at < '0' || *at > '9') return call;
  call.number = 0;
  for (; *at >= '0' && *at <= '9'; ++at) call.number = call.number * 10 + (*at - '0');
  at = find_value(at, " 0x");
  call.first_argument = hex_at(at);
  for (int i = 1; i < 8; ++i) at = find_value(at, " 0x");
  call.end = hex_at(at);
  return call;
}

ThreadStatus status_of_thread(uint32_t thread, const CallUnderWay& call) {
  const char* const text = read_thread_file(thread, "status");
  const char state = *find_value(text, "\nState:\t");
  sys::SignalSet awaited = 0;
  if (call.number == SYS_rt_sigtimedwait) {
    struct {
      void* start;
      size_t bytes;
    } to{&awaited, sizeof(awaited)}, from{reinterpret_cast<void*>(call.first_argument), sizeof(awaited)};  // iovec
    sys::call(SYS_process_vm_readv, sys::process_id(), sys::arg(&to), 1, sys::arg(&from), 1, 0);
  }
  return {state != '\0' && state != 'Z' && state != 'X', hex_at(find_value(text, "\nSigBlk:\t")) | awaited};
}

}  // namespace memprof
