#include "reach/inherited_memory.h"

#include <fmt/format.h>

#include <optional>

#include "reach/parent_trace.h"

namespace memprof {

namespace {

// Of processes that fork one from the other; a hostile trace may name itself.
constexpr int kMostGenerations = 64;

InheritedMemory read_generation(const Trace& trace, ProgressSink* progress, int generation) {
  const format::FileHeader& header = trace.file.header();
  if (!(header.flags & format::kForkChild)) return {};
  if (trace.metadata.parent_trace.empty() || generation == kMostGenerations)
    return {{}, "the trace of the process that forked it is not known", {}, false};
  std::optional<TraceFile> file = open_parent_trace(trace);
  if (!file)
    return {{},
            fmt::format("the trace of the process that forked it ({}) is not there", trace.metadata.parent_trace),
            {},
            false};
  auto opened = std::make_unique<const Trace>(std::move(*file));
  const Trace& parent = *opened;
  InheritedMemory before = read_generation(parent, progress, generation + 1);
  if (!before.problem.empty()) return before;
  LiveMemoryCollector collector(parent, header.fork_ticks, nullptr);
  collector.inherit(std::move(before.memory));
  analyse_from_begin(parent, &collector, progress);
  InheritedMemory result{collector.take(), {}, {}, before.had_threads || parent.file.header().thread_count > 1};
  result.ancestors.push_back(std::move(opened));
  for (auto& ancestor : before.ancestors) result.ancestors.push_back(std::move(ancestor));
  for (LiveBlock& block : result.memory.blocks) {
    if (!block.is_inherited) block.ancestor_stack = block.stack;
    ++block.ancestor;
    block.is_inherited = true;
    block.stack = format::kNoStack;
  }
  for (LiveMapping& mapping : result.memory.mappings) mapping.stack = format::kNoStack;
  return result;
}

}  // namespace

InheritedMemory read_inherited_memory(const Trace& trace, ProgressSink* progress) {
  return read_generation(trace, progress, 0);
}

}  // namespace memprof
