#include "trace/samples.h"

#include <algorithm>

#include "trace/byte_reader.h"
#include "trace/record_reader.h"

namespace memprof {

using format::MemorySample;
using format::SampleRecord;

std::vector<MemorySample> read_samples(const TraceFile& file) {
  std::vector<MemorySample> samples;
  visit_records(file, format::StreamKind::samples, [&](const Record& record) {
    if (record.type != static_cast<uint16_t>(SampleRecord::memory)) return;  // of a later library
    ByteReader reader(record.payload);
    MemorySample sample;
    if (reader.read(sample))
      samples.push_back(sample);
    else
      file.damage().add_page(record.page, "a sample does not hold what it says");
  });
  std::stable_sort(samples.begin(), samples.end(),
                   [](const MemorySample& a, const MemorySample& b) { return a.ticks < b.ticks; });
  return samples;
}

}  // namespace memprof
