#include <nlohmann/json.hpp>

#include <tsl/robin_map.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "reach/classification.h"
#include "report/block_groups.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/mismatches.h"
#include "report/reports.h"
#include "report/site_list.h"

namespace memprof {

namespace {

// One JSON object a line, written when the fate of the block is known.
class ChunkLines : public ChunkVisitor {
 public:
  ChunkLines(const Trace& trace, const Classification* classes, std::optional<DomainSet> domains,
             const ReportOptions& options, Output& out)
      : trace_(trace),
        classes_(classes),
        domains_(std::move(domains)),
        options_(options),
        out_(out),
        source_(trace, options.symbols),
        types_(trace.file, trace.metadata),
        judge_(trace, source_) {
    if (options.group != GroupBy::stack) groups_.emplace(trace, options.group, options.symbols);
  }

  bool is_empty() const { return is_empty_; }

  void begin(const std::vector<Thread>& threads) override { threads_ = &threads; }

  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, const Release& release) override {
    if (!wants(domain)) return;
    const StackId free_stack = trace_.nodes.canonical(release.event.stack);
    const bool mismatched =
        release.is_mismatched && judge_.is_mismatch(stack, chunk.tag, free_stack, release.event.tag);
    begin_line("closed", address, chunk.size);
    times(time(chunk.alloc_ticks), time(release.event.ticks));
    threads(thread(chunk.thread), thread(release.thread));
    functions(domain, allocator(chunk.tag), allocator(release.event.tag), chunk.tag);
    out_.print(",\"mismatched\":{},\"temporary\":{}", mismatched, release.is_temporary);
    type_and_group(domain, address, chunk, stack, release.event.ticks);
    end_line(stack, free_stack);
  }

  void left_over(const std::vector<Range>& ranges) override { left_over_ = ranges; }

  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, bool is_displaced) override {
    const std::vector<Range> left_over = std::exchange(left_over_, {});
    if (!wants(domain)) return;
    begin_line("open", address, chunk.size);
    times(time(chunk.alloc_ticks), "null");
    threads(thread(chunk.thread), "null");
    functions(domain, allocator(chunk.tag), "null", chunk.tag);
    out_.print(",\"mismatched\":false{}", is_displaced ? ",\"allocated_again\":true" : "");
    type_and_group(domain, address, chunk, stack, UINT64_MAX);
    const char* comma = ",\"left_over\":[";
    for (const Range& range : left_over) {
      out_.print("{}{{\"address\":\"{:#x}\",\"bytes\":{}}}", comma, range.begin, range.end - range.begin);
      comma = ",";
    }
    if (!left_over.empty()) out_.write("]");
    const bool may_be_known = classes_ && domain == Domains::kHeap && !is_displaced;
    if (const std::optional<Reach> reach = may_be_known ? classes_->reach_of(address, chunk.alloc_ticks) : std::nullopt)
      out_.print(",\"reach\":\"{}\"", reach_name(*reach));
    end_line(stack, format::kNoStack);
  }

  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override {
    if (kind == OrphanKind::filtered || !wants(domain)) return;
    static constexpr const char* kKinds[] = {"inherited", "before_start", "unknown"};
    begin_line("orphaned", release.event.address, release.event.size);
    times("null", time(release.event.ticks));
    threads("null", thread(release.thread));
    functions(domain, "null", allocator(release.event.tag), release.event.tag);
    out_.print(",\"mismatched\":false,\"orphan\":\"{}\"", kKinds[static_cast<size_t>(kind)]);
    if (groups_) out_.write(",\"group\":null");  // nobody knows the block
    end_line(format::kNoStack, trace_.nodes.canonical(release.event.stack));
  }

 private:
  bool wants(uint16_t domain) {
    const bool is_wanted = !domains_ || domains_->has(domain);
    is_empty_ = is_empty_ && !is_wanted;
    return is_wanted;
  }
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
  void type_and_group(uint16_t domain, uint64_t address, const Chunk& chunk, StackId stack, uint64_t end_ticks) {
    const auto type = types_.type_of(trace_.domains.all()[domain].number, address, chunk.alloc_ticks, end_ticks);
    if (type) out_.print(",\"type\":{}", json_string(types_.name(*type)));
    if (!groups_) return;
    const std::optional<uint32_t> given = type ? groups_->of_type(*type) : std::nullopt;
    out_.print(",\"group\":{}", group_text(given.value_or(groups_->of(stack, chunk.tag, chunk.thread))));
  }

  const std::string& group_text(uint32_t group) {
    const auto found = group_texts_.find(group);
    if (found != group_texts_.end()) return found->second;
    return group_texts_.emplace(group, name_json(groups_->by(), groups_->name(group, *threads_)).dump(-1, ' ', true))
        .first->second;
  }
  void end_line(StackId stack, StackId free_stack) {
    out_.print(",\"truncated\":{},\"stack\":", trace_.nodes.is_truncated(stack));
    write_stack("stack", stack);
    if (free_stack != format::kNoStack) {
      out_.write(",\"free_stack\":");
      write_stack("free_stack", free_stack);
    }
    out_.write("}\n");
  }

  struct StackText {
    std::string frames;
    size_t hidden;
  };

  void write_stack(const char* key, StackId stack) {
    const StackText& text = stack_text(stack);
    out_.write(text.frames);
    if (!options_.hidden_frames.is_empty()) out_.print(",\"{}_hidden_frames\":{}", key, text.hidden);
  }

  // Each stack is put together once, as long as all of them fit.
  const StackText& stack_text(StackId stack) {
    const auto found = stacks_.find(stack);
    if (found != stacks_.end()) return found->second;
    if (stack_bytes_ > kMaxStackBytes) {
      stacks_.clear();
      stack_bytes_ = 0;
    }
    const ShownFrames shown = shown_frames(source_, stack, shown_limit(options_), options_.hidden_frames);
    std::string text = frames_json(shown).dump(-1, ' ', true, Json::error_handler_t::replace);
    stack_bytes_ += text.size();
    return stacks_.emplace(stack, StackText{std::move(text), shown.hidden}).first->second;
  }

  static constexpr size_t kMaxStackBytes = 64u << 20;

  const Trace& trace_;
  const Classification* const classes_;
  const std::optional<DomainSet> domains_;
  const ReportOptions& options_;
  Output& out_;
  FrameSource source_;
  const BlockTypes types_;
  std::optional<BlockGroups> groups_;  // none: by stack
  MismatchJudge judge_;
  bool is_empty_ = true;
  std::vector<Range> left_over_;
  const std::vector<Thread>* threads_ = nullptr;
  tsl::robin_map<StackId, StackText> stacks_;
  size_t stack_bytes_ = 0;
  std::unordered_map<uint16_t, std::string> names_, user_tags_;  // JSON; references to them stay good
  std::unordered_map<uint32_t, std::string> group_texts_;        // the same
};

}  // namespace

ChunksResult report_chunks(const Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress,
                           const Classification* classes) {
  std::optional<DomainSet> domains;
  if (options.chunks_domain) {
    domains = find_domains(trace, *options.chunks_domain);
    if (!domains) return ChunksResult::no_domain;
  }
  ChunkLines lines(trace, classes, std::move(domains), options, out);
  analyse(trace, &lines, progress);
  return lines.is_empty() ? ChunksResult::empty : ChunksResult::done;
}

}  // namespace memprof
