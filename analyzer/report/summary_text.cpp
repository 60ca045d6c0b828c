#include <tsl/robin_map.h>

#include <algorithm>

#include "report/ending.h"
#include "report/escape.h"
#include "report/mismatches.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_json.h"
#include "report/site_list.h"
#include "report/untaken_types.h"

namespace memprof {

namespace {

constexpr size_t kSummaryFrames = 5;
// After the first two, smaller parts of the whole are noise at a glance.
constexpr double kMinShare = 0.01;
constexpr size_t kMaxSymbolProblems = 5;

bool is_never_started(const Trace& trace) {
  const auto& settings = trace.metadata.settings;
  return trace.file.streams(format::StreamKind::events).empty() &&
         std::find(settings.begin(), settings.end(), "MEMPROF_START=paused") != settings.end();
}

// Writes the summary from top to bottom.
class SummaryText {
 public:
  SummaryText(const Analysis& analysis, const DomainSet& domains, const ReportOptions& options, Output& out,
              const GroupedSums* grouped)
      : analysis_(analysis),
        trace_(analysis.trace),
        options_(options),
        grouped_(grouped),
        domains_(domains),
        out_(out),
        source_(analysis.trace, options.symbols),
        top_(options.top.value_or(kSummaryTop)) {
    style_ = stack_style(options, kSummaryFrames);
    style_.fold = true;
  }

  void print() {
    print_process();
    print_losses();
    const Account nothing(SiteDirectory(trace_.nodes, false), 0);
    const Account* const chosen = analysis_.account(domains_);
    const Account& account = chosen ? *chosen : nothing;
    print_totals(account);
    print_domains();
    if (account.is_unused() && options_.filters.choose()) {
      out_.print("\nNothing: no block of {} is left.\n", domains_text(options_.domain));
      print_why_empty(out_, trace_, options_);
    }
    print_orphans(account);
    print_stack_quality(account);
    for (const RankBy by : {RankBy::open, RankBy::at_peak, RankBy::allocated, RankBy::temporary})
      if (!grouped_) source_.prepare_each(ranked_sites(account, by, top_), &Site::stack, style_.max_frames + 64);
    print_ranking(account, RankBy::open, ends_early(trace_) ? "Open " + at_end(trace_) : "Open at the end (not freed)");
    print_ranking(account, RankBy::at_peak, "Open at the peak");
    print_ranking(account, RankBy::allocated,
                  trace_.selection.has_window() ? "Allocated in the window" : "Allocated over the whole run");
    print_ranking(account, RankBy::temporary, "Temporary (ended by the very next event of their thread)");
    print_mismatches();
    print_double_allocations();
    print_missing_symbols();
  }

 private:
  void print_process() {
    std::string command;
    for (const std::string& argument : trace_.metadata.command)
      command += (command.empty() ? "" : " ") + quote_argument(argument);
    if (command.empty()) command = escape_text(trace_.metadata.executable);
    const TraceFile& file = trace_.file;
    out_.print("{}\n", cut_text(command.empty() ? "(command unknown)" : command, kTextColumns));
    out_.print("pid {}, {}, {}, {}; {}, {}\n", file.header().pid,
               count_of(analysis_.threads.size(), "thread", "threads"), format_duration(analysis_.duration_ns()),
               describe_ending(file), count_of(analysis_.pairing.event_count(), "event", "events"),
               format_bytes(file.size_bytes()));
    print_selection(out_, trace_, options_);
  }

  void print_losses() {
    const TraceFile& file = trace_.file;
    if (const std::string stripped = describe_stripped(trace_); !stripped.empty()) out_.print("{}\n", stripped);
    if (!file.closed_by_library())
      out_.write("incomplete: the numbers are those up to the last event that was recorded\n");
    if (is_never_started(trace_))
      out_.write(
          "PAUSED from begin to end: MEMPROF_START=paused waits for MEMPROF_TOGGLE's signal or memprof_start()\n");
    for (const std::string& line : file.damage().warnings()) out_.print("DAMAGED: {}\n", escape_text(line));
    if (const uint32_t stopped = file.header().stopped; stopped != 0)
      out_.print("RECORDING STOPPED EARLY, after {}: {}\n",
                 format_duration(trace_.clock.ns_since_start(file.header().stop_ticks)),
                 describe_drop_cause(stopped - 1));
    for (uint32_t cause = 0; cause < format::kDropCauses; ++cause)
      if (const uint64_t count = file.header().dropped_events[cause]; count != 0)
        out_.print("DROPPED: {} not recorded: {}\n", count_of(count, "event", "events"), describe_drop_cause(cause));
    for (uint32_t misuse = 0; misuse < format::kMisuses; ++misuse)
      if (const uint32_t count = file.header().misuses[misuse]; count != 0)
        out_.print("CLIENT API: {} did nothing: {}\n", count_of(count, "call", "calls"), describe_misuse(misuse));
    if (const uint64_t types = untaken_types(trace_); types != 0)
      out_.print("CLIENT API: {} did nothing: a type for an address where no block was\n",
                 count_of(types, "call", "calls"));
    if (file.flags() & format::kFiltered) out_.write("filtered by MEMPROF_FILTER: only what it lets through is here\n");
  }

  void print_totals(const Account& heap) {
    const auto row = [&](const std::string& name, uint64_t blocks, const std::string& bytes, const std::string& note) {
      out_.print("  {:<{}} {:>17} {:>14}{}{}\n", name, name_columns(), format_count(blocks), bytes,
                 note.empty() ? "" : "   ", note);
    };
    const bool is_heap = domains_.only() == Domains::kHeap;
    out_.print("\n  {:<{}} {:>17} {:>14}\n", is_heap ? "heap" : shorten_function(domains_title(options_.domain), 12),
               name_columns(), "blocks", "bytes");
    if (trace_.selection.from_ns != 0)
      row("open at " + format_duration(trace_.selection.from_ns), heap.carried_chunks(),
          format_bytes(heap.carried_bytes()), "");
    row("allocated", heap.allocations, format_bytes(heap.bytes_allocated), "");
    row("freed", heap.frees(), format_bytes(heap.closed_bytes()), "");
    row(ends_early(trace_) ? "open " + at_end(trace_) : "open at end", heap.open_chunks(),
        format_bytes(heap.open_bytes()), "");
    row("peak", heap.sites.peak_chunks(), format_bytes(heap.sites.peak_bytes()),
        heap.sites.peak_chunks() != 0
            ? fmt::format("at {}", format_duration(trace_.clock.ns_since_start(heap.sites.peak_ticks())))
            : "");
    row("temporary", heap.temporary, "",
        fmt::format("{} of the allocations",
                    format_share(static_cast<double>(heap.temporary), static_cast<double>(heap.allocations))));
  }

  // "open at 12 min 03 s" is a longer name than those of a whole trace.
  size_t name_columns() const { return trace_.selection.has_window() ? 20 : 12; }

  void print_domains() {
    const auto& all = trace_.domains.all();
    for (size_t index = 0; index < all.size(); ++index) {
      const Account* account = analysis_.pairing.account(static_cast<uint16_t>(index));
      if (index == domains_.only() || !account || account->is_unused()) continue;
      std::string orphans;
      if (account->orphans() != 0) orphans = fmt::format(", {} never seen allocated", format_count(account->orphans()));
      const bool is_heap = index == Domains::kHeap;
      out_.print("  {:<{}} {:>17} {:>14}   {} {} in {}, peak {}{}\n",
                 is_heap ? "heap" : shorten_function(escape_text(all[index].name), 12), name_columns(),
                 format_count(account->allocations), format_bytes(account->bytes_allocated),
                 ends_early(trace_) ? "still open" : "open at end", format_bytes(account->open_bytes()),
                 format_count(account->open_chunks()), format_bytes(account->sites.peak_bytes()), orphans);
    }
  }

  void print_orphans(const Account& heap) {
    static constexpr const char* kWhy[] = {"allocated by the parent before the fork",
                                           "allocated before the recording began",
                                           "never seen allocated, and nothing explains why"};
    for (size_t kind = 0; kind < 3; ++kind)
      if (heap.orphaned[kind] != 0)
        out_.print("\n{} orphaned: {}\n", count_of(heap.orphaned[kind], "free is", "frees are"), kWhy[kind]);
    if (heap.filtered_frees != 0)
      out_.print("\n{} of blocks that the filter left out\n", count_of(heap.filtered_frees, "free is", "frees are"));
  }

  void print_stack_quality(const Account& heap) {
    const StackCounts counts = count_stacks(analysis_, &heap);
    if (counts.truncated != 0)
      out_.print("\n{} of {} stacks ({}) are truncated: their outer frames are unknown\n",
                 format_count(counts.truncated), format_count(counts.stacks),
                 format_share(static_cast<double>(counts.truncated), static_cast<double>(counts.stacks)));
    const format::FileHeader& header = trace_.file.header();
    if (header.verify_checked != 0)
      out_.print("\n{} verified, {} different\n", count_of(header.verify_checked, "stack", "stacks"),
                 format_count(header.verify_mismatches));
  }

  void print_ranking(const Account& account, RankBy by, const std::string& title) {
    const Account* const listed = grouped_ ? grouped_->analysis.account(domains_) : &account;
    if (!listed) return;
    const std::vector<const Site*> sites = ranked_sites(*listed, by, top_);
    if (sites.empty()) return;
    const double total = static_cast<double>(rank_total(account, by));
    const std::string by_group = grouped_ ? fmt::format(", by {}", group_name(options_.group)) : "";
    out_.print("\n{}{}: {}\n", title, by_group, section_total(account, by));
    for (size_t i = 0; i < sites.size(); ++i) {
      const Site* const site = sites[i];
      const uint64_t value = rank_value(*site, by);
      if (i >= 2 && static_cast<double>(value) < kMinShare * total) break;
      if (grouped_) {
        out_.print("  {:>12} {:>7}  {:<24} {}\n", format_rank(value, by),
                   format_share(static_cast<double>(value), total), describe_counts(*site, by),
                   group_line(grouped_->analysis, *grouped_->groups, site->stack, kTextColumns - 48));
        continue;
      }
      const std::string label = stack_label(site->stack);
      out_.print("  {:>12} {:>7}  {:<24} {}  {}\n", format_rank(value, by),
                 format_share(static_cast<double>(value), total), describe_counts(*site, by), allocator(*site), label);
      if (is_first_) print_stack(out_, trace_, source_, site->stack, style_);
    }
  }

  static std::string section_total(const Account& account, RankBy by) {
    if (by == RankBy::temporary) return format_count(account.temporary);
    if (by == RankBy::open)
      return fmt::format("{} in {}", format_bytes(account.open_bytes()),
                         count_of(account.open_chunks(), "block", "blocks"));
    if (by == RankBy::at_peak)
      return fmt::format("{} in {}", format_bytes(account.sites.peak_bytes()),
                         count_of(account.sites.peak_chunks(), "block", "blocks"));
    return fmt::format("{} in {}", format_bytes(account.bytes_allocated),
                       count_of(account.allocations, "block", "blocks"));
  }

  std::string describe_counts(const Site& site, RankBy by) const {
    switch (by) {
      case RankBy::open: return "in " + count_of(site.open_chunks, "block", "blocks");
      case RankBy::at_peak: return "in " + count_of(site.at_peak_chunks, "block", "blocks");
      case RankBy::temporary: return fmt::format("of {} allocations", format_count(site.allocations));
      default: return "in " + count_of(site.allocations, "block", "blocks");
    }
  }

  std::string allocator(const Site& site) const {
    return shorten_function(escape_text(trace_.domains.tag_name(site.tag)), 24) +
           (site.has_other_tags ? " and others" : "");
  }

  // A stack is printed once; later it is named by its number.
  std::string stack_label(StackId stack) {
    const auto [found, is_new] = numbers_.emplace(stack, static_cast<uint32_t>(numbers_.size() + 1));
    is_first_ = is_new;
    return fmt::format("[stack {}{}]", found->second, is_new ? "" : ", above");
  }

  void print_mismatches() {
    const ConfirmedMismatches mismatches = confirm_mismatches(analysis_, source_);
    if (mismatches.count == 0) return;
    out_.print("\nFREED WITH THE WRONG FUNCTION: {}\n", count_of(mismatches.count, "block", "blocks"));
    for (size_t i = 0; i < std::min(mismatches.groups.size(), top_); ++i) {
      const MismatchGroup& group = mismatches.groups[i];
      out_.print("  {}, {}, allocated with {}, freed with {}\n", count_of(group.count, "block", "blocks"),
                 format_bytes(group.bytes), escape_text(trace_.domains.tag_name(group.alloc_tag)),
                 escape_text(trace_.domains.tag_name(group.free_tag)));
      out_.write("     allocated at\n");
      print_stack(out_, trace_, source_, group.alloc_stack, style_);
      if (group.free_stack == format::kNoStack) continue;
      out_.write("     freed at\n");
      print_stack(out_, trace_, source_, group.free_stack, style_);
    }
    if (!(trace_.file.flags() & format::kFreeStacks))
      out_.write("  (set MEMPROF_FREE_STACKS=1 to record where they are freed)\n");
    print_left_out(mismatches.groups.size(), "pairs of stacks");
  }

  void print_double_allocations() {
    const Account* const account = analysis_.account(domains_);
    const uint64_t count = account ? account->double_allocations : 0;
    if (count == 0) return;
    out_.print("\nALLOCATED TWICE WITHOUT A FREE BETWEEN: {} (events were lost, or the allocator is broken)\n",
               count_of(count, "address", "addresses"));
    const std::vector<DoubleAllocationGroup> groups = analysis_.pairing.findings().double_allocations();
    for (size_t i = 0; i < std::min(groups.size(), top_); ++i) {
      out_.print("  {}, the first at {:#x}\n     first allocated at\n", count_of(groups[i].count, "time", "times"),
                 groups[i].address);
      print_stack(out_, trace_, source_, groups[i].first_stack, style_);
      out_.write("     allocated again at\n");
      print_stack(out_, trace_, source_, groups[i].second_stack, style_);
    }
    print_left_out(groups.size(), "pairs of stacks");
  }

  void print_left_out(size_t count, const char* what) {
    if (count > top_) out_.print("  ... {} more {}\n", count - top_, what);
  }

  void print_missing_symbols() {
    const std::vector<std::string> problems = source_.symbol_problems();
    if (problems.empty()) return;
    out_.write("\nSymbols are missing\n");
    for (size_t i = 0; i < std::min(problems.size(), kMaxSymbolProblems); ++i)
      out_.print("  {}\n", cut_text(problems[i], kTextColumns - 2));
    if (problems.size() > kMaxSymbolProblems)
      out_.print("  ... and in {} more\n", count_of(problems.size() - kMaxSymbolProblems, "file", "files"));
  }

  const Analysis& analysis_;
  const Trace& trace_;
  const ReportOptions& options_;
  const GroupedSums* const grouped_;
  const DomainSet domains_;
  Output& out_;
  FrameSource source_;
  const size_t top_;
  StackStyle style_;
  tsl::robin_map<StackId, uint32_t> numbers_;
  bool is_first_ = false;  // the last label was a new one
};

}  // namespace

bool report_summary_text(const Analysis& analysis, const ReportOptions& options, Output& out,
                         const GroupedSums* grouped) {
  const auto domains = find_domains(analysis.trace, options.domain);
  if (!domains) return false;
  SummaryText(analysis, *domains, options, out, grouped).print();
  return true;
}

}  // namespace memprof
