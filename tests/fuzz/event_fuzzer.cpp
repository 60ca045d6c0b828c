// The event records of one page: no byte may be read past the padding, nothing returned after damage.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "trace/event_reader.h"
#include "trace/trace_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memprof;
  if (size < 2) return 0;
  std::vector<std::byte> bytes(size - 2 + TraceFile::kPayloadPadding);
  std::memcpy(bytes.data(), data + 2, size - 2);
  EventReader reader;
  reader.start(std::span(bytes).first(size - 2), {.base_ticks = uint64_t{data[0]} << 56,
                                                  .lead_units = data[0],
                                                  .time_shift = data[1] % 33u,
                                                  .size_bias = data[1]});
  std::vector<Event> events(16);
  uint64_t last = 0;
  while (const size_t count = reader.read(events)) {
    for (const Event& event : std::span(events).first(count)) {
      if (event.ticks < last || event.ticks > kMaxEventTicks || event.size > format::kMostBlockBytes) std::abort();
      last = event.ticks;
    }
  }
  if (reader.bytes_read() > size - 2) std::abort();
  return 0;
}
