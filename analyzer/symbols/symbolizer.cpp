#include "symbols/symbolizer.h"

#include <algorithm>
#include <array>
#include <deque>
#include <exception>
#include <map>
#include <utility>

#include "symbols/parallel.h"

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
  if (!options_.cache.empty()) cache_.emplace(options_.cache);
  symbols_.reserve(modules_.size());
  for (const ModuleInfo& module : modules_)
    symbols_.push_back(
        std::make_unique<ModuleSymbols>(module, options_.files, debuginfod_, cache_ ? &*cache_ : nullptr));
}

Symbolizer::~Symbolizer() {
  if (!cache_) return;
  try {
    bool has_stored = false;
    for (const auto& symbols : symbols_) has_stored |= symbols->save();
    if (has_stored) cache_->trim();
  } catch (const std::exception&) {
    // Out of memory: the next run looks up again.
  }
}

void Symbolizer::prepare(std::vector<Wanted> wanted) {
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  struct Group {
    uint32_t module;
    std::vector<CodeAddress> codes;
    std::vector<ModuleSymbols::Part> parts = {};
  };
  std::vector<Group> groups;
  for (const Wanted& one : wanted) {
    if (one.module >= symbols_.size()) break;  // code of a JIT compiler has nothing to be prepared
    if (groups.empty() || groups.back().module != one.module) groups.push_back({one.module, {}});
    groups.back().codes.push_back(one.code);
  }
  // The longest work first, so that no thread is left with it at the end.
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.codes.size() > b.codes.size(); });

  const unsigned workers = settled_workers(options_.workers);
  run_in_parallel(workers, groups.size(), [&](size_t i) {
    Group& group = groups[i];
    ModuleSymbols& symbols = *symbols_[group.module];
    group.codes = symbols.find_known(group.codes);
    for (const auto codes : symbols.parts_of(group.codes, workers)) group.parts.push_back({codes, group.parts.empty()});
    if (group.parts.size() == 1) symbols.look_up(group.parts.front());
  });

  std::vector<std::pair<const ModuleSymbols*, ModuleSymbols::Part*>> parts;
  for (Group& group : groups)
    if (group.parts.size() > 1)
      for (ModuleSymbols::Part& part : group.parts) parts.emplace_back(symbols_[group.module].get(), &part);
  run_in_parallel(workers, parts.size(), [&](size_t i) { parts[i].first->look_up(*parts[i].second); });
  for (Group& group : groups)
    for (ModuleSymbols::Part& part : group.parts) symbols_[group.module]->keep(std::move(part));
}

std::span<const SourceFrame> Symbolizer::resolve(uint32_t module, uint64_t address, bool is_return_address) {
  if (module >= symbols_.size()) return jit_->resolve(address, is_return_address);
  return symbols_[module]->resolve({address, !is_return_address});
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
