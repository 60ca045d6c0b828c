#include "reach/snapshot_image.h"

#include <algorithm>

namespace memprof {

namespace {

class ImageReader : public SnapshotVisitor {
 public:
  void begin(const format::SnapshotBegin& begin) override {
    image_ = {};
    image_.number = count_++;
    image_.begin = begin;
  }
  void thread(const format::SnapshotThread& thread) override { image_.threads.push_back(thread); }
  void range(const format::SnapshotRange& range) override { image_.ranges.push_back(range); }
  void word(uint64_t, uint64_t) override {}
  void vtable(uint64_t address) override { image_.vtables.push_back(address); }
  void length(uint64_t address, uint64_t value) override { image_.lengths.insert({address, value}); }
  void end(const format::SnapshotEnd& end) override {
    image_.end = end;
    // A list that lost threads to damage would make leaks of what they hold.
    if (image_.threads.size() != image_.begin.threads) return;
    whole_ = std::move(image_);
    has_whole_ = true;
  }

  FoundSnapshot take() {
    if (count_ == 0) return {{}, "no snapshot of the memory was recorded (MEMPROF_SNAPSHOT=exit takes one)"};
    if (!has_whole_) return {{}, "the snapshot of the memory is not whole"};
    std::sort(whole_.vtables.begin(), whole_.vtables.end());
    auto& ranges = whole_.ranges;
    std::stable_sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
    uint64_t end = 0;
    std::erase_if(ranges, [&](const format::SnapshotRange& range) {
      const bool is_good = range.start >= end && range.end > range.start;
      if (is_good) end = range.end;
      return !is_good;
    });
    return {std::move(whole_), {}};
  }

 private:
  SnapshotImage image_, whole_;
  size_t count_ = 0;
  bool has_whole_ = false;
};

class WordsOfOne : public SnapshotVisitor {
 public:
  WordsOfOne(const SnapshotImage& image, SnapshotWords& visitor) : image_(image), visitor_(visitor) {}

  void begin(const format::SnapshotBegin&) override { is_wanted_ = count_++ == image_.number; }
  void thread(const format::SnapshotThread&) override {}
  void range(const format::SnapshotRange&) override {}
  void word(uint64_t address, uint64_t value) override {
    if (is_wanted_) visitor_.word(address, value);
  }
  void end(const format::SnapshotEnd&) override {}

 private:
  const SnapshotImage& image_;
  SnapshotWords& visitor_;
  size_t count_ = 0;
  bool is_wanted_ = false;
};

}  // namespace

bool SnapshotImage::holds_vtable(uint64_t address) const {
  return std::binary_search(vtables.begin(), vtables.end(), address);
}

const uint64_t* SnapshotImage::length_at(uint64_t address) const {
  const auto found = lengths.find(address);
  return found == lengths.end() ? nullptr : &found->second;
}

FoundSnapshot find_snapshot(const TraceFile& file) {
  ImageReader reader;
  visit_snapshots(file, reader);
  return reader.take();
}

void visit_words(const TraceFile& file, const SnapshotImage& image, SnapshotWords& visitor) {
  WordsOfOne words(image, visitor);
  visit_snapshots(file, words);
}

}  // namespace memprof
