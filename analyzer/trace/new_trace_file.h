// Writes a trace: the header of another one, then pages. Until commit() there is nothing at the path; a process that
// dies before, whatever kills it, leaves nothing behind (on file systems with O_TMPFILE; on others a signal handler
// removes the temporary file). What was at the path is replaced in one step and never written into or followed.
//
//     NewTraceFile out = NewTraceFile::create(path, trace.file.header());
//     out.append(head, payload);     // kind, stream_id, sequence, threads and times are the caller's
//     out.commit();
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "memprof/trace_format.h"

namespace memprof {

// The new file could not be made; what() names it and says why.
class NewTraceError : public std::runtime_error {
 public:
  NewTraceError(const std::string& path, const std::string& why);
};

class NewTraceFile {
 public:
  // Named: what a file system without O_TMPFILE gets in any case.
  enum class Temporary { unnamed, named };

  // Throws NewTraceError, as all of them do. The file is for its owner alone (0600). Refuses a path where something
  // other than a regular file is.
  static NewTraceFile create(const std::string& path, const format::FileHeader& like,
                             Temporary temporary = Temporary::unnamed);
  NewTraceFile(NewTraceFile&&) noexcept;
  NewTraceFile& operator=(NewTraceFile&&) noexcept;
  ~NewTraceFile();  // uncommitted: nothing was ever there

  // Whether the path leads to that very file: a trace is not to be replaced by what is made of it.
  static bool is_same_file(const std::string& path, const std::string& trace);

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

  // Writes the header and puts the file in its place. `missing_pages` are counted by the header and are not there, as
  // in a trace that was cut.
  void commit(uint64_t missing_pages = 0);

 private:
  struct Place;
  NewTraceFile(std::unique_ptr<Place> place, const format::FileHeader& like);
  void write(uint64_t offset, std::span<const std::byte> bytes);

  std::unique_ptr<Place> place_;
  format::FileHeader header_;
  uint64_t next_page_ = 1;
};

}  // namespace memprof
