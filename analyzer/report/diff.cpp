#include <cmath>

#include "report/diff_sites.h"
#include "report/diff_tables.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr size_t kDiffTop = 10;  // of each kind
constexpr size_t kDiffFrames = 12;

struct Section {
  DiffStatus status;
  const char* title;
};
constexpr Section kSections[] = {{DiffStatus::added, "New: nothing of it in OLD"},
                                 {DiffStatus::grown, "Grown"},
                                 {DiffStatus::shrunk, "Shrunk"},
                                 {DiffStatus::gone, "Gone: nothing of it in NEW"}};

class DiffText {
 public:
  DiffText(const Diff& diff, const ReportOptions& options, Output& out)
      : diff_(diff), options_(options), rank_(rank_info(options.by)), out_(out) {}

  void print() {
    print_head();
    const uint64_t same = diff_.count(DiffStatus::same);
    if (diff_.entries.empty() && diff_.hidden == 0) {
      out_.print("\nNothing to compare: neither trace has any {} in {}.\n", description(),
                 domains_text(options_.domain));
      return;
    }
    out_.print("\n{}: {} new, {} grown, {} shrunk, {} gone; {} the same\n",
               count_places(diff_.entries.size() + diff_.hidden), format_count(diff_.count(DiffStatus::added)),
               format_count(diff_.count(DiffStatus::grown)), format_count(diff_.count(DiffStatus::shrunk)),
               format_count(diff_.count(DiffStatus::gone)), format_count(same));
    if (diff_.hidden != 0)
      out_.print("{} {} changed by less than was asked for and not shown\n", count_places(diff_.hidden),
                 diff_.hidden == 1 ? "has" : "have");
    if (same == diff_.entries.size() && diff_.hidden == 0) out_.print("Nothing changed.\n");
    for (const Section& section : kSections) print_section(section);
    if (has_weak_)
      out_.print(
          "\n~ a weaker match: the stacks are not equal, but each is the other's only near one (same\n"
          "  innermost function, most of the others, similar size). Look at both before you rely on it.\n");
    if (!diff_.compared_all_weakly)
      out_.print("\nToo many stacks differ to look for weaker matches: new and gone are by equal stacks alone.\n");
  }

 private:
  // The windows of the two need not end at the same time.
  std::string description() const {
    const bool is_window = options_.by == RankBy::open && options_.filters.has_window();
    return is_window ? "bytes open at the end of the window" : rank_.description;
  }

  std::string count_places(uint64_t count) const {
    return options_.group == GroupBy::stack ? count_of(count, "place", "places") : count_sites(count, options_.group);
  }

  void print_head() {
    out_.print("{}{}{}\n", description(),
               options_.group == GroupBy::stack ? "" : fmt::format(", by {}", group_name(options_.group)),
               options_.per == DiffPer::nothing  ? ""
               : options_.per == DiffPer::second ? ", per second of the run"
                                                 : ", per 1,000 allocations of the run");
    if (const std::string filters = describe_filters(options_); !filters.empty()) out_.print("only: {}\n", filters);
    out_.write("\n");
    print_side("old", diff_.before);
    print_side("new", diff_.after);
    if (options_.per != DiffPer::nothing) return;
    const DiffAmount &before = diff_.before.total, &after = diff_.after.total;
    std::string text;
    if (rank_has_bytes(options_.by)) text = signed_bytes(change(before.bytes, after.bytes));
    if (rank_has_blocks(options_.by))
      text += (text.empty() ? "" : " in ") + signed_count(change(before.blocks, after.blocks)) + " " +
              block_word(before.blocks > after.blocks ? before.blocks - after.blocks : after.blocks - before.blocks);
    out_.print("  change {}\n", text);
  }

  const char* block_word(uint64_t count) const {
    switch (options_.by) {
      case RankBy::allocations:
      case RankBy::allocated: return count == 1 ? "allocation" : "allocations";
      case RankBy::temporary: return count == 1 ? "temporary allocation" : "temporary allocations";
      default: return count == 1 ? "block" : "blocks";
    }
  }

  void print_side(const char* name, const DiffSide& side) {
    std::string amount;
    if (rank_has_bytes(options_.by)) amount = format_bytes(side.total.bytes);
    if (rank_has_blocks(options_.by))
      amount += (amount.empty() ? "" : " in ") + format_count(side.total.blocks) + " " + block_word(side.total.blocks);
    out_.print("  {}    {}, {}; {}, {} allocations{}\n", name, amount,
               options_.group == GroupBy::stack ? format_count(side.stacks) + " stacks"
                                                : count_sites(side.stacks, options_.group),
               format_duration(side.duration_ns), format_count(side.allocations),
               side.trace->file.complete() ? "" : "; INCOMPLETE");
    if (options_.filters.has_window()) out_.print("         {}\n", describe_window(*side.trace, options_));
    out_.print("         {}\n", cut_text(escape_text(side.trace->file.name()), kTextColumns - 9));
  }

  void print_section(const Section& section) {
    const uint64_t count = diff_.count(section.status);
    if (count == 0) return;
    out_.print("\n{}, {}\n", section.title, count_places(count));
    size_t left = options_.top.value_or(kDiffTop);
    uint64_t shown = 0;
    for (const DiffEntry& entry : diff_.entries) {
      if (entry.status != section.status) continue;
      if (left-- == 0) break;
      print_entry(entry);
      ++shown;
    }
    if (shown < count) out_.print("  ... {} more (--top 0 shows all)\n", format_count(count - shown));
  }

  void print_entry(const DiffEntry& entry) {
    const DiffAmount before = entry.before ? entry.before->amount : DiffAmount{};
    const DiffAmount after = entry.after ? entry.after->amount : DiffAmount{};
    const bool is_weak = entry.similarity < 1;
    has_weak_ = has_weak_ || is_weak;
    const DiffGroup& shown = entry.shown();
    const DiffSide& side = entry.after ? diff_.after : diff_.before;
    const bool is_by_name = options_.group != GroupBy::stack;
    const std::string allocator = is_by_name ? "" : "  " + escape_text(side.trace->domains.tag_name(shown.tag));
    std::string line = fmt::format("{:>16}", value_text(entry.change(), true));
    if (entry.before && entry.after) {
      line += fmt::format("  {} -> {}", value_text(entry.old_value, false), value_text(entry.new_value, false));
      if (entry.old_value != 0) line += fmt::format(" ({})", signed_percent(entry.change() / entry.old_value));
    }
    out_.print("{}\n",
               cut_text(line + allocator + (is_weak ? fmt::format("  ~{:.0f} % alike", 100 * entry.similarity) : ""),
                        kTextColumns));
    // What the first line does not tell: the other unit, and without normalisation.
    std::string more;
    if (rank_has_blocks(options_.by) && (rank_.unit != RankUnit::blocks || options_.per != DiffPer::nothing))
      more = from_to(format_count(before.blocks), format_count(after.blocks), entry) + " " +
             block_word(entry.after ? after.blocks : before.blocks);
    if (rank_has_bytes(options_.by) && (rank_.unit == RankUnit::blocks || options_.per != DiffPer::nothing))
      more =
          from_to(format_bytes(before.bytes), format_bytes(after.bytes), entry) + (more.empty() ? "" : " in " + more);
    if (shown.stacks > 1 && !is_by_name)
      more += fmt::format("{}{} stacks", more.empty() ? "" : ", ", format_count(shown.stacks));
    if (!more.empty()) out_.print("{:>16}  {}\n", "", more);
    if (is_by_name) {
      out_.print("     {}\n", name_line(shown.name, kTextColumns - 5));
      return;
    }
    const StackStyle style = stack_style(options_, kDiffFrames);
    print_stack(out_, *side.trace, *side.source, shown.stack, style);
    if (is_weak) {
      out_.print("     in OLD:\n");
      print_stack(out_, *diff_.before.trace, *diff_.before.source, entry.before->stack, style);
    }
  }

  static std::string from_to(const std::string& before, const std::string& after, const DiffEntry& entry) {
    if (!entry.before) return after;
    if (!entry.after || before == after) return before;
    return before + " -> " + after;
  }

  static double change(uint64_t before, uint64_t after) {
    return static_cast<double>(after) - static_cast<double>(before);
  }
  static const char* sign(double value) { return value < 0 ? "-" : value > 0 ? "+" : ""; }
  static std::string signed_bytes(double value) {
    return sign(value) + format_bytes(static_cast<uint64_t>(std::abs(value)));
  }
  static std::string signed_count(double value) {
    return sign(value) + format_count(static_cast<uint64_t>(std::abs(value)));
  }
  static std::string signed_percent(double ratio) {
    return std::abs(ratio) >= 10 ? fmt::format("{:.0f}x", ratio + 1) : fmt::format("{:+.1f} %", 100 * ratio);
  }

  // A whole number stays one; rates have fractions.
  std::string value_text(double value, bool with_sign) const {
    const double size = std::abs(options_.per == DiffPer::allocation ? value * 1000 : value);
    std::string text = with_sign ? sign(value) : "";
    const bool has_fraction = options_.per != DiffPer::nothing && size < 100;
    if (rank_.unit == RankUnit::blocks)
      text += has_fraction ? fmt::format("{:.3g}", size) : format_count(static_cast<uint64_t>(std::llround(size)));
    else
      text += has_fraction ? fmt::format("{:.3g} B", size) : format_bytes(static_cast<uint64_t>(std::llround(size)));
    return options_.per == DiffPer::second ? text + "/s" : text;
  }

  const Diff& diff_;
  const ReportOptions& options_;
  const RankInfo& rank_;
  Output& out_;
  bool has_weak_ = false;
};

}  // namespace

bool report_diff(Trace& before, Trace& after, const ReportOptions& options, Output& out, ProgressSink* progress) {
  // What is in one of them may be what is new or gone.
  for (const std::string& name : named_domains(before, options.domain).unknown)
    if (!find_domains(after, name)) return false;
  FrameSource before_source(before, options.symbols), after_source(after, options.symbols);
  const Diff diff = compare_traces(before, before_source, after, after_source, options, progress);
  if (options.json)
    print_diff_json(diff, options, out);
  else if (options.csv)
    print_diff_csv(diff, options, out);
  else
    DiffText(diff, options, out).print();
  return true;
}

}  // namespace memprof
