#include "report/frames.h"

#include <fmt/format.h>

#include <map>

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

FrameSource::FrameSource(const Trace& trace, const SymbolOptions& options) : trace_(trace) {
  if (!options.wanted) return;
  embedded_ = std::make_unique<EmbeddedSymbols>(trace.file);
  Symbolizer::Options how;
  how.pid = static_cast<pid_t>(trace.file.header().pid);
  how.start_time_s = static_cast<int64_t>(trace.file.header().start_realtime_ns / 1'000'000'000);
  how.workers = options.workers;
  if (options.cache) how.cache = CacheDirectory::default_path();
  symbolizer_ = std::make_unique<Symbolizer>(module_infos(trace.modules), how);
}

FrameSource::~FrameSource() = default;

// A node that names a module without a record (a damaged page) has no process address to look up.
FrameSource::Place FrameSource::place_of(const StackNode& node) const {
  if (node.module == format::kNoModule) return {symbolizer_ != nullptr, Symbolizer::kNoModule, 0, {}};
  const size_t index = trace_.modules.index_of(node.module);
  if (index == Modules::kNone) return {false, 0, 0, {}};
  const Module& module = trace_.modules.all()[index];
  return {symbolizer_ != nullptr, static_cast<uint32_t>(index), module.load_bias, module.path};
}

void FrameSource::prepare(std::span<const StackId> stacks, size_t limit) {
  if (!symbolizer_) return;
  std::vector<bool> is_seen(trace_.nodes.id_limit());
  std::vector<StackId> nodes;
  for (const StackId stack : stacks) {
    for (const StackId node : trace_.nodes.frames(stack, limit)) {
      if (is_seen[node]) continue;
      is_seen[node] = true;
      nodes.push_back(node);
    }
  }
  prepare_nodes(nodes);
}

void FrameSource::prepare_all() {
  if (!symbolizer_) return;
  std::vector<StackId> nodes;
  for (StackId id = format::kFirstNode; id < trace_.nodes.id_limit(); ++id)
    if (trace_.nodes.is_frame(id)) nodes.push_back(id);
  prepare_nodes(nodes);
}

void FrameSource::prepare_nodes(const std::vector<StackId>& nodes) {
  std::vector<Symbolizer::Wanted> wanted;
  for (const StackId id : nodes) {
    const StackNode& node = trace_.nodes.node(id);
    const Place place = place_of(node);
    if (!place.can_resolve || embedded_->has(node.module, {node.address, node.exact_address})) continue;
    wanted.push_back({place.index, {node.address + place.bias, node.exact_address}});
  }
  symbolizer_->prepare(std::move(wanted));
}

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
  const Place place = place_of(node);
  if (!place.can_resolve) {
    out.push_back({{}, {}, 0, place.path, node.address, false, {}});
    return;
  }
  met_.insert(place.index);
  if (const auto stored = embedded_->find(node.module, {node.address, node.exact_address}); !stored.empty()) {
    const EmbeddedSymbols::Module* const module = embedded_->module(node.module);
    for (const SourceFrame& frame : stored) {
      std::string_view path = place.path;
      if (node.module == format::kNoModule && module && !frame.function.empty()) path = module->name;
      out.push_back({frame.function, frame.file, frame.line, path, node.address, frame.inlined, frame.linkage_name});
    }
    return;
  }
  for (const SourceFrame& frame : symbolizer_->resolve(place.index, node.address + place.bias, !node.exact_address))
    out.push_back(
        {frame.function, frame.file, frame.line, frame.module, frame.offset, frame.inlined, frame.linkage_name});
}

std::vector<FrameSource::ModuleSummary> FrameSource::module_summaries() const {
  std::vector<ModuleSummary> summaries;
  if (!symbolizer_) return summaries;
  std::map<uint32_t, Symbolizer::ModuleReport> reports;
  for (Symbolizer::ModuleReport& report : symbolizer_->module_reports()) reports.emplace(report.module, report);
  for (const uint32_t index : met_) {
    const bool is_jit = index == Symbolizer::kNoModule;
    ModuleSummary summary;
    summary.module_id = is_jit ? format::kNoModule : trace_.modules.all()[index].id;
    if (!is_jit) summary.path = trace_.modules.all()[index].path;
    if (const EmbeddedSymbols::Module* const module = embedded_->module(summary.module_id)) {
      summary.is_embedded = true;
      if (is_jit) summary.path = module->name;
      summary.problem = module->problem;
    } else if (const auto report = reports.find(index); report != reports.end()) {
      summary.path = report->second.path;
      summary.problem = report->second.problem;
      summary.detail = report->second.detail;
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

std::vector<std::string> FrameSource::symbol_problems() const {
  std::vector<std::string> lines;
  for (const ModuleSummary& module : module_summaries())
    if (!module.problem.empty())
      lines.push_back(fmt::format("{}: {}", escape_text(base_name(module.path)), escape_text(module.problem)));
  return lines;
}

}  // namespace memprof
