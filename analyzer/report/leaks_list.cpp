#include "report/leaks_list.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "report/csv.h"
#include "report/escape.h"
#include "report/numbers.h"
#include "report/site_list.h"

namespace memprof {

namespace {

constexpr size_t kLeaksTop = 20;
constexpr size_t kLeaksFrames = 32;

}  // namespace

void print_leak_list_text(const Trace& trace, const LeakList& list, const ReportOptions& options, Output& out) {
  FrameSource source(trace, options.symbols);
  const StackStyle style = stack_style(options, kLeaksFrames);
  const size_t shown = std::min(options.top.value_or(kLeaksTop), list.sites.size());
  source.prepare_each(std::span(list.sites).first(shown), &LeakSite::stack, style.max_frames + 64);
  for (size_t i = 0; i < shown; ++i) {
    const LeakSite& site = list.sites[i];
    out.print("{}  {}, in {}, {}\n", format_bytes(site.bytes),
              format_share(static_cast<double>(site.bytes), static_cast<double>(list.bytes)),
              count_of(site.blocks, "block", "blocks"), escape_text(trace.domains.tag_name(site.tag)));
    if (site.blocks == 1)
      out.print("     allocated at {}, {} old\n", format_duration(site.first_ns),
                format_duration(list.end_ns - std::min(site.first_ns, list.end_ns)));
    else
      out.print("     allocated from {} to {}, the oldest is {} old\n", format_duration(site.first_ns),
                format_duration(site.last_ns), format_duration(list.end_ns - std::min(site.first_ns, list.end_ns)));
    print_stack(out, trace, source, site.stack, style);
    out.print("\n");
  }
  if (shown < list.sites.size()) {
    uint64_t rest = 0;
    for (size_t i = shown; i < list.sites.size(); ++i) rest += list.sites[i].bytes;
    out.print("... and {} with {} (--top 0 shows all)\n",
              count_of(list.sites.size() - shown, "other stack", "other stacks"), format_bytes(rest));
  }
}

void print_leak_list_json(const Trace& trace, const LeakList& list, const Json& extra, const ReportOptions& options,
                          Output& out) {
  FrameSource source(trace, options.symbols);
  Json document = {{"schema", "memprof.leaks/1"},
                   {"by", "open"},
                   {"domain", to_utf8(options.domain)},
                   {"complete", trace.file.complete()}};
  document.update(extra);
  document["total"] = list.bytes;
  document["blocks"] = list.blocks;
  document["sites"] = list.sites.size();
  const size_t shown = std::min(options.top.value_or(SIZE_MAX), list.sites.size());
  source.prepare_each(std::span(list.sites).first(shown), &LeakSite::stack,
                      options.max_frames.value_or(StackNodes::kMaxFrames));
  Json& stacks = document["stacks"] = Json::array();
  for (const LeakSite& site : list.sites) {
    if (stacks.size() == options.top.value_or(SIZE_MAX)) break;
    Json entry = {{"allocator", to_utf8(trace.domains.tag_name(site.tag))},
                  {"open", {{"chunks", site.blocks}, {"bytes", site.bytes}}},
                  {"first_alloc_ns", site.first_ns},
                  {"last_alloc_ns", site.last_ns},
                  {"truncated", trace.nodes.is_truncated(site.stack)}};
    put_stack(entry, "stack", source, site.stack, options);
    stacks.push_back(std::move(entry));
  }
  print_json(out, document);
}

void print_leak_list_csv(const Trace& trace, const LeakList& list, const ReportOptions& options, Output& out) {
  FrameSource source(trace, options.symbols);
  out.write("bytes,blocks,first_alloc_ns,last_alloc_ns,allocator,truncated,stack\r\n");
  const auto shown = std::span(list.sites).first(std::min(options.top.value_or(SIZE_MAX), list.sites.size()));
  source.prepare_each(shown, &LeakSite::stack, shown_limit(options));
  for (const LeakSite& site : shown) {
    out.print("{},{},{},{},{},{},{}\r\n", site.bytes, site.blocks, site.first_ns, site.last_ns,
              csv_field(trace.domains.tag_name(site.tag)), trace.nodes.is_truncated(site.stack),
              csv_field(joined_stack(source, site.stack, options)));
  }
}

}  // namespace memprof
