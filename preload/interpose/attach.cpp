// What a debugger calls in a program that runs already, after a dlopen of this library (scripts/attach.py):
//
//     memprof_prepare     threads run on     settings, thread states; nothing is recorded yet
//     memprof_attach      all others stopped hooks, and recording begins
//     memprof_unhook      all others stopped the functions of the program are as they were
//     memprof_detach      threads run on     the trace is closed
//
// Two steps each, because what stops in the recorder or in libc may hold a lock: with threads stopped nothing is called
// that takes one, but the loader's for the list of modules. So none may be in the loader then; whoever calls sees to
// it.
//
// `message` gets what memprof has to say, lines, or the path of the trace.
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#include "allocators/find_allocators.h"
#include "allocators/module_symbols.h"
#include "entry_patch/entry_patch.h"
#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "lifecycle/lifecycle.h"
#include "platform/diagnostics.h"
#include "platform/load_time.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "real_allocator/real_allocator.h"
#include "recorder/mapping_kinds.h"
#include "thread_state/thread_state.h"
#include "trace_writer/trace_writer.h"

using namespace memprof;

extern "C" {
struct CodeBelowBreakpoint {
  uint64_t address;  // 0: past the last
  unsigned char code[8];
};
extern __attribute__((visibility("default"))) CodeBelowBreakpoint memprof_code[LateHooks::kMost + 2];
constinit CodeBelowBreakpoint memprof_code[LateHooks::kMost + 2] = {};
}

namespace {

// scripts/attach.py knows them too.
enum Answer : int { done = 0, again = 1, refused = 2 };
enum class Attached : uint8_t { no, prepared, yes, unhooked };
constinit Attached attached = Attached::no;

class Said {
 public:
  Said(char* to, size_t bytes) { collect_lines(to, bytes); }
  ~Said() { collect_lines(nullptr, 0); }
  Said(const Said&) = delete;
  Said& operator=(const Said&) = delete;
};

// Text of parts that end with `end`: where they begin, null past the last.
char** split(char* text, size_t bytes, char end, int* count) {
  constexpr int kMost = 1024;
  static constinit char* parts[2][kMost + 1] = {};
  char** const list = parts[end == '\n' ? 1 : 0];
  *count = 0;
  for (size_t at = 0; at < bytes && *count < kMost; ++at) {
    if (at == 0 || text[at - 1] == '\0') list[(*count)++] = text + at;
    if (text[at] == end) text[at] = '\0';
  }
  list[*count] = nullptr;
  return list;
}

// The command as the kernel has it, cut where it is long.
size_t read_command(char* to, size_t bytes) {
  const long file = sys::open_file("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  size_t length = 0;
  for (long got = 1; got > 0 && length + 1 < bytes; length += got > 0 ? static_cast<size_t>(got) : 0) {
    got = sys::read_file(static_cast<int>(file), to + length, bytes - 1 - length);
  }
  sys::close_file(static_cast<int>(file));
  return length;
}

// A debugger has breakpoints of its own in functions that memprof hooks, as long as the process runs. They are taken
// away while functions are changed, and the debugger is told what it is to leave there in their place.
class BreakpointsLifted {
 public:
  BreakpointsLifted() {
    for (unsigned i = 0; memprof_code[i].address != 0; ++i) {
      const CodeBelowBreakpoint& place = memprof_code[i];
      if (*reinterpret_cast<const unsigned char*>(place.address) != place.code[0])
        write_code(place.address, place.code, 1);
    }
  }
  ~BreakpointsLifted() {
    for (unsigned i = 0; memprof_code[i].address != 0; ++i) {
      CodeBelowBreakpoint& place = memprof_code[i];
      __builtin_memcpy(place.code, reinterpret_cast<const void*>(place.address), sizeof(place.code));
    }
  }
  BreakpointsLifted(const BreakpointsLifted&) = delete;
  BreakpointsLifted& operator=(const BreakpointsLifted&) = delete;
};

void note_code_places() {
  unsigned count = 0;
  const auto add = [&](uintptr_t address) {
    for (unsigned i = 0; i < count; ++i)
      if (memprof_code[i].address == address) return;
    if (address != 0 && count < LateHooks::kMost + 1) memprof_code[count++].address = address;
  };
  add(_r_debug.r_brk);
  for (void* const function : late_functions) add(reinterpret_cast<uintptr_t>(function));
}

void unhook_all() {
  restore_late_hooks();
  unhook_allocators();
}

// The function that the program calls by that name: of the first module that has one.
struct FirstFunction {
  const char* name;
  uintptr_t found;
  uintptr_t other;  // an address of the same module is as good: there the loader has chosen among versions
};
int look_for_function(dl_phdr_info* module, size_t, void* argument) {
  auto& wanted = *static_cast<FirstFunction*>(argument);
  const ModuleSymbols symbols(*module, nullptr);
  if (symbols.begin() == own_module_start()) return 0;
  wanted.found = symbols.find("", wanted.name).address;
  if (wanted.found != 0 && symbols.code_of(wanted.other).end != 0) wanted.found = wanted.other;
  return wanted.found != 0 ? 1 : 0;
}
void* first_function(const char* name, void* other) {
  FirstFunction wanted{name, 0, reinterpret_cast<uintptr_t>(other)};
  visit_loaded_modules(look_for_function, &wanted);
  return wanted.found != 0 ? reinterpret_cast<void*>(wanted.found) : other;
}
void* first_of_malloc(const char* name) { return first_function(name, nullptr); }

// Priority: the places that they change have been filled by then.
__attribute__((constructor(103))) void find_functions() {
  if (!was_loaded_late()) return;
  find_module_visitor();
  find_real_functions();
  find_late_functions(first_function);
  call_first_malloc(first_of_malloc);
}

}  // namespace

// `settings` are lines NAME=VALUE.
MEMPROF_EXPORT int memprof_prepare(const char* settings_text, char* message, size_t message_bytes) {
  const Said said(message, message_bytes);
  if (!was_loaded_late() || attached == Attached::yes) {
    say(recording_control != nullptr ? "the program is recorded already" : "memprof is loaded, and could not record");
    return refused;
  }
  if (attached == Attached::unhooked) {
    say("memprof is being detached from the program: call memprof --detach first");
    return refused;
  }
  constexpr size_t kMostBytes = 64 * 1024;
  const size_t settings_bytes = text_length(settings_text);
  auto* const kept = static_cast<char*>(sys::map_anonymous(settings_bytes + 1));
  auto* const command = static_cast<char*>(sys::map_anonymous(kMostBytes));
  if (kept == nullptr || command == nullptr) {
    say("cannot record: there is no address space left");
    return refused;
  }
  __builtin_memcpy(kept, settings_text, settings_bytes);
  int count = 0, ignored = 0;
  char** const environment = split(kept, settings_bytes, '\n', &ignored);
  char** const arguments = split(command, read_command(command, kMostBytes), '\0', &count);
  const bool is_ready = prepare_late_recording(count, arguments, environment);
  sys::unmap_anonymous(command, kMostBytes);
  note_code_places();
  if (is_ready) attached = Attached::prepared;
  return is_ready ? done : refused;
}

// The program counters of all other threads: where one is in the way, this is to be called again when it has gone on.
MEMPROF_EXPORT int memprof_attach(const uintptr_t* program_counters, size_t count, char* message,
                                  size_t message_bytes) {
  const Said said(message, message_bytes);
  if (attached != Attached::prepared) {
    say("memprof_attach without memprof_prepare");
    return refused;
  }
  for (size_t i = 0; i < count; ++i)  // of a recording before
    if (is_in_own_module(program_counters[i])) return again;
  const BreakpointsLifted lifted;
  forget_all_kinds();  // of a recording before: what has become of them was not seen
  set_stopped_threads(program_counters, count);
  const LateHooking hooking = hook_allocators_late();
  const bool is_hooked = hooking == LateHooking::done && patch_late_hooks();
  set_stopped_threads(nullptr, 0);
  if (!is_hooked || !begin_late_recording()) {
    unhook_all();
    return is_hooked || hooking == LateHooking::no_malloc ? refused : again;
  }
  attached = Attached::yes;
  say(trace_path());
  return done;
}

MEMPROF_EXPORT int memprof_unhook(char* message, size_t message_bytes) {
  const Said said(message, message_bytes);
  if (attached == Attached::unhooked) return done;
  if (attached != Attached::yes) {
    say(was_loaded_late() ? "memprof is not attached to the program"
                          : "memprof was preloaded into the program, and cannot be detached from it");
    return refused;
  }
  const BreakpointsLifted lifted;
  unhook_all();
  attached = Attached::unhooked;
  return done;
}

MEMPROF_EXPORT int memprof_detach(char* message, size_t message_bytes) {
  const Said said(message, message_bytes);
  if (attached != Attached::unhooked) {
    say("memprof_detach without memprof_unhook");
    return refused;
  }
  detach_recording();
  attached = Attached::no;
  say(trace_header != nullptr ? trace_path() : "");
  return done;
}
