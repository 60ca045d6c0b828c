// Everything about one trace that the reports draw on.
#pragma once

#include <algorithm>
#include <memory>

#include "model/clock.h"
#include "model/domains.h"
#include "model/merge.h"
#include "model/pairing.h"
#include "model/selection.h"
#include "model/site_keys.h"
#include "trace/metadata.h"
#include "trace/modules.h"
#include "trace/samples.h"
#include "trace/stack_nodes.h"
#include "trace/trace_file.h"

namespace memprof {

// The small parts of a trace, read whole.
struct Trace {
  explicit Trace(TraceFile opened)
      : file(std::move(opened)),
        metadata(read_metadata(file)),
        modules(file),
        samples(read_samples(file)),
        nodes(file),
        clock(file),
        domains(metadata) {}

  TraceFile file;
  Metadata metadata;
  Modules modules;
  std::vector<format::MemorySample> samples;
  StackNodes nodes;
  Clock clock;
  Domains domains;
  SiteKeys site_keys;
  Selection selection;  // of every analysis
};

class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void advance(uint64_t pages_done, uint64_t pages_total) = 0;
};

// The accounts after the last event.
struct Analysis {
  const Trace& trace;
  std::vector<Thread> threads;
  Pairing pairing;

  const Account* heap() const { return pairing.account(Domains::kHeap); }
  uint64_t duration_ns() const;
  // Of what the selection is about: the window, or the whole trace.
  uint64_t from_ns() const { return trace.selection.from_ns; }
  uint64_t end_ns() const { return std::min(trace.selection.to_ns, duration_ns()); }
};

// One pass over all events. `visitor`, `progress` and `observer` may be null; `trace` outlives the result.
Analysis analyse(const Trace& trace, ChunkVisitor* visitor = nullptr, ProgressSink* progress = nullptr,
                 SumObserver* observer = nullptr);

}  // namespace memprof
