// The whole reader and reports of each kind, on one trace.
#include <fcntl.h>
#include <xxhash.h>

#include "fuzzed_file.h"
#include "model/analysis.h"
#include "report/embedded_symbols.h"
#include "report/reports.h"
#include "trace/trace_error.h"
#include "trace_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return memprof::fuzz::mutate_trace(data, size, max_size, seed);
}

namespace {

using namespace memprof;

// Some of the reports have tables of a fixed size that cost more than a small trace: each input gets its share of them,
// the same one in every run.
class Share {
 public:
  Share(const uint8_t* data, size_t size) : bits_(XXH3_64bits(data, size)) {}
  bool one_in(unsigned count) {
    bits_ = bits_ * 6364136223846793005u + 1442695040888963407u;
    return (bits_ >> 33) % count == 0;
  }

 private:
  uint64_t bits_;
};

void report_some(Trace& trace, Share share, Output& out) {
  ReportOptions options;
  options.symbols = false;
  options.max_frames = 32;
  options.json = share.one_in(2);
  const Analysis analysis = analyse(trace);
  if (options.json)
    report_summary_json(analysis, options, out);
  else
    report_summary_text(analysis, options, out);
  if (share.one_in(2)) report_stacks(analysis, options, out);
  if (share.one_in(2)) report_leaks(analysis, options, out);
  if (share.one_in(2)) report_chunks(trace, options, out, nullptr);
  if (share.one_in(2)) report_dump(trace, {}, out);
  if (share.one_in(4)) report_tree(trace, options, out, nullptr);
  if (share.one_in(8)) report_dump_stats(trace, options, out);
  options.group = GroupBy::function;
  if (share.one_in(8)) report_lifetimes(trace, options, out, nullptr);
  options.group = GroupBy::tag;
  if (share.one_in(16)) report_sizes(trace, options, out, nullptr);
  if (share.one_in(16)) report_threads(trace, options, out, nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int kNowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Output out(kNowhere);
  try {
    Trace trace(fuzz::open_input(data, size));
    report_some(trace, Share(data, size), out);
    const EmbeddedSymbols embedded(trace.file);
    for (StackId id = 0; id < trace.nodes.id_limit(); ++id) {
      const StackNode& node = trace.nodes.node(id);
      (void)embedded.find(node.module, {node.address, node.exact_address});
    }
    out.flush();
  } catch (const TraceError&) {
    // Refused with a message: the only other way out.
  }
  return 0;
}
