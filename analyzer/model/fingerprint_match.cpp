#include "model/fingerprint_match.h"

#include <algorithm>
#include <limits>
#include <map>

namespace memprof {

namespace {

constexpr double kLeastSimilarity = 0.6;
// Of the inner end; what lies further out is the same for many.
constexpr size_t kMostNames = 128;
// Cells of subsequence tables in all: about a second.
constexpr uint64_t kMostSteps = 400'000'000;
constexpr double kSmallBytes = 16;

constexpr size_t kNone = std::numeric_limits<size_t>::max();

size_t common_subsequence(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  const size_t a_size = std::min(a.size(), kMostNames), b_size = std::min(b.size(), kMostNames);
  std::vector<size_t> row(b_size + 1, 0);
  for (size_t i = 0; i < a_size; ++i) {
    size_t diagonal = 0;
    for (size_t j = 0; j < b_size; ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = a[i] == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row[b_size];
}

bool are_similar_sizes(double a, double b) {
  if (a == 0 || b == 0) return true;
  const double less = std::min(a, b), more = std::max(a, b);
  return more <= 2 * less || more - less <= kSmallBytes;
}

// 0: they cannot be a pair.
double similarity(const MatchCandidate& a, const MatchCandidate& b) {
  const std::vector<uint32_t>&x = a.fingerprint->names, &y = b.fingerprint->names;
  if (x.empty() || y.empty() || !are_similar_sizes(a.mean_size, b.mean_size)) return 0;
  const size_t common = common_subsequence(x, y);
  // With another innermost function, main alone is not enough in common.
  if (x[0] != y[0] && common < 2) return 0;
  const size_t total = std::min(x.size(), kMostNames) + std::min(y.size(), kMostNames);
  const double share = 2 * static_cast<double>(common) / static_cast<double>(total);
  return share < kLeastSimilarity ? 0 : share;
}

struct Best {
  double similarity = 0;
  size_t index = kNone;
  bool is_only = false;

  void offer(double value, size_t other) {
    if (value <= 0 || value < similarity) return;
    is_only = value > similarity;
    similarity = value;
    index = other;
  }
};

// By the names that a partner may have innermost.
using Buckets = std::map<uint32_t, std::vector<size_t>>;

}  // namespace

std::vector<WeakMatch> match_weakly(const std::vector<MatchCandidate>& olds, const std::vector<MatchCandidate>& news,
                                    bool* is_complete, const std::function<bool(size_t, size_t)>& may_pair) {
  Buckets by_first, by_second;
  for (size_t i = 0; i < news.size(); ++i) {
    const std::vector<uint32_t>& names = news[i].fingerprint->names;
    if (!names.empty()) by_first[names[0]].push_back(i);
    if (names.size() > 1) by_second[names[1]].push_back(i);
  }
  std::vector<Best> best_new(olds.size()), best_old(news.size());
  uint64_t steps = 0;
  *is_complete = true;
  for (size_t i = 0; i < olds.size() && *is_complete; ++i) {
    const std::vector<uint32_t>& names = olds[i].fingerprint->names;
    std::vector<size_t> partners;
    const auto collect = [&](const Buckets& buckets, uint32_t name) {
      const auto found = buckets.find(name);
      if (found != buckets.end()) partners.insert(partners.end(), found->second.begin(), found->second.end());
    };
    if (!names.empty()) {
      collect(by_first, names[0]);
      collect(by_second, names[0]);
    }
    if (names.size() > 1) collect(by_first, names[1]);
    std::sort(partners.begin(), partners.end());
    partners.erase(std::unique(partners.begin(), partners.end()), partners.end());
    for (const size_t j : partners) {
      steps += std::min(names.size(), kMostNames) * std::min(news[j].fingerprint->names.size(), kMostNames) + 8;
      if (steps > kMostSteps) {
        *is_complete = false;
        break;
      }
      const double value = similarity(olds[i], news[j]);
      if (value > 0 && may_pair && !may_pair(i, j)) continue;
      best_new[i].offer(value, j);
      best_old[j].offer(value, i);
    }
  }
  std::vector<WeakMatch> matches;
  for (size_t i = 0; i < olds.size(); ++i) {
    const Best& best = best_new[i];
    if (!best.is_only || best.index == kNone) continue;
    const Best& back = best_old[best.index];
    if (back.is_only && back.index == i) matches.push_back({i, best.index, best.similarity});
  }
  // Half-made comparisons know no best.
  if (!*is_complete) matches.clear();
  return matches;
}

}  // namespace memprof
