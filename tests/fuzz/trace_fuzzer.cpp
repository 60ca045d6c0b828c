// The whole reader and every report, one after the other, on one trace.
#include <fcntl.h>

#include "fuzzed_file.h"
#include "model/analysis.h"
#include "report/embedded_symbols.h"
#include "report/reports.h"
#include "trace/trace_error.h"
#include "trace_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return memprof::fuzz::mutate_trace(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memprof;
  static const int kNowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  Output out(kNowhere);
  ReportOptions options;
  options.symbols = false;
  options.max_frames = 32;
  try {
    Trace trace(fuzz::open_input(data, size));
    const Analysis analysis = analyse(trace);
    for (options.json = false;; options.json = true) {
      report_stacks(analysis, options, out);
      report_leaks(analysis, options, out);
      report_dump_stats(trace, options, out);
      report_tree(trace, options, out, nullptr);
      if (options.json) break;
    }
    report_summary_text(analysis, options, out);
    report_summary_json(analysis, options, out);
    report_chunks(trace, options, out, nullptr);
    report_dump(trace, {}, out);
    options.group = GroupBy::function;
    report_lifetimes(trace, options, out, nullptr);
    options.group = GroupBy::tag;
    report_sizes(trace, options, out, nullptr);
    report_threads(trace, options, out, nullptr);
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
