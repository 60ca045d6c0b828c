#include "gate/double_frees.h"

#include <algorithm>

namespace memprof {

namespace {

// The block that ended last at each address before it was freed once more.
class EndedBlocks : public ChunkVisitor {
 public:
  explicit EndedBlocks(const std::vector<Release>& frees) : frees_(frees), found_(frees.size()) {
    for (uint32_t i = 0; i < frees.size(); ++i) by_address_[frees[i].event.address].push_back(i);
  }

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    if (domain != Domains::kHeap) return;
    const auto wanted = by_address_.find(address);
    if (wanted == by_address_.end()) return;
    for (const uint32_t index : wanted->second) {
      Ended& ended = found_[index];
      if (release.event.ticks > frees_[index].event.ticks || release.event.ticks < ended.ticks) continue;
      ended = {true, release.event.ticks, stack, chunk.tag, chunk.size};
    }
  }
  void open(uint16_t, uint64_t, const Chunk&, StackId, bool) override {}
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  std::vector<DoubleFree> take(const StackNodes& nodes) const {
    std::vector<DoubleFree> result;
    for (size_t i = 0; i < frees_.size(); ++i) {
      if (!found_[i].is_known) continue;
      const Event& event = frees_[i].event;
      result.push_back({found_[i].stack, nodes.canonical(event.stack), found_[i].tag, event.tag, found_[i].size});
    }
    return result;
  }

 private:
  struct Ended {
    bool is_known = false;
    uint64_t ticks = 0;
    StackId stack = 0;
    uint16_t tag = 0;
    uint64_t size = 0;
  };

  const std::vector<Release>& frees_;
  std::vector<Ended> found_;  // by index of frees_
  tsl::robin_map<uint64_t, std::vector<uint32_t>> by_address_;
};

}  // namespace

void UnknownFrees::orphaned(uint16_t domain, const Release& release, OrphanKind kind) {
  if (domain != Domains::kHeap || kind != OrphanKind::unknown) return;
  if (frees_.size() < kMost)
    frees_.push_back(release);
  else
    ++uncounted_;
}

std::vector<DoubleFree> find_double_frees(const Trace& trace, const UnknownFrees& unknown, ProgressSink* progress) {
  if (unknown.all().empty()) return {};
  EndedBlocks blocks(unknown.all());
  analyse_from_begin(trace, &blocks, progress);
  return blocks.take(trace.nodes);
}

}  // namespace memprof
