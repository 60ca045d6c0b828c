#include <nlohmann/json.hpp>

#include <tsl/robin_map.h>

#include <algorithm>

#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_groups.h"
#include "report/site_list.h"

namespace memprof {

namespace {

struct ThreadFrees {
  uint64_t frees = 0;  // orphans included
  uint64_t bytes_freed = 0;
  uint64_t orphans = 0;
};

// Blocks that `allocator` allocated and `freer` freed; indices of threads.
struct HandOver {
  uint32_t allocator, freer;
  uint64_t blocks = 0, bytes = 0;
};

class ThreadVisitor : public ChunkVisitor {
 public:
  explicit ThreadVisitor(const DomainSet& domains) : domains_(domains) {}

  void begin(const std::vector<Thread>& threads) override { frees.resize(threads.size()); }
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId, const Release& release) override {
    if (!domains_.has(domain)) return;
    ThreadFrees& freer = frees[release.thread];
    ++freer.frees;
    freer.bytes_freed += chunk.size;
    HandOver& pair = pairs_[uint64_t{chunk.thread} << 32 | release.thread];
    ++pair.blocks;
    pair.bytes += chunk.size;
  }
  void open(uint16_t, uint64_t, const Chunk&, StackId, bool) override {}
  void orphaned(uint16_t domain, const Release& release, OrphanKind kind) override {
    if (!domains_.has(domain) || kind == OrphanKind::filtered) return;
    ++frees[release.thread].frees;
    ++frees[release.thread].orphans;
  }

  // Most blocks first; those of one thread to itself included.
  std::vector<HandOver> pairs() const {
    std::vector<HandOver> result;
    for (const auto& [key, pair] : pairs_)
      result.push_back({static_cast<uint32_t>(key >> 32), static_cast<uint32_t>(key), pair.blocks, pair.bytes});
    std::sort(result.begin(), result.end(), [](const HandOver& a, const HandOver& b) {
      if (a.blocks != b.blocks) return a.blocks > b.blocks;
      return a.allocator != b.allocator ? a.allocator < b.allocator : a.freer < b.freer;
    });
    return result;
  }

  std::vector<ThreadFrees> frees;

 private:
  const DomainSet domains_;
  tsl::robin_map<uint64_t, HandOver, KeyedHash> pairs_;
};

struct ThreadRow {
  Thread thread;
  Site site;  // of all that it allocated
  ThreadFrees frees;
};

constexpr size_t kThreadsTop = 30;
constexpr size_t kDefaultPairs = 20;

class ThreadReport {
 public:
  ThreadReport(const Analysis& analysis, const Account* account, const SiteGroups& groups, const ThreadVisitor& visitor,
               const ReportOptions& options, Output& out)
      : analysis_(analysis),
        trace_(analysis.trace),
        account_(account),
        threads_(analysis.threads),
        options_(options),
        out_(out),
        pairs_(visitor.pairs()) {
    for (size_t i = 0; i < threads_.size(); ++i) rows_.push_back({threads_[i], {}, visitor.frees[i]});
    if (account)
      for (const Site& site : account->sites.all()) rows_[groups.thread_of(site.stack)].site = site;
    std::erase_if(rows_, [](const ThreadRow& row) {
      return row.site.allocations == 0 && row.site.carried_chunks == 0 && row.frees.frees == 0;
    });
    std::sort(rows_.begin(), rows_.end(), [](const ThreadRow& a, const ThreadRow& b) {
      if (a.site.bytes_allocated != b.site.bytes_allocated) return a.site.bytes_allocated > b.site.bytes_allocated;
      return a.thread.serial < b.thread.serial;
    });
  }

  void print_text();
  void print_json_document();
  void print_csv();

 private:
  std::string label(const Thread& thread, size_t columns) const {
    return cut_text(escape_text(thread_label(trace_, thread)), columns);
  }
  Json thread_json(const Thread& thread) const {
    const std::string name = thread_name(trace_, thread);
    return {{"thread", thread.serial}, {"id", thread.id}, {"name", name.empty() ? Json() : Json(to_utf8(name))}};
  }

  const Analysis& analysis_;
  const Trace& trace_;
  const Account* account_;
  const std::vector<Thread>& threads_;
  const ReportOptions& options_;
  Output& out_;
  std::vector<ThreadRow> rows_;
  std::vector<HandOver> pairs_;
};

void ThreadReport::print_text() {
  if (rows_.empty()) {
    out_.print("No thread allocated or freed anything in {}.\n", domains_text(options_.domain));
    print_why_empty(out_, trace_, options_);
    return;
  }
  out_.print("{} allocated or freed in {}; its peak was {}, at {}\n", count_of(rows_.size(), "thread", "threads"),
             domains_text(options_.domain), format_bytes(account_ ? account_->sites.peak_bytes() : 0),
             format_duration(account_ ? trace_.clock.ns_since_start(account_->sites.peak_ticks()) : 0));
  print_selection(out_, trace_, options_);
  out_.print("\n  {:<22} {:>12} {:>11} {:>12} {:>11} {:>11} {:>11}\n", "thread (id)", "allocations", "bytes", "frees",
             ends_early(trace_) ? "still open" : "open at end", "at the peak", "own peak");
  const size_t shown = std::min(options_.top.value_or(kThreadsTop), rows_.size());
  for (size_t i = 0; i < shown; ++i) {
    const ThreadRow& row = rows_[i];
    out_.print("  {:<22} {:>12} {:>11} {:>12} {:>11} {:>11} {:>11}\n", label(row.thread, 22),
               format_count(row.site.allocations), format_bytes(row.site.bytes_allocated),
               format_count(row.frees.frees), format_bytes(row.site.open_bytes), format_bytes(row.site.at_peak_bytes),
               format_bytes(row.site.peak_bytes));
  }
  if (rows_.size() > shown)
    out_.print("  ... {} (--top {} shows all)\n", count_of(rows_.size() - shown, "more thread", "more threads"),
               rows_.size());

  uint64_t blocks = 0, bytes = 0, all = 0;
  std::vector<HandOver> between;
  for (const HandOver& pair : pairs_) {
    all += pair.blocks;
    if (pair.allocator == pair.freer) continue;
    blocks += pair.blocks;
    bytes += pair.bytes;
    between.push_back(pair);
  }
  if (between.empty()) {
    out_.write("\nEvery freed block was freed by the thread that allocated it.\n");
    return;
  }
  out_.print("\nFreed by another thread than allocated: {} of {}, {} of those freed\n\n",
             count_of(blocks, "block", "blocks"), format_bytes(bytes),
             format_share(static_cast<double>(blocks), static_cast<double>(all)));
  out_.print("  {:<28} {:<28} {:>13} {:>11}\n", "allocated by", "freed by", "blocks", "bytes");
  const size_t shown_pairs = std::min(options_.top.value_or(kDefaultPairs), between.size());
  for (size_t i = 0; i < shown_pairs; ++i)
    out_.print("  {:<28} {:<28} {:>13} {:>11}\n", label(threads_[between[i].allocator], 28),
               label(threads_[between[i].freer], 28), format_count(between[i].blocks), format_bytes(between[i].bytes));
  if (between.size() > shown_pairs)
    out_.print("  ... {} (--top {} shows all)\n", count_of(between.size() - shown_pairs, "more pair", "more pairs"),
               between.size());
}

void ThreadReport::print_json_document() {
  Json document = {{"schema", "memprof.threads/1"},
                   {"domain", to_utf8(options_.domain)},
                   {"complete", trace_.file.complete()},
                   {"peak_bytes", account_ ? account_->sites.peak_bytes() : 0}};
  put_selection(document, analysis_, options_, account_);
  Json& threads = document["threads"] = Json::array();
  const size_t shown = std::min(options_.top.value_or(SIZE_MAX), rows_.size());
  for (size_t i = 0; i < shown; ++i) {
    const ThreadRow& row = rows_[i];
    Json entry = thread_json(row.thread);
    entry["allocations"] = row.site.allocations;
    entry["bytes_allocated"] = row.site.bytes_allocated;
    entry["temporary"] = row.site.temporary;
    entry["frees"] = row.frees.frees;
    entry["bytes_freed"] = row.frees.bytes_freed;
    entry["orphaned_frees"] = row.frees.orphans;
    entry["open"] = {{"chunks", row.site.open_chunks}, {"bytes", row.site.open_bytes}};
    entry["peak"] = {{"bytes", row.site.peak_bytes}, {"time_ns", trace_.clock.ns_since_start(row.site.peak_ticks)}};
    entry["at_peak"] = {{"chunks", row.site.at_peak_chunks}, {"bytes", row.site.at_peak_bytes}};
    threads.push_back(std::move(entry));
  }
  Json& pairs = document["hand_overs"] = Json::array();
  for (const HandOver& pair : pairs_)
    pairs.push_back({{"allocated_by", threads_[pair.allocator].serial},
                     {"freed_by", threads_[pair.freer].serial},
                     {"blocks", pair.blocks},
                     {"bytes", pair.bytes}});
  print_json(out_, document);
}

void ThreadReport::print_csv() {
  if (options_.table == "hand-overs") {
    CsvTable table(out_, {"allocated_by", "allocated_by_name", "freed_by", "freed_by_name", "blocks", "bytes"});
    for (const HandOver& pair : pairs_)
      table.row(threads_[pair.allocator].serial, thread_name(trace_, threads_[pair.allocator]),
                threads_[pair.freer].serial, thread_name(trace_, threads_[pair.freer]), pair.blocks, pair.bytes);
    return;
  }
  CsvTable table(out_, {"thread", "id", "name", "allocations", "bytes_allocated", "temporary", "frees", "bytes_freed",
                        "orphaned_frees", "open_chunks", "open_bytes", "peak_bytes", "peak_time_ns", "at_peak_chunks",
                        "at_peak_bytes"});
  const size_t shown = std::min(options_.top.value_or(SIZE_MAX), rows_.size());
  for (size_t i = 0; i < shown; ++i) {
    const ThreadRow& row = rows_[i];
    table.row(row.thread.serial, row.thread.id, thread_name(trace_, row.thread), row.site.allocations,
              row.site.bytes_allocated, row.site.temporary, row.frees.frees, row.frees.bytes_freed, row.frees.orphans,
              row.site.open_chunks, row.site.open_bytes, row.site.peak_bytes,
              trace_.clock.ns_since_start(row.site.peak_ticks), row.site.at_peak_chunks, row.site.at_peak_bytes);
  }
}

}  // namespace

bool report_threads(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  const SiteGroups groups(trace, GroupBy::thread, false);
  ThreadVisitor visitor(*domains);
  const Analysis analysis = analyse(trace, &visitor, progress);
  ThreadReport report(analysis, analysis.account(*domains), groups, visitor, options, out);
  if (options.json)
    report.print_json_document();
  else if (options.csv)
    report.print_csv();
  else
    report.print_text();
  return true;
}

}  // namespace memprof
