#include "model/kept_events.h"

#include <algorithm>

namespace memprof {

namespace {

class Keeper : public ChunkVisitor {
 public:
  std::vector<bool> events;

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t, uint64_t, const Chunk& chunk, StackId, const Release& release) override {
    keep(chunk.number);
    keep(release.number);
  }
  void open(uint16_t, uint64_t, const Chunk& chunk, StackId, bool) override { keep(chunk.number); }
  void orphaned(uint16_t, const Release& release, OrphanKind) override { keep(release.number); }

 private:
  void keep(uint64_t number) {
    if (number >= events.size()) events.resize(std::max<uint64_t>(number + 1, events.size() * 2));
    events[number] = true;
  }
};

}  // namespace

KeptEvents kept_events(const Trace& trace, ProgressSink* progress) {
  Keeper keeper;
  analyse(trace, &keeper, progress);
  return KeptEvents(std::move(keeper.events));
}

}  // namespace memprof
