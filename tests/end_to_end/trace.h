// A trace as memprof-analyze tells it. The tests see traces only through its command line, as users do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "process.h"

namespace memprof::tests {

using Json = nlohmann::json;

Outcome analyze(const std::vector<std::string>& arguments);

class Trace {
 public:
  // Throws with the analyzer's own words when it does not end with 0.
  // `options`: of the summary that it is read by, such as --no-symbols where there are a thousand traces.
  explicit Trace(const std::filesystem::path& path, const std::vector<std::string>& options = {});

  const std::filesystem::path& path() const { return path_; }
  const Json& summary() const { return summary_; }
  uint64_t allocations() const { return summary_.at("allocations"); }
  uint64_t frees() const { return summary_.at("frees"); }
  uint64_t bytes_allocated() const { return summary_.at("bytes_allocated"); }
  uint64_t open_chunks() const { return summary_.at("open").at("chunks"); }
  uint64_t open_bytes() const { return summary_.at("open").at("bytes"); }
  uint64_t orphans() const { return summary_.at("orphaned").at("chunks"); }
  uint64_t inherited() const { return summary_.at("orphaned").at("inherited"); }
  uint64_t unknown_orphans() const { return summary_.at("orphaned").at("unknown"); }
  uint64_t dropped() const { return summary_.at("trace").at("dropped_events"); }
  uint64_t pid() const { return summary_.at("trace").at("pid"); }
  bool complete() const { return summary_.at("trace").at("complete"); }

  // Every chunk, or those of one state: open, closed, orphaned.
  std::vector<Json> chunks(const std::string& state = "") const;

 private:
  std::filesystem::path path_;
  Json summary_;
};

// The function that called the allocating function; "" when the trace cannot say.
std::string caller(const Json& chunk);
bool stack_names(const Json& chunk, const std::string& function);
uint64_t count_if(const std::vector<Json>& chunks, const std::function<bool(const Json&)>& holds);

// Blocks that runtimes allocate for themselves and keep: libstdc++'s pool for exceptions, objects of tcmalloc, a
// thread's dynamic thread vector, which glibc keeps with the cached stack.
bool belongs_to_runtime(const Json& chunk);

}  // namespace memprof::tests
