// The page index, the pages behind it, and the records of metadata and modules pages.
#include <tuple>

#include "fuzzed_file.h"
#include "model/domains.h"
#include "trace/metadata.h"
#include "trace/modules.h"
#include "trace/trace_error.h"
#include "trace_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return memprof::fuzz::mutate_trace(data, size, max_size, seed);
}

namespace {

using namespace memprof;
using fuzz::must;

void check_index(const TraceFile& file, size_t size) {
  const PageEntry* previous = nullptr;
  for (const PageEntry& entry : file.pages()) {
    must(entry.page != 0 && entry.page < file.page_count() && uint64_t{entry.page} * file.page_size() < size);
    must(entry.used <= file.page_size() - sizeof(format::PageHeader) && entry.stream_id != 0);
    if (previous)
      must(std::tie(previous->kind, previous->stream_id, previous->sequence, previous->page) <
           std::tie(entry.kind, entry.stream_id, entry.sequence, entry.page));
    previous = &entry;
  }
}

void read_pages(const TraceFile& file, size_t size) {
  std::vector<std::byte> buffer;
  std::span<const std::byte> payload;
  for (const PageEntry& entry : file.pages()) {
    if (!file.read_page(entry, buffer, payload)) continue;
    must(payload.size() <= entry.used && payload.size() <= size);
    must(payload.data() + payload.size() + TraceFile::kPayloadPadding <= buffer.data() + buffer.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const TraceFile file = fuzz::open_input(data, size);
    check_index(file, size);
    read_pages(file, size);
    const Metadata metadata = read_metadata(file);
    const Modules modules(file);
    for (const Module& module : modules.all()) must(modules.index_of(module.id) < modules.all().size());
    const Domains domains(metadata);
    for (unsigned tag = 0; tag <= UINT16_MAX; tag += 255)
      must(domains.tag(static_cast<uint16_t>(tag)).domain < domains.all().size());
    must(file.damage().warnings().size() < 32);
  } catch (const TraceError&) {
    // Refused with a message: the only other way out.
  }
  return 0;
}
