#include <nlohmann/json.hpp>

#include <map>
#include <string>

#include "report/escape.h"
#include "report/frame_text.h"
#include "report/numbers.h"
#include "report/reports.h"
#include "trace/event_reader.h"

namespace memprof {

namespace {

struct StreamUse {
  uint64_t streams = 0, pages = 0;
  uint64_t used = 0;   // payload and page headers
  uint64_t waste = 0;  // the rest of those pages
};

struct EventUse {
  uint64_t events = 0;                  // a realloc is one
  uint64_t allocations = 0, frees = 0;  // and one of each
  uint64_t payload = 0;
  std::map<std::string, uint64_t> by_function;
};

StreamUse count_streams(const TraceFile& file, format::StreamKind kind) {
  StreamUse use;
  for (StreamPages stream : file.streams(kind)) {
    ++use.streams;
    for (const PageEntry& page : stream) {
      ++use.pages;
      const uint64_t bytes = sizeof(format::PageHeader) + page.used;
      use.used += bytes;
      use.waste += file.page_size() - bytes;
    }
  }
  return use;
}

EventUse count_events(const Trace& trace) {
  const format::FileHeader& header = trace.file.header();
  EventUse use;
  std::vector<uint64_t> by_tag(size_t{UINT16_MAX} + 1);
  std::vector<std::byte> buffer;
  std::vector<Event> events(256);
  EventReader reader;
  for (StreamPages stream : trace.file.streams(format::StreamKind::events)) {
    for (const PageEntry& page : stream) {
      std::span<const std::byte> payload;
      if (!trace.file.read_page(page, buffer, payload)) continue;
      reader.start(payload, {page.base_ticks, page.lead_units, header.time_shift, header.size_bias});
      while (const size_t count = reader.read(events)) {
        for (const Event& event : std::span(events).first(count)) {
          const bool is_free = event.kind == EventKind::release;
          (is_free ? use.frees : use.allocations) += 1;
          if (event.continues) continue;
          ++use.events;
          ++by_tag[event.tag];
        }
      }
      if (reader.is_damaged()) trace.file.damage().add_page(page.page, "an event does not decode");
      use.payload += reader.bytes_read();
    }
  }
  for (size_t tag = 0; tag < by_tag.size(); ++tag)
    if (by_tag[tag] != 0) use.by_function[trace.domains.tag_name(static_cast<uint16_t>(tag))] += by_tag[tag];
  return use;
}

constexpr std::pair<const char*, format::StreamKind> kKinds[] = {
    {"events", format::StreamKind::events},   {"stacks", format::StreamKind::stacks},
    {"modules", format::StreamKind::modules}, {"metadata", format::StreamKind::metadata},
    {"samples", format::StreamKind::samples}, {"snapshot", format::StreamKind::snapshot},
    {"symbols", format::StreamKind::symbols},
};

double divide(double a, uint64_t b) { return b == 0 ? 0 : a / static_cast<double>(b); }

}  // namespace

// Bytes for an alloc+free pair: all bytes of events pages that are in use, page headers included, divided by the
// allocations and frees in them, times two. Stack nodes are in other streams, so new stacks are excluded.
void report_dump_stats(const Trace& trace, const ReportOptions& options, Output& out) {
  const TraceFile& file = trace.file;
  const EventUse events = count_events(trace);
  const StreamUse event_pages = count_streams(file, format::StreamKind::events);
  const double bytes_per_event = divide(static_cast<double>(event_pages.used), events.events);
  const double bytes_per_pair = 2 * divide(static_cast<double>(event_pages.used), events.allocations + events.frees);
  const double whole_pages_per_pair =
      2 * divide(static_cast<double>(event_pages.used + event_pages.waste), events.allocations + events.frees);
  const double file_per_pair = 2 * divide(static_cast<double>(file.size_bytes()), events.allocations + events.frees);

  if (options.json) {
    Json document = {{"schema", "memprof.dump-stats/1"},
                     {"file_bytes", file.size_bytes()},
                     {"compressed", file.is_compressed()},
                     {"pages", file.page_count()},
                     {"unwritten_pages", file.unwritten_pages()}};
    for (const auto& [name, kind] : kKinds) {
      const StreamUse use = count_streams(file, kind);
      document["streams"][name] = {
          {"streams", use.streams}, {"pages", use.pages}, {"used_bytes", use.used}, {"wasted_bytes", use.waste}};
    }
    document["events"] = events.events;
    document["allocations"] = events.allocations;
    document["frees"] = events.frees;
    Json& by_function = document["events_by_function"] = Json::object();
    for (const auto& [name, count] : events.by_function) by_function[to_utf8(name)] = count;
    document["stack_nodes"] = trace.nodes.node_count();
    document["bytes_per_event"] = bytes_per_event;
    document["bytes_per_pair"] = bytes_per_pair;
    document["bytes_per_pair_whole_pages"] = whole_pages_per_pair;
    document["file_bytes_per_pair"] = file_per_pair;
    document["damaged_pages"] = file.damage().pages();
    print_json(out, document);
    return;
  }

  out.print("{}{} in {}, {} never written\n\n", format_bytes(file.size_bytes()),
            file.is_compressed() ? " compressed," : "", count_of(file.page_count(), "page", "pages"),
            format_count(file.unwritten_pages()));
  out.print("  {:<10} {:>8} {:>10} {:>14} {:>8} {:>12}\n", "kind", "streams", "pages", "bytes used", "fill", "waste");
  for (const auto& [name, kind] : kKinds) {
    const StreamUse use = count_streams(file, kind);
    if (use.pages == 0) continue;
    out.print("  {:<10} {:>8} {:>10} {:>14} {:>8} {:>12}\n", name, format_count(use.streams), format_count(use.pages),
              format_count(use.used),
              format_share(static_cast<double>(use.used), static_cast<double>(use.used + use.waste)),
              format_bytes(use.waste));
  }
  out.print("\n  {:<24} {:>14}\n", "events", format_count(events.events));
  for (const auto& [name, count] : events.by_function)
    out.print("    {:<22} {:>14}\n", escape_text(name), format_count(count));
  out.print("  {:<24} {:>14}\n", "stack nodes", format_count(trace.nodes.node_count()));
  out.print("  {:<24} {:>14.2f}\n", "bytes an event", bytes_per_event);
  out.print("  {:<24} {:>14.2f}   page headers included, new stacks excluded ({:.2f} with unused page ends)\n",
            "bytes an alloc+free pair", bytes_per_pair, whole_pages_per_pair);
  if (file.is_compressed()) out.print("  {:<24} {:>14.2f}   all of the compressed file\n", "", file_per_pair);
}

}  // namespace memprof
