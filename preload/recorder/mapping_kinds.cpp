#include "recorder/mapping_kinds.h"

#include <unistd.h>

#include <atomic>

namespace memprof {
namespace {

struct Range {
  uintptr_t start, end;
  bool is_empty() const { return start >= end; }
};

constexpr uintptr_t kFree = 0, kHeld = 1;
struct Noted {
  std::atomic<uintptr_t> start;  // or kFree, kHeld
  std::atomic<uintptr_t> end;
  std::atomic<MappingKind> kind;
};

constexpr unsigned kMost = 1024;
constexpr unsigned kTries = 64;
constinit Noted noted[kMost] = {};
constinit std::atomic<unsigned> count{0};  // places that are taken
constinit std::atomic<unsigned> used{0};   // none has been taken from here on
constinit std::atomic<uint32_t> divided{0};

Range pages_of(uintptr_t start, size_t bytes) {
  const auto mask = static_cast<uintptr_t>(getpagesize()) - 1;
  return {start & ~mask, (start + bytes + mask) & ~mask};
}

bool overlaps(Range a, Range b) { return a.start < b.end && b.start < a.end; }

void let_go(Noted& one, uintptr_t start) { one.start.store(start, std::memory_order_release); }

// What is noted there, and held by the caller; empty: nothing that overlaps.
Range hold(Noted& one, Range range) {
  for (unsigned tries = 0; tries < kTries; ++tries) {
    uintptr_t start = one.start.load(std::memory_order_acquire);
    if (start == kFree) break;
    if (start == kHeld) continue;
    if (!overlaps({start, one.end.load(std::memory_order_relaxed)}, range)) break;
    if (!one.start.compare_exchange_strong(start, kHeld, std::memory_order_acq_rel)) continue;
    const Range known{start, one.end.load(std::memory_order_relaxed)};
    if (overlaps(known, range)) return known;
    let_go(one, start);
  }
  return {};
}

void add(Range range, MappingKind kind) {
  if (range.is_empty()) return;
  for (unsigned i = 0; i < kMost; ++i) {
    uintptr_t free = kFree;
    if (noted[i].start.load(std::memory_order_relaxed) != kFree) continue;
    if (!noted[i].start.compare_exchange_strong(free, kHeld, std::memory_order_acq_rel)) continue;
    noted[i].end.store(range.end, std::memory_order_relaxed);
    noted[i].kind.store(kind, std::memory_order_relaxed);
    count.fetch_add(1, std::memory_order_relaxed);
    unsigned known = used.load(std::memory_order_relaxed);
    while (known <= i && !used.compare_exchange_weak(known, i + 1, std::memory_order_relaxed)) {
    }
    return let_go(noted[i], range.start);
  }
}

void cut(Noted& one, Range known, Range range) {
  const Range left{known.start, range.start}, right{range.end, known.end};
  if (left.is_empty()) {
    if (right.is_empty()) count.fetch_sub(1, std::memory_order_relaxed);
    return let_go(one, right.is_empty() ? kFree : right.start);
  }
  if (!right.is_empty()) {
    add(right, one.kind.load(std::memory_order_relaxed));
    divided.fetch_add(1, std::memory_order_acq_rel);
  }
  one.end.store(left.end, std::memory_order_relaxed);
  let_go(one, left.start);
}

void cut_all(Range range) {
  if (count.load(std::memory_order_relaxed) == 0) return;
  uint32_t before;
  do {
    before = divided.load(std::memory_order_acquire);
    for (unsigned i = 0; i < used.load(std::memory_order_relaxed); ++i) {
      const Range known = hold(noted[i], range);
      if (!known.is_empty()) cut(noted[i], known, range);
    }
  } while (divided.load(std::memory_order_acquire) != before);
}

// visit(range, kind) of those that overlap.
template <typename Visit>
void visit_noted(Range range, Visit visit) {
  for (unsigned i = 0; i < used.load(std::memory_order_relaxed); ++i) {
    const Range known = hold(noted[i], range);
    if (known.is_empty()) continue;
    const MappingKind kind = noted[i].kind.load(std::memory_order_relaxed);
    let_go(noted[i], known.start);
    visit(known, kind);
  }
}

}  // namespace

void note_kind(uintptr_t start, size_t bytes, MappingKind kind) {
  const Range range = pages_of(start, bytes);
  cut_all(range);
  if (kind != MappingKind::anonymous) add(range, kind);
}

KindRun kind_run(uintptr_t start, size_t bytes) {
  const Range range = pages_of(start, bytes);
  // From one noted range to the one that follows it, while they are of one kind.
  Range run{range.start, range.start};
  MappingKind kind = MappingKind::anonymous;
  if (count.load(std::memory_order_relaxed) == 0) return {kind, range.end - range.start};
  for (bool goes_on = true; goes_on && run.end < range.end;) {
    goes_on = false;
    visit_noted({run.end, run.end + 1}, [&](Range known, MappingKind next) {
      if (!run.is_empty() && next != kind) return;
      kind = next;
      run.end = known.end;
      goes_on = true;
    });
  }
  if (run.is_empty()) {
    run.end = range.end;
    visit_noted(range, [&](Range known, MappingKind) {
      if (known.start < run.end) run.end = known.start;
    });
  }
  return {kind, (run.end < range.end ? run.end : range.end) - run.start};
}

void forget_all_kinds() {
  for (Noted& one : noted) let_go(one, kFree);
  count.store(0, std::memory_order_relaxed);
  used.store(0, std::memory_order_relaxed);
}

}  // namespace memprof
