#include <tsl/robin_map.h>

#include <unordered_map>

#include "report/escape.h"
#include "report/frame_text.h"
#include "report/mismatches.h"
#include "report/reports.h"

namespace memprof {

namespace {

// One JSON object a line, written when the fate of the block is known.
class ChunkLines : public ChunkVisitor {
 public:
  ChunkLines(const Trace& trace, const ReportOptions& options, Output& out)
      : trace_(trace), options_(options), out_(out), source_(trace, options.symbols), judge_(trace, source_) {}

  void begin(const std::vector<Thread>& threads) override { threads_ = &threads; }

  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    if (!wants(ChunkState::closed)) return;
    const StackId free_stack = trace_.nodes.canonical(release.event.stack);
    const bool mismatched =
        release.is_mismatched && judge_.is_mismatch(stack, chunk.tag, free_stack, release.event.tag);
    begin_line("closed", address, chunk.size);
    times(time(chunk.alloc_ticks), time(release.event.ticks));
    threads(thread(chunk.thread), thread(release.thread));
    functions(domain, allocator(chunk.tag), allocator(release.event.tag), chunk.tag);
    out_.print(",\"mismatched\":{},\"temporary\":{}", mismatched, release.is_temporary);
    end_line(stack, free_stack);
  }

  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override {
    if (!wants(ChunkState::open)) return;
    begin_line("open", address, chunk.size);
    times(time(chunk.alloc_ticks), "null");
    threads(thread(chunk.thread), "null");
    functions(domain, allocator(chunk.tag), "null", chunk.tag);
    out_.print(",\"mismatched\":false{}", is_displaced ? ",\"allocated_again\":true" : "");
    end_line(stack, format::kNoStack);
  }

  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override {
    if (!wants(ChunkState::orphaned) || kind == OrphanKind::filtered) return;
    static constexpr const char* kKinds[] = {"inherited", "before_start", "unknown"};
    begin_line("orphaned", release.event.address, release.event.size);
    times("null", time(release.event.ticks));
    threads("null", thread(release.thread));
    functions(domain, "null", allocator(release.event.tag), release.event.tag);
    out_.print(",\"mismatched\":false,\"orphan\":\"{}\"", kKinds[static_cast<size_t>(kind)]);
    end_line(format::kNoStack, trace_.nodes.canonical(release.event.stack));
  }

 private:
  bool wants(ChunkState state) const { return !options_.state || *options_.state == state; }
  std::string time(uint64_t ticks) const { return std::to_string(trace_.clock.ns_since_start(ticks)); }
  std::string thread(uint32_t index) const { return std::to_string((*threads_)[index].serial); }

  const std::string& allocator(uint16_t tag) {
    const auto found = names_.find(tag);
    if (found != names_.end()) return found->second;
    return names_.emplace(tag, json_string(trace_.domains.function_name(tag))).first->second;
  }

  const std::string& tags_of(uint16_t tag) {
    const auto found = user_tags_.find(tag);
    if (found != user_tags_.end()) return found->second;
    const std::string name = trace_.domains.user_tag(tag);
    return user_tags_.emplace(tag, name.empty() ? "" : json_string(name)).first->second;
  }

  void begin_line(const char* state, uint64_t address, uint64_t size) {
    const bool is_known = size != 0 || state[0] != 'o' || state[1] == 'p';
    out_.print("{{\"state\":\"{}\",\"address\":\"{:#x}\",\"size\":{}", state, address,
               is_known ? std::to_string(size) : "null");
  }
  void times(const std::string& alloc_time, const std::string& free_time) {
    out_.print(",\"alloc_time_ns\":{},\"free_time_ns\":{}", alloc_time, free_time);
  }
  void threads(const std::string& alloc_thread, const std::string& free_thread) {
    out_.print(",\"thread\":{},\"free_thread\":{}", alloc_thread, free_thread);
  }
  void functions(uint16_t domain, const std::string& allocator, const std::string& free_function, uint16_t tag) {
    const std::string& user_tag = tags_of(tag);
    out_.print(",\"domain\":{},\"allocator\":{},\"free_function\":{},\"tags\":[{}]",
               json_string(trace_.domains.all()[domain].name), allocator, free_function, user_tag);
  }
  void end_line(StackId stack, StackId free_stack) {
    out_.print(",\"truncated\":{},\"stack\":", trace_.nodes.is_truncated(stack));
    out_.write(stack_text(stack));
    if (free_stack != format::kNoStack) {
      out_.write(",\"free_stack\":");
      out_.write(stack_text(free_stack));
    }
    out_.write("}\n");
  }

  // Each stack is put together once, as long as all of them fit.
  const std::string& stack_text(StackId stack) {
    const auto found = stacks_.find(stack);
    if (found != stacks_.end()) return found->second;
    if (stack_bytes_ > kMaxStackBytes) {
      stacks_.clear();
      stack_bytes_ = 0;
    }
    std::string text = stack_json(source_, stack, options_.max_frames.value_or(StackNodes::kMaxFrames))
                           .dump(-1, ' ', true, Json::error_handler_t::replace);
    stack_bytes_ += text.size();
    return stacks_.emplace(stack, std::move(text)).first->second;
  }

  static constexpr size_t kMaxStackBytes = 64u << 20;

  const Trace& trace_;
  const ReportOptions& options_;
  Output& out_;
  FrameSource source_;
  MismatchJudge judge_;
  const std::vector<Thread>* threads_ = nullptr;
  tsl::robin_map<StackId, std::string> stacks_;
  size_t stack_bytes_ = 0;
  std::unordered_map<uint16_t, std::string> names_, user_tags_;  // JSON; references to them stay good
};

}  // namespace

void report_chunks(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  ChunkLines lines(trace, options, out);
  analyse(trace, &lines, progress);
}

}  // namespace memprof
