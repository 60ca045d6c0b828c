// Groups of a compressed trace. An input is a byte that says how many pages there are, for each a byte (bit 0: of
// events) and two of length, and then either the payloads (bit 7 of the first byte), which must come back from the
// group that is made of them, or a group, which may hold anything.
#include <cstring>

#include "fuzzed_file.h"
#include "trace/page_group.h"

namespace {

using namespace memprof;
using fuzz::must;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t count = data[0] & 7u;
  const bool is_payload = (data[0] & 0x80) != 0;
  if (size < 1 + 3 * count) return 0;
  std::vector<PayloadShape> pages;
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* const at = data + 1 + 3 * i;
    pages.push_back({(at[0] & 1) != 0, static_cast<uint32_t>(at[1] | at[2] << 8)});
    total += pages.back().bytes;
  }
  const auto input = std::as_bytes(std::span(data, size)).subspan(1 + 3 * count);
  std::vector<std::byte> payloads(total), found(total);
  if (is_payload) {
    std::copy_n(input.begin(), std::min(total, input.size()), payloads.begin());
    must(unpack_group(pack_group(pages, payloads), pages, found) && found == payloads);
  } else if (unpack_group(input, pages, payloads)) {
    must(unpack_group(pack_group(pages, payloads), pages, found) && found == payloads);
  }
  return 0;
}
