#include <nlohmann/json.hpp>

#include <tsl/robin_map.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

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

// What a thread has of one group.
struct ThreadPart {
  uint32_t group;
  Site site{};
  ThreadFrees frees{};  // of blocks of the group; orphans are of none
};

struct ThreadRow {
  Thread thread;
  Site site;  // of all that it allocated
  ThreadFrees frees;
  std::vector<ThreadPart> parts{};  // most bytes first; empty: nobody asked
};

// Hears of an analysis whose sites are pairs of a group and a thread: who freed what of which group.
class GroupFreesVisitor : public ChunkVisitor {
 public:
  GroupFreesVisitor(const DomainSet& domains, const PairedSites& pairs) : domains_(domains), pairs_(pairs) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t, const Chunk& chunk, StackId site, const Release& release) override {
    if (!domains_.has(domain)) return;
    ThreadFrees& freer = frees[{release.thread, pairs_.pair_of(site).group}];
    ++freer.frees;
    freer.bytes_freed += chunk.size;
  }
  void open(uint16_t, uint64_t, const Chunk&, StackId, bool) override {}
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  std::map<std::pair<uint32_t, uint32_t>, ThreadFrees> frees;  // by thread and group

 private:
  const DomainSet domains_;
  const PairedSites& pairs_;
};

// By the index of the thread.
std::vector<std::vector<ThreadPart>> parts_of_threads(Trace& trace, const BlockGroups& groups, const DomainSet& domains,
                                                      ProgressSink* progress) {
  const PairedSites pairs(trace, groups, PairedSites::With::thread, progress);
  GroupFreesVisitor visitor(domains, pairs);
  const Analysis analysis = analyse(trace, &visitor, progress);
  std::map<std::pair<uint32_t, uint32_t>, ThreadPart> parts;
  const auto part_of = [&](uint32_t thread, uint32_t group) -> ThreadPart& {
    return parts.try_emplace({thread, group}, ThreadPart{group}).first->second;
  };
  if (const Account* const account = analysis.account(domains))
    for (const Site& site : account->sites.all()) {
      const PairedSites::Pair pair = pairs.pair_of(site.stack);
      part_of(pair.other, pair.group).site = site;
    }
  for (const auto& [key, frees] : visitor.frees) part_of(key.first, key.second).frees = frees;
  std::vector<std::vector<ThreadPart>> result(analysis.threads.size());
  for (auto& [key, part] : parts) result[key.first].push_back(part);
  for (std::vector<ThreadPart>& of_thread : result)
    std::stable_sort(of_thread.begin(), of_thread.end(), [](const ThreadPart& a, const ThreadPart& b) {
      return a.site.bytes_allocated > b.site.bytes_allocated;
    });
  return result;
}

constexpr size_t kThreadsTop = 30;
constexpr size_t kDefaultPairs = 20;
constexpr size_t kPartsTop = 10;  // of each thread

class ThreadReport {
 public:
  // `parts_by`: null without parts.
  ThreadReport(const Analysis& analysis, const Account* account, const SiteGroups& groups, const ThreadVisitor& visitor,
               const BlockGroups* parts_by, const std::vector<std::vector<ThreadPart>>& parts,
               const ReportOptions& options, Output& out)
      : analysis_(analysis),
        trace_(analysis.trace),
        account_(account),
        threads_(analysis.threads),
        options_(options),
        out_(out),
        parts_by_(parts_by),
        pairs_(visitor.pairs()) {
    for (size_t i = 0; i < threads_.size(); ++i)
      rows_.push_back({threads_[i], {}, visitor.frees[i], parts_by ? parts[i] : std::vector<ThreadPart>()});
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
  void print_line(const std::string& name, const Site& site, const ThreadFrees& frees) {
    out_.print("  {:<22} {:>12} {:>11} {:>12} {:>11} {:>11} {:>11}\n", name, format_count(site.allocations),
               format_bytes(site.bytes_allocated), format_count(frees.frees), format_bytes(site.open_bytes),
               format_bytes(site.at_peak_bytes), format_bytes(site.peak_bytes));
  }
  void print_parts(const ThreadRow& row);
  void put_sums(Json& entry, const Site& site, const ThreadFrees& frees) const;
  void print_csv_row(CsvTable& table, const ThreadRow& row, const Site& site, const ThreadFrees& frees,
                     const BlockGroups::Name& group) const;
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
  const BlockGroups* const parts_by_;
  std::vector<ThreadRow> rows_;
  std::vector<HandOver> pairs_;
};

void ThreadReport::print_parts(const ThreadRow& row) {
  const size_t shown = std::min(options_.top.value_or(kPartsTop), row.parts.size());
  for (size_t i = 0; i < shown; ++i) {
    const ThreadPart& part = row.parts[i];
    print_line("  " + name_line(parts_by_->name(part.group, threads_), 20), part.site, part.frees);
  }
  if (row.parts.size() > shown)
    out_.print("    ... {}\n", count_sites(row.parts.size() - shown, parts_by_->by(), "more "));
}

void ThreadReport::put_sums(Json& entry, const Site& site, const ThreadFrees& frees) const {
  entry["allocations"] = site.allocations;
  entry["bytes_allocated"] = site.bytes_allocated;
  entry["temporary"] = site.temporary;
  entry["frees"] = frees.frees;
  entry["bytes_freed"] = frees.bytes_freed;
  entry["open"] = {{"chunks", site.open_chunks}, {"bytes", site.open_bytes}};
  entry["peak"] = {{"bytes", site.peak_bytes}, {"time_ns", trace_.clock.ns_since_start(site.peak_ticks)}};
  entry["at_peak"] = {{"chunks", site.at_peak_chunks}, {"bytes", site.at_peak_bytes}};
}

void ThreadReport::print_csv_row(CsvTable& table, const ThreadRow& row, const Site& site, const ThreadFrees& frees,
                                 const BlockGroups::Name& group) const {
  table.row(row.thread.serial, row.thread.id, thread_name(trace_, row.thread), site.allocations, site.bytes_allocated,
            site.temporary, frees.frees, frees.bytes_freed, frees.orphans, site.open_chunks, site.open_bytes,
            site.peak_bytes, trace_.clock.ns_since_start(site.peak_ticks), site.at_peak_chunks, site.at_peak_bytes,
            group.name, group.module);
}

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
    print_line(label(rows_[i].thread, 22), rows_[i].site, rows_[i].frees);
    print_parts(rows_[i]);
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
    put_sums(entry, row.site, row.frees);
    entry["orphaned_frees"] = row.frees.orphans;
    for (const ThreadPart& part : row.parts) {
      Json of_group = {{"group", name_json(parts_by_->by(), parts_by_->name(part.group, threads_))}};
      put_sums(of_group, part.site, part.frees);
      entry["groups"].push_back(std::move(of_group));
    }
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
                        "at_peak_bytes", "group", "module"});
  const size_t shown = std::min(options_.top.value_or(SIZE_MAX), rows_.size());
  for (size_t i = 0; i < shown; ++i) {
    const ThreadRow& row = rows_[i];
    print_csv_row(table, row, row.site, row.frees, {});
    for (const ThreadPart& part : row.parts)
      print_csv_row(table, row, part.site, part.frees, parts_by_->name(part.group, threads_));
  }
}

}  // namespace

bool report_threads(Trace& trace, const ReportOptions& options, Output& out, ProgressSink* progress) {
  const auto domains = find_domains(trace, options.domain);
  if (!domains) return false;
  std::optional<BlockGroups> parts_by;
  std::vector<std::vector<ThreadPart>> parts;
  if (options.group != GroupBy::stack) {
    parts_by.emplace(trace, options.group, options.symbols);
    parts = parts_of_threads(trace, *parts_by, *domains, progress);
  }
  const SiteGroups groups(trace, GroupBy::thread, false);
  ThreadVisitor visitor(*domains);
  const Analysis analysis = analyse(trace, &visitor, progress);
  ThreadReport report(analysis, analysis.account(*domains), groups, visitor, parts_by ? &*parts_by : nullptr, parts,
                      options, out);
  if (options.json)
    report.print_json_document();
  else if (options.csv)
    report.print_csv();
  else
    report.print_text();
  return true;
}

}  // namespace memprof
