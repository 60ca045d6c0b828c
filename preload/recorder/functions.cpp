#include "recorder/functions.h"

#include <atomic>

#include "platform/text.h"
#include "trace_writer/record_stream.h"

namespace memprof {
namespace {

constexpr bool is_in_order() {
  for (unsigned i = 0; i < kOwnFunctionCount; ++i)
    if (static_cast<unsigned>(kOwnFunctions[i].function) != i) return false;
  return true;
}
static_assert(is_in_order());

constinit std::atomic<bool> is_defined[kOwnFunctionCount] = {};

// Twice, where two threads meet here, does no harm.
__attribute__((noinline, cold)) void define(OwnFunction function) {
  const OwnFunctionInfo& info = kOwnFunctions[static_cast<unsigned>(function)];
  const format::FunctionDefinition head{
      static_cast<uint16_t>(number_of(function)), static_cast<uint16_t>(info.domain), info.family, {}};
  const Piece pieces[] = {{&head, sizeof(head)}, {info.name, text_length(info.name)}};
  if (write_metadata_record(format::MetadataRecord::function, pieces, 2))
    is_defined[static_cast<unsigned>(function)].store(true, std::memory_order_relaxed);
}

}  // namespace

format::Function defined(OwnFunction function) {
  if (__builtin_expect(!is_defined[static_cast<unsigned>(function)].load(std::memory_order_relaxed), 0))
    define(function);
  return number_of(function);
}

void define_functions_again() {
  for (const OwnFunctionInfo& info : kOwnFunctions)
    if (is_defined[static_cast<unsigned>(info.function)].load(std::memory_order_relaxed)) define(info.function);
}

}  // namespace memprof
