#include "report/frames.h"

#include <fmt/format.h>

#include "report/escape.h"
#include "report/frame_text.h"

namespace memprof {

namespace {

std::vector<ModuleInfo> module_infos(const Modules& modules) {
  std::vector<ModuleInfo> infos;
  for (const Module& module : modules.all())
    infos.push_back({module.path, module.build_id, module.load_bias, module.start, module.end});
  return infos;
}

}  // namespace

FrameSource::FrameSource(const Trace& trace, bool use_symbols) : trace_(trace) {
  if (!use_symbols) return;
  Symbolizer::Options options;
  options.pid = static_cast<pid_t>(trace.file.header().pid);
  options.start_time_s = static_cast<int64_t>(trace.file.header().start_realtime_ns / 1'000'000'000);
  symbolizer_ = std::make_unique<Symbolizer>(module_infos(trace.modules), options);
}

FrameSource::~FrameSource() = default;

std::vector<Frame> FrameSource::frames(StackId stack, size_t limit, size_t* more) {
  // All are walked only when somebody asks how many there are.
  const std::vector<StackId> nodes = trace_.nodes.frames(stack, more ? StackNodes::kMaxFrames : limit);
  const size_t shown = std::min(nodes.size(), limit);
  if (more) *more = nodes.size() - shown;
  std::vector<Frame> result;
  for (size_t i = 0; i < shown; ++i) append(nodes[i], result);
  return result;
}

void FrameSource::append(StackId id, std::vector<Frame>& out) {
  const StackNode& node = trace_.nodes.node(id);
  const size_t module = node.module == format::kNoModule ? Modules::kNone : trace_.modules.index_of(node.module);
  const bool has_module = module != Modules::kNone;
  // A node that names a module without a record (a damaged page) has no process address to look up.
  const bool can_resolve = symbolizer_ && (has_module || node.module == format::kNoModule);
  if (!can_resolve) {
    const std::string_view path = has_module ? std::string_view(trace_.modules.all()[module].path) : std::string_view();
    out.push_back({{}, {}, 0, path, node.address, false});
    return;
  }
  const uint64_t bias = has_module ? trace_.modules.all()[module].load_bias : 0;
  const uint32_t index = has_module ? static_cast<uint32_t>(module) : Symbolizer::kNoModule;
  for (const SourceFrame& frame : symbolizer_->resolve(index, node.address + bias, !node.exact_address))
    out.push_back({frame.function, frame.file, frame.line, frame.module, frame.offset, frame.inlined});
}

std::vector<std::string> FrameSource::symbol_problems() const {
  std::vector<std::string> lines;
  if (!symbolizer_) return lines;
  for (const Symbolizer::ModuleReport& report : symbolizer_->module_reports())
    if (!report.problem.empty())
      lines.push_back(fmt::format("{}: {}", escape_text(base_name(report.path)), escape_text(report.problem)));
  return lines;
}

}  // namespace memprof
