#include "unwind/oracle.h"

#if __has_include(<libunwind.h>)
#include <dlfcn.h>
#include <libunwind.h>

#include <atomic>

#include "platform/syscalls.h"
#include "unwind/eh_frame.h"

#if defined(__x86_64__)
#define MEMPROF_UNWIND_LIBRARY "libunwind-x86_64.so.8"
#define MEMPROF_UNWIND_NAME(name) "_Ux86_64_" name
#else
#define MEMPROF_UNWIND_LIBRARY "libunwind-aarch64.so.8"
#define MEMPROF_UNWIND_NAME(name) "_Uaarch64_" name
#endif

namespace memprof {
namespace {

struct Library {
  decltype(&unw_create_addr_space) create_addr_space;
  decltype(&unw_set_caching_policy) set_caching_policy;
  decltype(&unw_init_remote) init_remote;
  decltype(&unw_step) step;
  decltype(&unw_get_reg) get_reg;
  decltype(&unw_is_signal_frame) is_signal_frame;
  int (*search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t*, unw_proc_info_t*, int, void*);
};
constinit Library library{};
constinit unw_addr_space_t address_space = nullptr;

// Threads inside libunwind, and the process they are of: in a forked child, others never leave it.
constinit std::atomic<uint32_t> inside{0};
constinit std::atomic<uint32_t> owner{0};

struct Question {
  UnwindState& state;
  const CapturePoint& point;
  ByteRange tables;  // of the module of the frame that is being looked at: they are read many times a frame
};

bool is_free_of_forked_locks() {
  const uint32_t self = sys::process_id();
  if (owner.load(std::memory_order_acquire) == self) return true;
  if (inside.load(std::memory_order_acquire) != 0) return false;
  owner.store(self, std::memory_order_release);
  return true;
}

// Its binary search wants the table of .eh_frame_hdr, as its dl_iterate_phdr callback would find it.
int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* out, int needs_info, void* argument) {
  ModuleFrames module;
  ByteRange& tables = static_cast<Question*>(argument)->tables;
  tables = {};
  if (!find_module_frames(ip, module) || module.header == nullptr) return -UNW_ENOINFO;
  constexpr uint8_t kUsualHeader[4] = {1, 0x1b, 0x03, 0x3b};  // pc-relative section, 4-byte count, 4-byte table
  for (unsigned i = 0; i < sizeof kUsualHeader; ++i) {
    if (module.header[i] != kUsualHeader[i]) return -UNW_ENOINFO;
  }
  tables = module.mapping;
  uint32_t count;
  __builtin_memcpy(&count, module.header + 8, sizeof count);
  unw_dyn_info_t table{};
  table.start_ip = ip;
  table.end_ip = ip + 1;
  table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  table.u.rti.segbase = reinterpret_cast<unw_word_t>(module.header);
  table.u.rti.table_data = table.u.rti.segbase + 12;
  table.u.rti.table_len = count * 8 / sizeof(unw_word_t);
  return library.search_unwind_table(space, ip, &table, out, needs_info, argument);
}

void put_unwind_info(unw_addr_space_t, unw_proc_info_t*, void*) {}
int get_dyn_info_list(unw_addr_space_t, unw_word_t*, void*) { return -UNW_ENOINFO; }

MEMPROF_READS_STACK int access_memory(unw_addr_space_t, unw_word_t address, unw_word_t* word, int writes,
                                      void* argument) {
  auto* question = static_cast<Question*>(argument);
  if (writes) return -UNW_EINVAL;
  const unw_word_t first = address & ~unw_word_t{7};
  const bool is_in_tables = question->tables.holds(reinterpret_cast<const void*>(first)) &&
                            question->tables.holds(reinterpret_cast<const void*>(first + 7));
  if (!is_in_tables && !question->state.pages.contain_word(first)) return -UNW_EINVAL;
  __builtin_memcpy(word, reinterpret_cast<const void*>(address), sizeof *word);
  return 0;
}

// Of the leaf we know what a hook knows of its caller. Its pc is put inside the call, where the row in force must be
// looked up: libunwind takes the pc of a first frame as it is.
int access_register(unw_addr_space_t, unw_regnum_t column, unw_word_t* word, int writes, void* argument) {
  const CapturePoint& point = static_cast<Question*>(argument)->point;
  if (writes) return -UNW_EREADONLYREG;
  if (column == UNW_REG_IP) {
    *word = point.pc - 1;
  } else if (column == UNW_REG_SP) {
    *word = point.sp;
  } else if (column == static_cast<unw_regnum_t>(arch::kFramePointer)) {
    *word = point.bp;
  } else {
    return -UNW_EBADREG;
  }
  return 0;
}

int access_float_register(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) { return -UNW_EBADREG; }
int resume(unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; }

template <typename Function>
bool find(void* handle, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(handle, name));
  return out != nullptr;
}

__attribute__((noinline)) OracleResult unwind(Question& question, uint32_t max_depth) {
  OracleResult result{true, false, 0};
  unw_cursor_t cursor;
  if (library.init_remote(&cursor, address_space, &question) < 0) return result;
  question.state.fresh[result.depth++].pc = question.point.pc;
  while (result.depth < max_depth) {
    const int outcome = library.step(&cursor);
    const bool interrupted = library.is_signal_frame(&cursor) > 0;  // whether it stepped out of a signal's trampoline
    unw_word_t pc = 0;
    if (outcome < 0 || library.get_reg(&cursor, UNW_REG_IP, &pc) < 0) return result;
    if (outcome == 0 || pc == 0) {
      result.ended = true;
      return result;
    }
    question.state.fresh[result.depth++].pc = interrupted ? (pc + arch::kIntoInstruction) | kInterrupted : pc;
  }
  return result;
}

}  // namespace

bool load_oracle() {
  void* handle = dlopen(MEMPROF_UNWIND_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return false;
  const bool complete = find(handle, MEMPROF_UNWIND_NAME("create_addr_space"), library.create_addr_space) &&
                        find(handle, MEMPROF_UNWIND_NAME("set_caching_policy"), library.set_caching_policy) &&
                        find(handle, MEMPROF_UNWIND_NAME("init_remote"), library.init_remote) &&
                        find(handle, MEMPROF_UNWIND_NAME("step"), library.step) &&
                        find(handle, MEMPROF_UNWIND_NAME("get_reg"), library.get_reg) &&
                        find(handle, MEMPROF_UNWIND_NAME("is_signal_frame"), library.is_signal_frame) &&
                        find(handle, MEMPROF_UNWIND_NAME("dwarf_search_unwind_table"), library.search_unwind_table);
  if (!complete) return false;
  static constinit unw_accessors_t accessors = {find_proc_info, put_unwind_info, get_dyn_info_list,
                                                access_memory,  access_register, access_float_register,
                                                resume,         nullptr};
  address_space = library.create_addr_space(&accessors, 0);
  if (address_space == nullptr) return false;
  library.set_caching_policy(address_space, UNW_CACHE_NONE);
  return true;
}

OracleResult ask_oracle(UnwindState& state, const CapturePoint& point, uint32_t max_depth) {
  if (address_space == nullptr || !is_free_of_forked_locks()) return {false, false, 0};
  inside.fetch_add(1, std::memory_order_acq_rel);
  state.pages.begin_walk(point.sp);
  Question question{state, point, {}};
  const OracleResult result = unwind(question, max_depth);
  inside.fetch_sub(1, std::memory_order_acq_rel);
  return result;
}

}  // namespace memprof

#else  // a cross build without libunwind's headers: nothing can be verified, and verify_stack says so

namespace memprof {

bool load_oracle() { return false; }
OracleResult ask_oracle(UnwindState&, const CapturePoint&, uint32_t) { return {false, false, 0}; }

}  // namespace memprof
#endif
