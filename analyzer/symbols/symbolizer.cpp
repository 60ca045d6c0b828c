#include "symbols/symbolizer.h"

#include <array>
#include <deque>
#include <map>
#include <utility>

namespace memprof {

// Addresses that lie in no module: code that a JIT compiler made, as far as a map names it.
class Symbolizer::JitFrames {
 public:
  explicit JitFrames(const Options& options) : options_(options) {}

  std::span<const SourceFrame> resolve(uint64_t address, bool is_return_address) {
    if (!map_) {
      map_.emplace();
      if (options_.jit_maps && options_.pid > 0)
        map_ = PerfMap::load(options_.jit_map_dir, options_.pid, options_.start_time_s);
    }
    const auto [place, is_new] = known_[is_return_address].try_emplace(address, static_cast<uint32_t>(frames_.size()));
    if (is_new) {
      SourceFrame frame{.offset = address};
      frame.function = map_->find(is_return_address ? address - 1 : address);
      if (!frame.function.empty()) frame.module = map_->path();
      frames_.push_back(frame);
    }
    return {&frames_[place->second], 1};
  }
  const std::optional<PerfMap>& map() const { return map_; }

 private:
  const Options& options_;
  std::optional<PerfMap> map_;
  std::array<std::map<uint64_t, uint32_t>, 2> known_;  // as in ModuleSymbols
  std::deque<SourceFrame> frames_;
};

Symbolizer::Symbolizer(std::vector<ModuleInfo> modules, Options options)
    : modules_(std::move(modules)),
      options_(std::move(options)),
      debuginfod_(options_.debuginfod),
      jit_(std::make_unique<JitFrames>(options_)) {
  symbols_.reserve(modules_.size());
  for (const ModuleInfo& module : modules_)
    symbols_.push_back(std::make_unique<ModuleSymbols>(module, options_.files, debuginfod_));
}

Symbolizer::~Symbolizer() = default;

std::span<const SourceFrame> Symbolizer::resolve(uint32_t module, uint64_t address, bool is_return_address) {
  if (module >= symbols_.size()) return jit_->resolve(address, is_return_address);
  return symbols_[module]->resolve(address, is_return_address);
}

std::vector<Symbolizer::ModuleReport> Symbolizer::module_reports() const {
  std::vector<ModuleReport> reports;
  for (uint32_t i = 0; i < symbols_.size(); ++i) {
    const ModuleSymbols& symbols = *symbols_[i];
    if (symbols.detail() == ModuleSymbols::Detail::not_asked) continue;
    reports.push_back({i, modules_[i].path, symbols.detail(), symbols.debug_file(), symbols.problem()});
  }
  if (const auto& map = jit_->map(); map && (map->size() != 0 || !map->error().empty())) {
    const auto detail = map->size() != 0 ? ModuleSymbols::Detail::symbols : ModuleSymbols::Detail::none;
    reports.push_back({kNoModule, map->path(), detail, {}, map->error()});
  }
  return reports;
}

}  // namespace memprof
