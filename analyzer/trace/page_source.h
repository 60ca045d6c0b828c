// Where the bytes of a trace come from: addressed as in the trace file that the recorder wrote, whatever keeps them.
// Reading is safe from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace memprof {

class PageSource {
 public:
  virtual ~PageSource() = default;

  // Of the trace file, as it is now: it may be growing.
  virtual uint64_t size_bytes() const = 0;
  // Of the file that holds it.
  virtual uint64_t stored_bytes() const = 0;
  virtual bool is_compressed() const = 0;
  // Fills `out`, which does not pass the end of a page, until the file ends. `error` is an errno value or 0.
  virtual size_t read(uint64_t offset, std::span<std::byte> out, int& error) const = 0;
  // Where the next bytes that may not be zero lie, from `offset` on; size_bytes() or more: nowhere.
  virtual uint64_t next_data(uint64_t offset) const = 0;
};

// Takes the descriptor over. Throws TraceError when it is no regular file, or a compressed trace that cannot be read.
std::unique_ptr<PageSource> open_page_source(int descriptor, const std::string& name);

}  // namespace memprof
