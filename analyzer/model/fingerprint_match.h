// Pairs of stacks that are probably the same place in two builds although their fingerprints differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "model/fingerprint.h"

namespace memprof {

struct MatchCandidate {
  const Fingerprint* fingerprint;
  double mean_size;  // of its blocks; 0: unknown
};

struct WeakMatch {
  size_t old_index, new_index;
  double similarity;  // 0 to 1
};

// Two stacks may be a pair when
//   * they have the same innermost function, or that of one is the second of the other (a call that became a jump),
//   * the longest common subsequence of their functions is at least 60 % of both (2 * common / (length + length)),
//   * their blocks are of a similar size: the means differ by no more than a factor of 2 (or a handful of bytes),
// and are one when each is the other's only best. `is_complete` is false when there were too many to compare all.
// `may_pair`, of indices into `olds` and `news`, refuses pairs besides; empty: none.
std::vector<WeakMatch> match_weakly(const std::vector<MatchCandidate>& olds, const std::vector<MatchCandidate>& news,
                                    bool* is_complete, const std::function<bool(size_t, size_t)>& may_pair = {});

}  // namespace memprof
