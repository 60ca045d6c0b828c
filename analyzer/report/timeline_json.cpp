#include <nlohmann/json.hpp>

#include "report/escape.h"
#include "report/selection_text.h"
#include "report/site_list.h"
#include "report/timeline_formats.h"

namespace memprof {

namespace {

template <class Get>
Json column(const TimelineSeries& series, Get get) {
  Json values = Json::array();
  for (const TimelineInterval& interval : series) values.push_back(get(interval));
  return values;
}

// An array a number, so that a plot takes it as it is.
Json series_json(const TimelineSeries& series) {
  using I = TimelineInterval;
  return {{"open_bytes", column(series, [](const I& i) { return i.bytes; })},
          {"open_chunks", column(series, [](const I& i) { return i.chunks; })},
          {"max_bytes", column(series, [](const I& i) { return i.max_bytes; })},
          {"min_bytes", column(series, [](const I& i) { return i.min_bytes; })},
          {"max_chunks", column(series, [](const I& i) { return i.max_chunks; })},
          {"min_chunks", column(series, [](const I& i) { return i.min_chunks; })},
          {"allocations", column(series, [](const I& i) { return i.allocations; })},
          {"bytes_allocated", column(series, [](const I& i) { return i.bytes_allocated; })}};
}

template <class Get>
Json rates_json(const Timeline& timeline, Get get) {
  Json values = Json::array();
  for (size_t i = 0; i < timeline.size(); ++i) values.push_back(timeline.per_second(get(timeline.total[i]), i));
  return values;
}

Json number_or_null(uint64_t value) { return value == format::kNotSampled ? Json(nullptr) : Json(value); }

Json sample_json(const Timeline::SamplePoint& point) {
  const format::MemorySample& sample = *point.sample;
  return {{"time_ns", point.time_ns},
          {"took_ns", sample.took_ns},
          {"virtual_bytes", number_or_null(sample.virtual_bytes)},
          {"resident_bytes", number_or_null(point.resident_bytes())},
          {"file_bytes", number_or_null(sample.file_bytes)},
          {"proportional_bytes", number_or_null(sample.proportional_bytes)},
          {"shared_clean_bytes", number_or_null(sample.shared_clean_bytes)},
          {"shared_dirty_bytes", number_or_null(sample.shared_dirty_bytes)},
          {"private_clean_bytes", number_or_null(sample.private_clean_bytes)},
          {"private_dirty_bytes", number_or_null(sample.private_dirty_bytes)},
          {"referenced_bytes", number_or_null(sample.referenced_bytes)},
          {"anonymous_bytes", number_or_null(sample.anonymous_bytes)},
          {"swap_bytes", number_or_null(sample.swap_bytes)}};
}

}  // namespace

void print_timeline_json(const Timeline& timeline, const ReportOptions& options, Output& out) {
  const Analysis& analysis = timeline.analysis;
  const Trace& trace = analysis.trace;
  const Sites* sites = timeline.account ? &timeline.account->sites : nullptr;
  Json document = {{"schema", "memprof.timeline/1"},    {"domain", to_utf8(options.domain)},
                   {"complete", trace.file.complete()}, {"duration_ns", analysis.duration_ns()},
                   {"end_ns", timeline.to_ns},          {"points", timeline.size()},
                   {"group", group_name(options.group)}};
  put_selection(document, analysis, options, timeline.account);
  document["peak"] = {{"bytes", sites ? sites->peak_bytes() : 0},
                      {"chunks", sites ? sites->peak_chunks() : 0},
                      {"time_ns", sites ? trace.clock.ns_since_start(sites->peak_ticks()) : 0},
                      {"interval", timeline.peak_interval}};
  document["open"] = {{"chunks", sites ? sites->open_chunks() : 0}, {"bytes", sites ? sites->open_bytes() : 0}};
  document["begin_ns"] = timeline.begin_ns;
  document["series"] = series_json(timeline.total);
  document["allocations_per_s"] = rates_json(timeline, [](const TimelineInterval& i) { return i.allocations; });
  document["bytes_per_s"] = rates_json(timeline, [](const TimelineInterval& i) { return i.bytes_allocated; });
  Json& samples = document["samples"] = Json::array();
  for (const Timeline::SamplePoint& point : timeline.samples) samples.push_back(sample_json(point));
  Json& marks = document["marks"] = Json::array();
  for (const Timeline::MarkPoint& mark : timeline.marks)
    marks.push_back({{"time_ns", mark.time_ns},
                     {"interval", mark.interval},
                     {"name", to_utf8(mark.mark->name)},
                     {"thread", mark.mark->thread_serial}});

  FrameSource source(trace, options.symbols);
  document["sites"] = timeline.all_sites;
  Json& stacks = document["stacks"] = Json::array();
  for (const Timeline::Part& part : timeline.sites) {
    const Site& site = (*sites)[part.index];
    Json entry = {{"allocator", to_utf8(trace.domains.tag_name(site.tag))},
                  {"at_peak", {{"chunks", site.at_peak_chunks}, {"bytes", site.at_peak_bytes}}},
                  {"open", {{"chunks", site.open_chunks}, {"bytes", site.open_bytes}}},
                  {"peak", {{"bytes", site.peak_bytes}, {"time_ns", trace.clock.ns_since_start(site.peak_ticks)}}},
                  {"series", series_json(part.series)}};
    if (timeline.groups)
      entry["group"] = group_json(analysis, *timeline.groups, site.stack);
    else
      put_stack(entry, "stack", source, site.stack, options);
    stacks.push_back(std::move(entry));
  }
  if (timeline.groups) document["rest"] = {{"series", series_json(timeline.rest)}};
  document["contributing_threads"] = timeline.all_threads;
  Json& threads = document["threads"] = Json::array();
  for (const Timeline::Part& part : timeline.threads) {
    const Thread& thread = analysis.threads[part.index];
    threads.push_back({{"serial", thread.serial},
                       {"id", thread.id},
                       {"name", to_utf8(thread_name(trace, thread.serial))},
                       {"at_peak_bytes", part.at_peak_bytes},
                       {"open_bytes", part.open_bytes},
                       {"series", series_json(part.series)}});
  }
  print_json(out, document);
}

}  // namespace memprof
