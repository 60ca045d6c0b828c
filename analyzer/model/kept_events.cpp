#include "model/kept_events.h"

#include <algorithm>

namespace memprof {

namespace {

void set(std::vector<bool>& events, uint64_t number) {
  if (number >= events.size()) events.resize(std::max<uint64_t>(number + 1, events.size() * 2));
  events[number] = true;
}

class Keeper : public ChunkVisitor {
 public:
  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t, uint64_t, const Chunk& chunk, StackId, const Release& release) override {
    set(events_, chunk.number);
    end(release.event.kind, release.number);
  }
  void open(uint16_t, uint64_t, const Chunk& chunk, StackId, bool) override { set(events_, chunk.number); }
  void orphaned(uint16_t, const Release& release, OrphanKind) override { set(events_, release.number); }
  void cut(const Chunk& chunk, const Event& event, uint64_t number) override {
    cuts_.push_back({chunk.number, number, event.kind});
  }

  KeptEvents take() {
    for (const Cut& cut : cuts_)
      if (cut.block < events_.size() && events_[cut.block]) end(cut.kind, cut.number);
    return KeptEvents(std::move(events_), std::move(ends_));
  }

 private:
  struct Cut {
    uint64_t block, number;
    EventKind kind;
  };

  void end(EventKind kind, uint64_t number) { set(kind == EventKind::release ? events_ : ends_, number); }

  std::vector<bool> events_, ends_;
  std::vector<Cut> cuts_;
};

}  // namespace

KeptEvents kept_events(const Trace& trace, ProgressSink* progress) {
  Keeper keeper;
  analyse_from_begin(trace, &keeper, progress);
  return keeper.take();
}

}  // namespace memprof
