#include <nlohmann/json.hpp>

#include "report/ending.h"
#include "report/escape.h"
#include "report/mismatches.h"
#include "report/reports.h"
#include "report/selection_text.h"
#include "report/site_json.h"
#include "report/site_list.h"
#include "report/untaken_types.h"

namespace memprof {

namespace {

Json stripped_json(const format::Stripped& stripped) {
  return {{"allocations", stripped.allocations}, {"bytes", stripped.bytes}, {"frees", stripped.frees}};
}

Json trace_json(const Analysis& analysis) {
  const TraceFile& file = analysis.trace.file;
  const format::FileHeader& header = file.header();
  Json command = Json::array();
  for (const std::string& argument : analysis.trace.metadata.command) command.push_back(to_utf8(argument));
  Json warnings = Json::array();
  for (const std::string& line : file.damage().warnings()) warnings.push_back(to_utf8(line));
  return {{"format_version", header.format_version},
          {"pid", header.pid},
          {"command", command},
          {"executable", to_utf8(analysis.trace.metadata.executable)},
          {"duration_ns", analysis.duration_ns()},
          {"threads", analysis.threads.size()},
          {"events", analysis.pairing.event_count()},
          {"bytes", file.size_bytes()},
          {"compressed", file.is_compressed()},
          {"stripped", stripped_json(analysis.trace.metadata.stripped)},
          {"complete", file.complete()},
          {"end", ending_name(file)},
          {"stopped", header.stopped == 0 ? Json() : Json(drop_cause_name(header.stopped - 1))},
          {"dropped_events", dropped_events(file)},
          {"damaged_pages", file.damage().pages()},
          {"recorder_memory_bytes", header.recorder_bytes == 0 ? Json() : Json(header.recorder_bytes)},
          {"warnings", warnings}};
}

Json dropped_json(const TraceFile& file) {
  Json dropped = Json::object();
  for (uint32_t cause = 0; cause < format::kDropCauses; ++cause)
    if (const uint64_t count = file.header().dropped_events[cause]; count != 0) dropped[drop_cause_name(cause)] = count;
  return dropped;
}

Json misuses_json(const Trace& trace) {
  const TraceFile& file = trace.file;
  Json misuses = Json::object();
  for (uint32_t misuse = 0; misuse < format::kMisuses; ++misuse)
    if (const uint32_t count = file.header().misuses[misuse]; count != 0) misuses[misuse_name(misuse)] = count;
  if (const uint64_t types = untaken_types(trace); types != 0) misuses["type_without_block"] = types;
  return misuses;
}

// All but the one that the document is about; all where it is about several.
Json domains_json(const Analysis& analysis, const DomainSet& about) {
  Json domains = Json::object();
  const auto& all = analysis.trace.domains.all();
  for (size_t index = 0; index < all.size(); ++index) {
    const Account* account = analysis.pairing.account(static_cast<uint16_t>(index));
    if (index != about.only() && account) put_account(domains[to_utf8(all[index].name)], analysis, account);
  }
  return domains;
}

Json mismatches_json(const Analysis& analysis, FrameSource& source, const ConfirmedMismatches& mismatches, size_t top,
                     const ReportOptions& options) {
  Json array = Json::array();
  for (const MismatchGroup& group : mismatches.groups) {
    if (array.size() == top) break;
    Json entry = {{"allocator", to_utf8(analysis.trace.domains.tag_name(group.alloc_tag))},
                  {"free_function", to_utf8(analysis.trace.domains.tag_name(group.free_tag))},
                  {"count", group.count},
                  {"bytes", group.bytes}};
    put_stack(entry, "stack", source, group.alloc_stack, options);
    put_stack(entry, "free_stack", source, group.free_stack, options);
    array.push_back(std::move(entry));
  }
  return array;
}

Json double_allocations_json(const Analysis& analysis, FrameSource& source, size_t top, const ReportOptions& options) {
  Json array = Json::array();
  for (const DoubleAllocationGroup& group : analysis.pairing.findings().double_allocations()) {
    if (array.size() == top) break;
    Json entry = {{"count", group.count}, {"address", fmt::format("{:#x}", group.address)}};
    put_stack(entry, "first_stack", source, group.first_stack, options);
    put_stack(entry, "second_stack", source, group.second_stack, options);
    array.push_back(std::move(entry));
  }
  return array;
}

}  // namespace

bool report_summary_json(const Analysis& analysis, const ReportOptions& options, Output& out,
                         const GroupedSums* grouped) {
  const auto domains = find_domains(analysis.trace, options.domain);
  if (!domains) return false;
  const size_t top = options.top.value_or(kSummaryTop);
  FrameSource source(analysis.trace, options.symbols);
  const ConfirmedMismatches mismatches = confirm_mismatches(analysis, source);
  const Account* account = analysis.account(*domains);

  Json document = {{"schema", "memprof.summary/1"}, {"trace", trace_json(analysis)}};
  put_selection(document, analysis, options, account);
  document["domain"] = to_utf8(options.domain);
  put_account(document, analysis, account);
  document["mismatched_frees"] = mismatches.count;
  document["verify"] = {{"checked", analysis.trace.file.header().verify_checked},
                        {"mismatches", analysis.trace.file.header().verify_mismatches}};
  document["dropped"] = dropped_json(analysis.trace.file);
  document["client_api_misuse"] = misuses_json(analysis.trace);
  document["domains"] = domains_json(analysis, *domains);
  document["group"] = group_name(options.group);
  Json& tops = document["top"] = Json::object();
  const Analysis& listed = grouped ? grouped->analysis : analysis;
  const Account* const listed_account = listed.account(*domains);
  for (RankBy by : {RankBy::open, RankBy::at_peak, RankBy::allocated, RankBy::temporary}) {
    Json& list = tops[rank_info(by).name] = Json::array();
    if (!listed_account) continue;
    const auto sites = ranked_sites(*listed_account, by, top);
    if (!grouped) source.prepare_each(sites, &Site::stack, options.max_frames.value_or(StackNodes::kMaxFrames));
    for (const Site* site : sites)
      list.push_back(listed_site_json(listed, grouped ? grouped->groups.get() : nullptr, source, *site, options));
  }
  document["mismatched_free_stacks"] = mismatches_json(analysis, source, mismatches, top, options);
  document["double_allocation_stacks"] = double_allocations_json(analysis, source, top, options);
  document["missing_symbols"] = Json::array();
  for (const std::string& line : source.symbol_problems()) document["missing_symbols"].push_back(to_utf8(line));
  print_json(out, document);
  return true;
}

}  // namespace memprof
