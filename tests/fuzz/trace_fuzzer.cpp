// The whole reader and reports of each kind, on one trace.
#include <fcntl.h>
#include <xxhash.h>

#include "fuzzed_file.h"
#include "gate/check_json.h"
#include "gate/check_text.h"
#include "gate/judge.h"
#include "gate/memcheck_xml.h"
#include "gate/sarif.h"
#include "model/analysis.h"
#include "reach/classification.h"
#include "report/domain_choice.h"
#include "report/embedded_symbols.h"
#include "report/leaks_graph.h"
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

void report_graph(Trace& trace, const ReportOptions& options, Output& out) {
  const auto classes = classify_trace(trace, nullptr);
  report_chunks(trace, options, out, nullptr, classes.get());
  report_leaks_retained(trace, *classes, options, out);
  report_leaks_cycles(trace, *classes, options, out);
  if (!classes->problem().empty() || classes->memory().blocks.empty()) return;
  const std::string address = fmt::format("{:#x}", classes->memory().blocks.front().address);
  report_leaks_pointers(trace, *classes, address, options, out);
}

void judge_alone(Trace& trace, Output& out) {
  std::vector<TraceFindings> found;
  found.push_back(find_in_trace(trace, {}, false, nullptr));
  const Verdict verdict = judge(std::move(found), {}, {}, {}, nullptr);
  print_check_text(verdict, {}, out);
  print_check_json(verdict, out);
  print_sarif(verdict, {}, out);
  print_memcheck_xml(verdict, out);
}

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
  if (share.one_in(2)) report_graph(trace, options, out);
  if (share.one_in(4)) judge_alone(trace, out);
  options.group = GroupBy::function;
  if (share.one_in(8)) report_lifetimes(trace, options, out, nullptr);
  options.group = GroupBy::tag;
  if (share.one_in(16)) report_sizes(trace, options, out, nullptr);
  if (share.one_in(16)) report_threads(trace, options, out, nullptr);
  if (share.one_in(16)) report_tree(trace, options, out, nullptr);
  options.group = GroupBy::domain;
  options.domain = kAllDomains;
  choose_domains(trace, named_domains(trace, options.domain).domains);
  if (share.one_in(16)) report_timeline(trace, options, out, nullptr);
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
