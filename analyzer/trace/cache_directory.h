// Files that spare work of later runs: in $MEMPROF_CACHE, else $XDG_CACHE_HOME/memprof, else $HOME/.cache/memprof. What
// is not as it should be (no directory, a foreign owner, a full disk) is as if it were not there.
//
// A file is put in its place whole: until commit() it has no name, so whatever ends the process leaves nothing behind
// (a file system without O_TMPFILE keeps no cache). Two programs may use one directory; of two files of one name the
// later stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace memprof {

class CacheDirectory {
 public:
  // Empty when the environment names none.
  static std::string default_path();

  // `path` empty: nothing is ever found or stored.
  explicit CacheDirectory(std::string path) : path_(std::move(path)) {}

  // For reading; the caller closes it. -1: not there, or not this user's own regular file.
  int open(const std::string& name) const;

  // Marks an open one as used now, for trim(); seldom, as reading is not to be writing.
  static void touch(int file);

  // Of the files whose names end so, those that were changed first are removed until the rest has no more bytes.
  void trim(std::string_view suffix, uint64_t most_bytes) const;

  class NewFile {
   public:
    // Makes the directory when it is missing.
    explicit NewFile(const CacheDirectory& directory);
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    // False: nothing can be stored, or something failed.
    explicit operator bool() const { return file_ >= 0; }
    uint64_t size_bytes() const { return size_bytes_; }
    void append(std::span<const std::byte> bytes);
    void commit(const std::string& name);

   private:
    void give_up();

    int directory_ = -1, file_ = -1;
    uint64_t size_bytes_ = 0;
  };

 private:
  // It must be this user's, closed to the writing of others, and no link. -1: there is none.
  int open_directory() const;

  std::string path_;
};

}  // namespace memprof
