#include <algorithm>
#include <utility>

#include <lzma.h>

#include "symbols/elf_symbols.h"

namespace memprof {
namespace {

// Real ones are a few MB. xz packs zeros 7,000 to 1, so the limit is on what comes out.
constexpr size_t kMaxUnpackedBytes = size_t{256} << 20;
constexpr uint64_t kMaxDecoderBytes = uint64_t{128} << 20;

}  // namespace

std::optional<ElfFile> unpack_mini_debug_info(const ElfFile& file) {
  const auto packed = file.section_bytes(".gnu_debugdata");
  if (packed.empty()) return std::nullopt;

  for (size_t capacity = std::min(packed.size() * 8, kMaxUnpackedBytes);; capacity *= 2) {
    std::vector<char> image(std::min(capacity, kMaxUnpackedBytes));
    uint64_t memory_limit = kMaxDecoderBytes;
    size_t in = 0, out = 0;
    const lzma_ret result =
        lzma_stream_buffer_decode(&memory_limit, 0, nullptr, reinterpret_cast<const uint8_t*>(packed.data()), &in,
                                  packed.size(), reinterpret_cast<uint8_t*>(image.data()), &out, image.size());
    if (result == LZMA_OK) {
      image.resize(out);
      return ElfFile::from_memory(std::move(image), file.path());
    }
    if (result != LZMA_BUF_ERROR || image.size() == kMaxUnpackedBytes) return std::nullopt;
  }
}

}  // namespace memprof
