// Writes a trace: the header of another one, then pages. There is nothing at the path until commit() (new_file.h).
//
//     NewTraceFile out = NewTraceFile::create(path, trace.file.header());
//     out.append(head, payload);     // kind, stream_id, sequence, threads and times are the caller's
//     out.commit();
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "memprof/trace_format.h"
#include "trace/new_file.h"

namespace memprof {

class NewTraceFile {
 public:
  using Temporary = NewFile::Temporary;

  // Throws NewTraceError, as all of them do.
  static NewTraceFile create(const std::string& path, const format::FileHeader& like,
                             Temporary temporary = Temporary::unnamed);

  static bool is_same_file(const std::string& path, const std::string& trace) {
    return NewFile::is_same_file(path, trace);
  }

  // What commit() writes; page_count and checksum are settled there. kPageCountClosed is taken from it.
  format::FileHeader& header() { return header_; }

  // Gives the page its magic, the next number and its seal, and writes it. A payload has room for
  // payload_capacity() bytes.
  void append(format::PageHeader head, std::span<const std::byte> payload);
  // Writes the bytes of a page that already has its header and this number, whatever their state. Numbers between the
  // last page and this one become pages that were never written.
  void copy(uint64_t page, std::span<const std::byte> bytes);
  size_t payload_capacity() const { return header_.page_size - sizeof(format::PageHeader); }
  uint64_t next_page() const { return next_page_; }
  // Of all pages that were appended.
  uint64_t content_hash() const { return content_hash_; }

  // Writes the header and puts the file in its place. `missing_pages` are counted by the header and are not there, as
  // in a trace that was cut.
  void commit(uint64_t missing_pages = 0);

 private:
  NewTraceFile(NewFile file, const format::FileHeader& like);

  NewFile file_;
  format::FileHeader header_;
  uint64_t next_page_ = 1;
  uint64_t content_hash_ = 0;
};

}  // namespace memprof
