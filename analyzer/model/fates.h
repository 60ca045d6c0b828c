// Which blocks have the fate that a selection asks for. It is known when they end, and their allocation counts long
// before that: so a first pass over the events finds it, and leaves a bit for each event (an eighth of a byte of
// memory: 60 MB for 500 million).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/chunk.h"
#include "model/clock.h"
#include "model/selection.h"

namespace memprof {

class Fates : public ChunkVisitor {
 public:
  Fates(const Selection& selection, const Clock& clock) : selection_(selection), clock_(clock) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override;
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override;
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  // After the pass. `end_ns`: of the window or of the trace. By number of the allocation's event.
  std::vector<bool> take(uint64_t end_ns);

 private:
  bool is_alive_at(uint64_t born_ns, uint64_t died_ns) const;
  void choose(uint64_t number);

  const Selection& selection_;
  const Clock& clock_;
  std::vector<bool> chosen_;
  std::vector<std::pair<uint64_t, uint64_t>> open_;  // number, when it was allocated: ns
};

}  // namespace memprof
