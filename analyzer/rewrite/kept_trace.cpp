#include "rewrite/kept_trace.h"

#include <algorithm>
#include <vector>

#include "model/merge.h"
#include "rewrite/event_pages.h"
#include "rewrite/stack_pages.h"
#include "trace/new_trace_file.h"

namespace memprof {

using format::MetadataRecord;
using format::StreamKind;

namespace {

constexpr uint64_t kProgressPages = 64;

// What went before the next event of a thread: a release right behind the allocation of its block makes the block
// temporary, and must not come to be right behind it because others were left out.
class ThreadGap {
 public:
  void leave_out() { left_out_ = true; }
  bool is_before(const Event& event) const {
    return left_out_ && is_allocation_ && event.kind == EventKind::release && event.address == address_;
  }
  void keep(const Event& event) {
    is_allocation_ = event.kind == EventKind::allocation;
    address_ = event.address;
    left_out_ = false;
  }

 private:
  bool left_out_ = false, is_allocation_ = false;
  uint64_t address_ = 0;
};

class Rewriter {
 public:
  Rewriter(const Trace& trace, const EventFilter& kept, NewTraceFile& out)
      : trace_(trace), kept_(kept), out_(out), stacks_(trace.nodes) {}

  void write_events(ProgressSink* progress) {
    EventFeed feed(trace_.file);
    Merge merge(feed);
    for (StreamPages pages : trace_.file.streams(StreamKind::events)) streams_.push_back({{trace_.file, pages}});
    gaps_.resize(feed.threads().size());
    uint64_t announced = 0;
    for (Batch batch; merge.next(batch);) {
      for (const Run& run : batch.runs)
        for (const Event& event : run.events) add(event, streams_[run.stream], gaps_[run.thread]);
      if (progress && feed.pages_read() >= announced + kProgressPages)
        progress->advance(announced = feed.pages_read(), feed.page_count());
    }
    for (Stream& stream : streams_) stream.pages.finish(out_);
  }

  void write_stacks() { stacks_.write(out_); }

  // Modules, metadata, samples, and what a later library may have written, as they are.
  void copy_other_pages() {
    std::vector<std::byte> buffer;
    for (const PageEntry& entry : trace_.file.pages()) {
      std::span<const std::byte> payload;
      if (entry.kind == StreamKind::events || entry.kind == StreamKind::stacks) continue;
      if (!trace_.file.read_page(entry, buffer, payload)) continue;
      out_.append(head_of(entry), payload);
    }
  }

  // What was done to the trace, in a stream of its own. Its page has the last measurement of the two clocks: where the
  // end of the recording has none, it is what times are converted by.
  void write_records(const std::optional<format::Window>& window) {
    const auto streams = trace_.file.streams(StreamKind::metadata);
    format::PageHeader head{};
    head.kind = StreamKind::metadata;
    head.stream_id = streams.empty() ? 1 : streams.back().front().stream_id + 1;
    const CalibrationPoint last = trace_.file.last_page_point();
    head.base_ticks = last.ticks;
    head.base_monotonic_ns = last.monotonic_ns;
    std::vector<std::byte> payload;
    window ? put_record(payload, MetadataRecord::window, *window)
           : put_record(payload, MetadataRecord::stripped, result_.left_out);
    put_record(payload, MetadataRecord::last_event, std::max(last_ticks_, trace_.metadata.last_event_ticks));
    out_.append(head, payload);
    ++head.stream_id;
    write_block_types(head);
  }

  const KeptTrace& result() const { return result_; }

 private:
  struct Stream {
    EventPages pages;
    bool kept_last = false;
  };

  // What the events pages of the other trace said, in as many pages as that takes.
  void write_block_types(format::PageHeader head) {
    if (!trace_.metadata.block_types.empty()) return;  // copied: the events pages were written anew before
    const BlockTypes types(trace_.file, trace_.metadata);
    std::span<const format::BlockType> left(types.all());
    const size_t room = (out_.payload_capacity() - sizeof(format::RecordHeader)) / sizeof(format::BlockType);
    for (; !left.empty(); ++head.sequence) {
      const auto bytes = std::as_bytes(left.first(std::min(room, left.size())));
      const format::RecordHeader record{static_cast<uint16_t>(MetadataRecord::block_types), 0,
                                        static_cast<uint32_t>(bytes.size())};
      std::vector<std::byte> payload;
      for (const auto part : {std::as_bytes(std::span(&record, 1)), bytes})
        payload.insert(payload.end(), part.begin(), part.end());
      out_.append(head, payload);
      left = left.subspan(bytes.size() / sizeof(format::BlockType));
    }
  }

  // Contents of whole words need no padding.
  template <class Content>
  static void put_record(std::vector<std::byte>& out, MetadataRecord type, const Content& content) {
    static_assert(sizeof content % 8 == 0);
    const format::RecordHeader record{static_cast<uint16_t>(type), 0, sizeof content};
    for (const auto bytes : {std::as_bytes(std::span(&record, 1)), std::as_bytes(std::span(&content, 1))})
      out.insert(out.end(), bytes.begin(), bytes.end());
  }

  format::PageHeader head_of(const PageEntry& entry) const {
    format::PageHeader head{};
    int error = 0;
    const uint64_t offset = uint64_t{entry.page} * trace_.file.page_size();
    trace_.file.source().read(offset, std::as_writable_bytes(std::span(&head, 1)), error);
    return head;
  }

  void add(Event event, Stream& stream, ThreadGap& gap) {
    const KeptEvents::Part part = kept_(number_++);
    last_ticks_ = std::max(last_ticks_, event.ticks);
    if (part != KeptEvents::Part::whole) count_left_out(event);
    if (part == KeptEvents::Part::nothing) {
      stream.kept_last = false;
      gap.leave_out();
      return;
    }
    if (part == KeptEvents::Part::end) event = end_of(event);
    event.stack = stacks_.keep(event.stack);
    event.continues = event.continues && stream.kept_last;
    event.follows_gap = event.follows_gap || gap.is_before(event);
    gap.keep(event);
    stream.kept_last = true;
    stream.pages.add(event, out_);
    ++result_.events;
  }

  void count_left_out(const Event& event) {
    const bool is_release = event.kind == EventKind::release;
    (is_release ? result_.left_out.frees : result_.left_out.allocations) += 1;
    if (!is_release) result_.left_out.bytes += event.size;
  }

  // What the mapping did to those that lay in its place, without itself.
  static Event end_of(Event mapping) {
    mapping.kind = EventKind::release;
    mapping.tag = static_cast<uint16_t>(format::Function::munmap);
    mapping.size = std::max<uint64_t>(mapping.size, 1);
    mapping.continues = false;
    return mapping;
  }

  const Trace& trace_;
  const EventFilter& kept_;
  NewTraceFile& out_;
  StackPages stacks_;
  std::vector<Stream> streams_;
  std::vector<ThreadGap> gaps_;  // by thread
  uint64_t number_ = 0;
  uint64_t last_ticks_ = 0;
  KeptTrace result_;
};

}  // namespace

KeptTrace write_kept_trace(const Trace& trace, const EventFilter& kept, std::optional<format::Window> window,
                           const std::string& path, ProgressSink* progress) {
  NewTraceFile out = NewTraceFile::create(path, trace.file.header());
  out.header().begun_pages = trace.file.lost_pages();
  Rewriter rewriter(trace, kept, out);
  rewriter.write_events(progress);
  rewriter.write_stacks();
  rewriter.copy_other_pages();
  rewriter.write_records(window);
  const Damage& damage = trace.file.damage();
  out.header().made_of = out.content_hash() | 1;
  out.commit(damage.pages() + damage.missing_pages());
  return rewriter.result();
}

}  // namespace memprof
