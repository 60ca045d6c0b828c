// Every operator new and delete, by mangled name so that libmemprof needs no C++ runtime of its own. Calls that the
// runtime's operators make among themselves are passed on unrecorded: the outermost is what the program called.
#include <stdlib.h>

#include "interpose/cxx_runtime.h"
#include "interpose/hook.h"
#include "interpose/next_function.h"
#include "real_allocator/real_allocator.h"
#include "recorder/recorder.h"

namespace memprof {
namespace {

struct Nothrow;
enum class Alignment : size_t {};

MEMPROF_FIND_NEXT void find_next() { find_loaded_cxx_operators(); }

// No C++ runtime is loaded, yet somebody calls operator new: serve it by malloc.
void* new_without_runtime(size_t size_bytes) {
  void* block = real.malloc(size_bytes != 0 ? size_bytes : 1);
  if (block == nullptr) abort();  // what throwing without a runtime comes to
  return block;
}

class PassingOn {
 public:
  PassingOn(CxxOperator which, const CapturePoint& caller) : before_(inside_calls.passed_on_for) {
    if (is_passed_on(which)) inside_calls.passed_on_for = &caller;
  }
  ~PassingOn() { inside_calls.passed_on_for = before_; }
  PassingOn(const PassingOn&) = delete;
  PassingOn& operator=(const PassingOn&) = delete;

 private:
  const CapturePoint* const before_;
};

template <typename... More>
inline void* new_hook(CxxOperator which, Function function, const CapturePoint& caller, size_t size_bytes,
                      More... more) {
  const auto* return_address = reinterpret_cast<const void*>(caller.pc);
  auto operation = reinterpret_cast<void* (*)(size_t, More...)>(find_cxx_operator(which, return_address));
  const PassingOn passing_on(which, caller);
  void* block = operation != nullptr ? operation(size_bytes, more...) : new_without_runtime(size_bytes);
  if (block != nullptr && !is_nested(return_address) && !is_passed_on(which))
    record_alloc(block, size_bytes, function, caller);
  return block;
}

template <typename... More>
inline void delete_hook(CxxOperator which, Function function, const CapturePoint& caller, void* block, More... more) {
  const auto* return_address = reinterpret_cast<const void*>(caller.pc);
  auto operation = reinterpret_cast<void (*)(void*, More...)>(find_cxx_operator(which, return_address));
  if (block != nullptr && !is_nested(return_address) && !is_passed_on(which)) record_free(block, function, caller);
  const PassingOn passing_on(which, caller);
  if (operation != nullptr) {
    operation(block, more...);
  } else {
    real.free(block);
  }
  MEMPROF_NO_TAIL_CALL();
}

}  // namespace
}  // namespace memprof

using namespace memprof;

#define MEMPROF_NEW(symbol, which, function, parameters, ...) \
  MEMPROF_EXPORT void* symbol parameters;                     \
  MEMPROF_EXPORT void* symbol parameters { return new_hook(which, Function::function, MEMPROF_CALLER(), __VA_ARGS__); }
#define MEMPROF_DELETE(symbol, which, function, parameters, ...) \
  MEMPROF_EXPORT void symbol parameters;                         \
  MEMPROF_EXPORT void symbol parameters { delete_hook(which, Function::function, MEMPROF_CALLER(), __VA_ARGS__); }

#define MEMPROF_NEW_FAMILY(prefix, which, function)                                                  \
  MEMPROF_NEW(prefix##m, which, function, (size_t n), n)                                             \
  MEMPROF_NEW(prefix##mRKSt9nothrow_t, which##Nothrow, function, (size_t n, const Nothrow* t), n, t) \
  MEMPROF_NEW(prefix##mSt11align_val_t, which##Aligned, function, (size_t n, Alignment a), n, a)     \
  MEMPROF_NEW(prefix##mSt11align_val_tRKSt9nothrow_t, which##AlignedNothrow, function,               \
              (size_t n, Alignment a, const Nothrow* t), n, a, t)
#define MEMPROF_DELETE_FAMILY(prefix, which, function)                                                                 \
  MEMPROF_DELETE(prefix##Pv, which, function, (void* p), p)                                                            \
  MEMPROF_DELETE(prefix##Pvm, which##Sized, function, (void* p, size_t n), p, n)                                       \
  MEMPROF_DELETE(prefix##PvRKSt9nothrow_t, which##Nothrow, function, (void* p, const Nothrow* t), p, t)                \
  MEMPROF_DELETE(prefix##PvSt11align_val_t, which##Aligned, function, (void* p, Alignment a), p, a)                    \
  MEMPROF_DELETE(prefix##PvmSt11align_val_t, which##SizedAligned, function, (void* p, size_t n, Alignment a), p, n, a) \
  MEMPROF_DELETE(prefix##PvSt11align_val_tRKSt9nothrow_t, which##AlignedNothrow, function,                             \
                 (void* p, Alignment a, const Nothrow* t), p, a, t)

MEMPROF_NEW_FAMILY(_Znw, kNew, operator_new)
MEMPROF_NEW_FAMILY(_Zna, kNewArray, operator_new_array)
MEMPROF_DELETE_FAMILY(_Zdl, kDelete, operator_delete)
MEMPROF_DELETE_FAMILY(_Zda, kDeleteArray, operator_delete_array)
