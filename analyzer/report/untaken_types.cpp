#include "report/untaken_types.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "model/block_types.h"
#include "report/ending.h"

namespace memprof {

namespace {

class TakenTypes : public ChunkVisitor {
 public:
  // `given` as BlockTypes has them: by domain, address, time.
  TakenTypes(const std::vector<format::BlockType>& given, const Trace& trace)
      : given_(given),
        domains_(trace.domains),
        rounding_ticks_(uint64_t{1} << trace.file.header().time_shift),
        is_taken_(given.size()) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId, const Release& release) override {
    note(domain, address, chunk, release.event.ticks);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId, bool) override {
    note(domain, address, chunk, UINT64_MAX);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  uint64_t untaken() const { return static_cast<uint64_t>(std::count(is_taken_.begin(), is_taken_.end(), false)); }

 private:
  // An allocation is rounded up as a type's time is, an end down.
  void note(uint16_t domain, uint64_t address, const Chunk& chunk, uint64_t end_ticks) {
    const uint16_t number = domains_.all()[domain].number;
    const uint64_t last = end_ticks > UINT64_MAX - rounding_ticks_ ? UINT64_MAX : end_ticks + rounding_ticks_;
    auto type = std::lower_bound(given_.begin(), given_.end(), std::tuple(number, address, chunk.alloc_ticks),
                                 [](const format::BlockType& a, const auto& wanted) {
                                   return std::tuple(a.domain, a.address, a.ticks) < wanted;
                                 });
    for (; type != given_.end() && type->domain == number && type->address == address && type->ticks <= last; ++type)
      is_taken_[static_cast<size_t>(type - given_.begin())] = true;
  }

  const std::vector<format::BlockType>& given_;
  const Domains& domains_;
  const uint64_t rounding_ticks_;
  std::vector<bool> is_taken_;
};

bool has_all_blocks(const Trace& trace) {
  constexpr uint32_t kParts = format::kFiltered | format::kLateStart | format::kForkChild;
  return (trace.file.flags() & kParts) == 0 && trace.selection.is_everything() && dropped_events(trace.file) == 0 &&
         trace.file.damage().warnings().empty();
}

}  // namespace

uint64_t untaken_types(const Trace& trace) {
  if (trace.metadata.types.empty() || !has_all_blocks(trace)) return 0;
  const BlockTypes types(trace.file, trace.metadata);
  TakenTypes taken(types.all(), trace);
  analyse_from_begin(trace, &taken, nullptr);
  return taken.untaken();
}

}  // namespace memprof
