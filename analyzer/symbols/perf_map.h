#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace memprof {

// The names that a JIT compiler wrote for perf: lines of "START SIZE name", the numbers in hex.
class PerfMap {
 public:
  // Reads `directory`/perf-`pid`.map. Anyone can put a file into /tmp, so only a regular file that is no link
  // and belongs to this user or root is read, as perf does; and a map last written before `not_before`
  // (seconds since 1970, 0: no check) was left by an earlier process of the same pid.
  static PerfMap load(const std::string& directory, pid_t pid, int64_t not_before = 0);
  // Code is overwritten as it is recompiled, so of overlapping entries the later one wins.
  static PerfMap parse(std::string_view text);

  std::string_view find(uint64_t address) const;  // empty: no entry covers it
  size_t size() const { return entries_.size(); }
  const std::string& path() const { return path_; }
  const std::string& error() const { return error_; }  // why a map that exists was not read

 private:
  struct Entry {
    uint64_t end;
    std::string name;
  };
  void parse_line(std::string_view line);
  void insert(uint64_t start, uint64_t end, std::string_view name);

  std::map<uint64_t, Entry> entries_;  // by start; never overlapping
  std::string path_, error_;
};

}  // namespace memprof
