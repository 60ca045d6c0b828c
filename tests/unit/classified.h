// A built trace with a snapshot, and what is said of its blocks.
#pragma once

#include <memory>
#include <string>

#include "reach/classification.h"
#include "trace_opened.h"

namespace memprof::test {

struct Classified {
  explicit Classified(Trace opened) : trace(std::move(opened)), classes(classify_trace(trace, nullptr)) {}
  explicit Classified(TraceBuilder& builder) : Classified(Trace(open_bytes(builder.build()))) {}

  // "definite", ...; of no block that was live: "none".
  std::string reach_at(uint64_t address) const {
    const uint32_t block = classes->graph().index().find(address);
    return block == BlockIndex::kNone ? "none" : reach_name(classes->reach().of[block]);
  }

  Trace trace;
  std::unique_ptr<Classification> classes;
};

}  // namespace memprof::test
