// The scopes of one trace (memprof_scope_begin() of memprof/memprof.h), and for which of them a block counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gate/verdict.h"
#include "memprof/trace_format.h"
#include "trace/metadata.h"

namespace memprof {

// From a begin to its end: of one name there may be many.
struct Scope {
  std::string name;
  uint64_t max_leaked_bytes = 0, max_leaked_blocks = 0;
};

// What leaked of the blocks of one scope.
struct ScopeLeaks {
  // Some blocks of a finding.
  struct Part {
    FindingKind kind = FindingKind::definite;
    uint64_t fingerprint = 0;
    std::string allocator;
    uint64_t blocks = 0, bytes = 0;
  };
  Scope scope;
  std::vector<Part> parts;
};

// Memory is O(begins and ends), a question is O(log of those of the thread).
class ScopeTimeline {
 public:
  ScopeTimeline(const Metadata& metadata, const format::FileHeader& header);

  // In the order of their begins.
  const std::vector<Scope>& scopes() const { return scopes_; }
  // An index into scopes(): the innermost of the thread's that was open then.
  std::optional<size_t> scope_of(uint32_t thread_serial, uint64_t alloc_ticks) const;
  // What the program did wrong.
  std::vector<std::string> warnings() const;

 private:
  struct Step {
    uint64_t ticks;
    size_t innermost;  // from then on
  };
  using Steps = std::vector<const Metadata::ScopeStep*>;
  void add_thread(uint32_t thread_serial, const Steps& steps, bool has_inherited);

  std::vector<Scope> scopes_;
  std::map<uint32_t, std::vector<Step>> threads_;
  uint64_t rounding_ticks_;
  uint64_t without_begin_ = 0, without_end_ = 0;
  std::string first_without_end_;
};

}  // namespace memprof
