// The whole reader and every report on arbitrary bytes. Checksums of headers and pages are put right first, or nearly
// every input would be refused at the door; the unit tests cover wrong ones.
//
//     CXX=clang++ meson setup build-fuzz && ninja -C build-fuzz analyzer/trace_fuzzer
//     build-fuzz/analyzer/trace_fuzzer -max_len=65536 CORPUS tests/golden
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "model/analysis.h"
#include "report/reports.h"
#include "trace/trace_error.h"

namespace {

using namespace memprof;
using format::FileHeader;
using format::PageHeader;

void repair(std::vector<std::byte>& bytes) {
  FileHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.format_version = format::kVersion;
  header.endian_tag = format::kEndianTag;
  header.fixed_bytes = format::kFixedBytes;
  header.page_size = format::kMinPageSize;
  header.pointer_bits = 64;
  header.time_shift %= 33;
  if (header.clock != format::Clock::tsc) header.clock = format::Clock::monotonic;
  header.checksum = 0;
  header.checksum = XXH3_64bits(&header, format::kFixedBytes);
  std::memcpy(bytes.data(), &header, sizeof header);
  for (size_t at = header.page_size; at + sizeof(PageHeader) <= bytes.size(); at += header.page_size) {
    PageHeader page;
    std::memcpy(&page, bytes.data() + at, sizeof page);
    page.magic = format::kPageMagic;
    page.header_bytes = sizeof page;
    page.page_index = at / header.page_size;
    page.state = page.state == format::PageState::unwritten ? page.state : format::PageState::open;
    page.used %= header.page_size - sizeof page + 1;
    std::memcpy(bytes.data() + at, &page, sizeof page);
  }
}

int memory_file(const std::vector<std::byte>& bytes) {
  const int descriptor = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (descriptor >= 0 && ::write(descriptor, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    return -1;
  return descriptor;
}

void report_all(const std::vector<std::byte>& bytes) {
  static const int kNowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const int descriptor = memory_file(bytes);
  if (descriptor < 0) return;
  Output out(kNowhere);
  ReportOptions options;
  options.symbols = false;
  options.max_frames = 32;
  try {
    const Trace trace(TraceFile::from_descriptor(descriptor, "fuzz"));
    const Analysis analysis = analyse(trace);
    report_summary_text(analysis, options, out);
    report_summary_json(analysis, options, out);
    report_chunks(trace, options, out, nullptr);
    report_dump(trace, {}, out);
    report_dump_stats(trace, options, out);
    out.flush();
  } catch (const TraceError&) {
    // Refused with a message: the only other way out.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> bytes(size);
  if (size != 0) std::memcpy(bytes.data(), data, size);
  // An odd length tries the bytes as they are, an even one with the doors opened.
  if (size % 2 == 0) repair(bytes);
  report_all(bytes);
  return 0;
}
