// The file header: refused with a place and a reason, or within the bounds that everything else relies on.
#include <bit>
#include <string_view>

#include "fuzzed_file.h"
#include "model/clock.h"
#include "report/ending.h"
#include "trace/trace_error.h"
#include "trace_seal.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) memprof::fuzz::seal_trace(data, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memprof;
  using fuzz::must;
  try {
    const TraceFile file = fuzz::open_input(data, size);
    const format::FileHeader& header = file.header();
    must(std::has_single_bit(header.page_size) && header.page_size >= format::kMinPageSize &&
         header.page_size <= format::kMaxPageSize && header.time_shift <= 32);
    must(file.page_count() <= (size + header.page_size - 1) / header.page_size && file.pages().size() <= size);
    must(!file.complete() || file.closed_by_library());
    const Clock clock(file);
    must(clock.ticks_per_second() >= 1e5 && clock.ticks_per_second() <= 1e11);
    for (const uint64_t ticks : {uint64_t{0}, header.start_ticks, header.end_ticks, UINT64_MAX})
      must(clock.ns_since_start(ticks) <= 9'000'000'000'000'000'000u);
    (void)describe_ending(file);
    for (uint32_t cause = 0; cause < format::kDropCauses; ++cause) must(!describe_drop_cause(cause).empty());
    (void)file.damage().warnings();
  } catch (const TraceError& error) {
    must(std::string_view(error.what()).find("at offset ") != std::string_view::npos);
  }
  return 0;
}
