// A file that is made of another one. Until commit() there is nothing at the path; a process that dies before, whatever
// kills it, leaves nothing behind (on file systems with O_TMPFILE; on others a signal handler removes the temporary
// file). What was at the path is replaced in one step and never written into or followed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace memprof {

// The new file could not be made; what() names it and says why.
class NewTraceError : public std::runtime_error {
 public:
  NewTraceError(const std::string& path, const std::string& why);
};

class NewFile {
 public:
  // Named: what a file system without O_TMPFILE gets in any case.
  enum class Temporary { unnamed, named };

  // Throws NewTraceError, as all of them do. The file is for its owner alone (0600). Refuses a path where something
  // other than a regular file is.
  static NewFile create(const std::string& path, Temporary temporary = Temporary::unnamed);
  NewFile(NewFile&&) noexcept;
  NewFile& operator=(NewFile&&) noexcept;
  ~NewFile();  // uncommitted: nothing was ever there

  // Whether the path leads to that very file: a trace is not to be replaced by what is made of it.
  static bool is_same_file(const std::string& path, const std::string& trace);

  void write(uint64_t offset, std::span<const std::byte> bytes);
  // Cuts or extends it to so many bytes and puts it in its place.
  void commit(uint64_t size_bytes);
  [[noreturn]] void fail(const std::string& why) const;

 private:
  struct Place;
  explicit NewFile(std::unique_ptr<Place> place);

  std::unique_ptr<Place> place_;
};

}  // namespace memprof
