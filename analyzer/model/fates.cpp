#include "model/fates.h"

#include <algorithm>

namespace memprof {

void Fates::choose(uint64_t number) {
  if (number >= chosen_.size()) chosen_.resize(std::max<uint64_t>(number + 1, chosen_.size() * 2));
  chosen_[number] = true;
}

bool Fates::is_alive_at(uint64_t born_ns, uint64_t died_ns) const {
  return !selection_.alive_at_ns || (born_ns <= *selection_.alive_at_ns && died_ns > *selection_.alive_at_ns);
}

void Fates::closed(uint16_t, uint64_t, const Chunk& chunk, StackId, const Release& release) {
  if (selection_.state && *selection_.state != BlockState::closed) return;
  if (selection_.temporary && *selection_.temporary != release.is_temporary) return;
  const uint64_t born = clock_.ns_since_start(chunk.alloc_ticks), died = clock_.ns_since_start(release.event.ticks);
  const uint64_t lifetime = died > born ? died - born : 0;
  if (lifetime < selection_.least_lifetime_ns || lifetime > selection_.most_lifetime_ns) return;
  if (is_alive_at(born, died)) choose(chunk.number);
}

void Fates::open(uint16_t, uint64_t, const Chunk& chunk, StackId, bool) {
  if (selection_.state && *selection_.state != BlockState::open) return;
  if (selection_.temporary && *selection_.temporary) return;
  const uint64_t born = clock_.ns_since_start(chunk.alloc_ticks);
  if (is_alive_at(born, UINT64_MAX)) open_.emplace_back(chunk.number, born);
}

std::vector<bool> Fates::take(uint64_t end_ns) {
  for (const auto& [number, born] : open_) {
    const uint64_t age = end_ns > born ? end_ns - born : 0;
    if (age >= selection_.least_lifetime_ns && age <= selection_.most_lifetime_ns) choose(number);
  }
  return std::move(chosen_);
}

}  // namespace memprof
