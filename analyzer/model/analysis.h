// Everything about one trace that the reports draw on.
#pragma once

#include <memory>
#include <optional>

#include "model/block_types.h"
#include "model/clock.h"
#include "model/domains.h"
#include "model/pairing.h"
#include "model/pipeline.h"
#include "model/selection.h"
#include "model/site_keys.h"
#include "trace/metadata.h"
#include "trace/modules.h"
#include "trace/samples.h"
#include "trace/stack_nodes.h"
#include "trace/trace_file.h"

namespace memprof {

// The small parts of a trace, read whole, and what is asked of it.
struct Trace {
  explicit Trace(TraceFile opened)
      : file(std::move(opened)),
        metadata(read_metadata(file)),
        modules(file),
        samples(read_samples(file)),
        nodes(file, modules),
        clock(file),
        domains(metadata),
        threads(default_threads(file)) {
    // A trace that was extracted from another one is of a window.
    if (metadata.window) {
      selection.from_ns = metadata.window->from_ns;
      selection.to_ns = metadata.window->to_ns;
    }
  }

  static unsigned default_threads(const TraceFile& file);

  TraceFile file;
  Metadata metadata;
  Modules modules;
  std::vector<format::MemorySample> samples;
  StackNodes nodes;
  Clock clock;
  Domains domains;
  SiteKeys site_keys;
  // Several domains whose blocks have an account together, besides those of their own; none: nobody asked.
  std::optional<DomainSet> together;
  // Sites of blocks that the program gave a type; none: they count for their stacks.
  struct SitesOfTypes {
    const BlockTypes* types;
    SiteOfType site_of;
  };
  std::optional<SitesOfTypes> sites_of_types;
  Selection selection;       // of every analysis
  unsigned threads;          // that an analysis runs on
  CacheDirectory cache{{}};  // for checkpoints; none unless it is set
};

// The accounts after the last event of the window that the trace's selection names, or of the trace.
struct Analysis {
  const Trace& trace;
  std::vector<Thread> threads;
  Pairing pairing;
  std::unique_ptr<Account> together;  // of the trace's `together`; null without

  // Null for domains without events. Several are those that the trace had together when it was analysed.
  const Account* account(const DomainSet& domains) const;
  const Account* heap() const { return pairing.account(Domains::kHeap); }
  // Of the whole trace.
  uint64_t duration_ns() const;
  // Of the window: [from_ns, end_ns); 0 and duration_ns() without one.
  uint64_t from_ns() const { return trace.selection.from_ns; }
  uint64_t end_ns() const;
};

// One pass over all events, one more where the selection asks for the fate of blocks, one more for sites by type.
// `visitor`, `progress` and `observer` may be null; `trace` outlives the result.
Analysis analyse(const Trace& trace, ChunkVisitor* visitor = nullptr, ProgressSink* progress = nullptr,
                 SumObserver* observer = nullptr);
// The same, and never from a checkpoint: the numbers of events count from the begin of the trace.
Analysis analyse_from_begin(const Trace& trace, ChunkVisitor* visitor, ProgressSink* progress);

}  // namespace memprof
