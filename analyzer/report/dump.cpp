#include <iterator>
#include <string>

#include "report/ending.h"
#include "report/escape.h"
#include "report/reports.h"
#include "trace/event_reader.h"
#include "trace/snapshots.h"

namespace memprof {

namespace {

const char* kind_name(format::StreamKind kind) {
  switch (kind) {
    case format::StreamKind::events: return "events";
    case format::StreamKind::stacks: return "stacks";
    case format::StreamKind::modules: return "modules";
    case format::StreamKind::metadata: return "metadata";
    case format::StreamKind::samples: return "samples";
    case format::StreamKind::snapshot: return "snapshot";
    case format::StreamKind::symbols: return "symbols";
  }
  return "unknown";
}

std::string flag_names(uint32_t flags) {
  static constexpr const char* kNames[] = {"fork_child", "late_start", "filtered", "free_stacks"};
  std::string names;
  for (uint32_t bit = 0; bit < 32; ++bit)
    if (flags & (1u << bit))
      names += (names.empty() ? "" : " ") + (bit < 4 ? std::string(kNames[bit]) : fmt::format("bit_{}", bit));
  return names.empty() ? "none" : names;
}

void dump_header(const Trace& trace, Output& out) {
  const TraceFile& file = trace.file;
  const format::FileHeader& h = file.header();
  out.print("header\n  version {}  page_size {}  pages {}  file_bytes {}\n", h.format_version, h.page_size,
            file.page_count(), file.size_bytes());
  out.print("  pid {}  parent {}  process_start {}  machine {}  memory_page_size {}\n", h.pid, h.parent_pid,
            h.process_start, h.machine, h.memory_page_size);
  out.print("  clock {}  ticks_per_second {:.0f} (nominal {})  time_shift {}  size_bias {}  max_depth {}\n",
            h.clock == format::Clock::tsc ? "tsc" : "monotonic", trace.clock.ticks_per_second(),
            h.nominal_ticks_per_second, h.time_shift, h.size_bias, h.max_depth);
  out.print("  start {} ticks, {} ns monotonic, {} ns realtime\n", h.start_ticks, h.start_monotonic_ns,
            h.start_realtime_ns);
  out.print("  end {} ticks, {} ns monotonic, {}  fork {}\n", h.end_ticks, h.end_monotonic_ns, ending_name(file),
            h.fork_ticks);
  out.print("  flags {}  live_flags {}  invalid {}  closed {}\n", flag_names(h.flags), flag_names(h.live_flags),
            h.invalid, (h.page_count & format::kPageCountClosed) != 0);
  out.print("  stopped {}  nodes {}  threads {}  verify {} checked {} different\n",
            h.stopped == 0 ? "no" : drop_cause_name(h.stopped - 1), h.node_count, h.thread_count, h.verify_checked,
            h.verify_mismatches);
  out.print("  recorder {} bytes resident at the end, {} pages begun\n", h.recorder_bytes, h.begun_pages);
  for (uint32_t cause = 0; cause < format::kDropCauses; ++cause)
    if (h.dropped_events[cause] != 0) out.print("  dropped {} {}\n", drop_cause_name(cause), h.dropped_events[cause]);
}

void dump_pages(const Trace& trace, Output& out) {
  out.write("pages\n");
  for (const PageEntry& page : trace.file.pages())
    out.print("  page {:<7} {:<8} stream {:<5} sequence {:<6} thread {} ({})  {}  used {:<6} base {} ns\n", page.page,
              kind_name(page.kind), page.stream_id, page.sequence, page.thread_serial, page.thread_id,
              page.state == format::PageState::sealed ? "sealed" : "open  ", page.used,
              trace.clock.ns_since_start(page.base_ticks));
}

void dump_metadata(const Trace& trace, Output& out) {
  const Metadata& m = trace.metadata;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.print("  {} {}\n", name, escape_text(value));
  };
  out.write("metadata\n");
  for (const std::string& argument : m.command) out.print("  argument {}\n", quote_argument(argument));
  line("executable", m.executable);
  line("directory", m.directory);
  for (const std::string& setting : m.settings) line("setting", setting);
  line("parent_trace", m.parent_trace);
  line("library", m.library);
  for (const Metadata::Mark& mark : m.marks)
    out.print("  mark {} ns thread {} {}\n", trace.clock.ns_since_start(mark.ticks), mark.thread_serial,
              escape_text(mark.name));
  const auto limit = [](uint64_t most) { return most == UINT64_MAX ? std::string("any") : std::to_string(most); };
  for (const Metadata::ScopeStep& step : m.scope_steps) {
    const uint64_t time = trace.clock.ns_since_start(step.ticks);
    if (step.is_begin)
      out.print("  scope_begin {} ns thread {} bytes {} blocks {} {}\n", time, step.thread_serial,
                limit(step.max_leaked_bytes), limit(step.max_leaked_blocks), escape_text(step.name));
    else
      out.print("  scope_end {} ns thread {}\n", time, step.thread_serial);
  }
  for (const Metadata::ProgramStart& program : m.program_starts)
    out.print("  program_start{} {} ns process {} {}\n", program.has_failed ? "_failed" : "",
              trace.clock.ns_since_start(program.ticks), program.pid, escape_text(program.name));
  for (const Metadata::ThreadName& name : m.thread_names)
    out.print("  thread {} ({}) {}\n", name.thread_serial, name.thread_id, escape_text(name.name));
  for (const Metadata::Domain& domain : m.domains)
    out.print("  domain {} {}\n", domain.domain, escape_text(domain.name));
  for (const Metadata::Function& function : m.functions)
    out.print("  function {} domain {} family {} {}\n", function.tag, function.domain, function.family,
              escape_text(function.name));
  for (const Metadata::Type& type : m.types) out.print("  type {} {}\n", type.type, escape_text(type.name));
  for (const Metadata::Tag& tag : m.tags)
    out.print("  tag {} function {} domain {} {}\n", tag.tag, tag.function, tag.domain, escape_text(tag.name));
}

void dump_modules(const Trace& trace, Output& out) {
  out.write("modules\n");
  for (const Module& module : trace.modules.all()) {
    std::string build_id;
    for (std::byte byte : module.build_id) build_id += fmt::format("{:02x}", static_cast<unsigned>(byte));
    out.print(
        "  module {} [{:#x}, {:#x}) bias {:#x} met {} ns{} build-id {} {}\n", module.id, module.start, module.end,
        module.load_bias, trace.clock.ns_since_start(module.load_ticks),
        module.unload_ticks != 0 ? fmt::format(" unloaded {} ns", trace.clock.ns_since_start(module.unload_ticks)) : "",
        build_id.empty() ? "none" : build_id, escape_text(module.path));
  }
}

void dump_nodes(const Trace& trace, Output& out) {
  out.write("nodes\n");
  for (StackId id = format::kFirstNode; id < trace.nodes.id_limit(); ++id) {
    if (!trace.nodes.is_frame(id)) continue;
    const StackNode& node = trace.nodes.node(id);
    const StackId canonical = trace.nodes.canonical(id);
    out.print("  node {} parent {} module {} {:#x}{}{}{}\n", id, node.parent, node.module, node.address,
              node.exact_address ? " exact" : "", canonical != id ? fmt::format(" equals {}", canonical) : "",
              trace.nodes.is_truncated(id) ? " truncated" : "");
  }
}

void dump_event(const Trace& trace, const Event& event, bool is_second_half, Output& out) {
  const char* what = event.kind == EventKind::release ? "free " : is_second_half ? "alloc*" : "alloc";
  out.print("  {:>13} ns  {:<6} {:#014x}", trace.clock.ns_since_start(event.ticks), what, event.address);
  if (event.kind == EventKind::allocation || event.size != 0) out.print("  size {}", event.size);
  if (event.stack != format::kNoStack) out.print("  stack {}", event.stack);
  out.print("  {}\n", escape_text(trace.domains.tag_name(event.tag)));
}

void dump_events(const Trace& trace, Output& out) {
  const format::FileHeader& header = trace.file.header();
  std::vector<std::byte> buffer;
  std::vector<Event> events(256);
  EventReader reader;
  for (StreamPages stream : trace.file.streams(format::StreamKind::events)) {
    for (const PageEntry& page : stream) {
      out.print("events of page {}, stream {}, thread {}\n", page.page, page.stream_id, page.thread_serial);
      std::span<const std::byte> payload;
      if (!trace.file.read_page(page, buffer, payload)) {
        out.write("  (damaged, skipped)\n");
        continue;
      }
      reader.start(payload, {page.base_ticks, page.lead_units, header.time_shift, header.size_bias});
      while (const size_t count = reader.read(events))
        for (const Event& event : std::span(events).first(count)) dump_event(trace, event, event.continues, out);
      if (!reader.is_damaged()) continue;
      trace.file.damage().add_page(page.page, "an event does not decode");
      out.print("  (does not decode from byte {})\n", reader.bytes_read());
    }
  }
}

class SnapshotDump : public SnapshotVisitor {
 public:
  SnapshotDump(const Trace& trace, Output& out) : trace_(trace), out_(out) {}

  void begin(const format::SnapshotBegin& begin) override {
    say_if_cut();
    is_open_ = true;
    out_.print("  snapshot {} at {} ns  threads {}\n", reason_name(begin.reason),
               trace_.clock.ns_since_start(begin.ticks), begin.threads);
  }
  void thread(const format::SnapshotThread& thread) override {
    out_.print("    thread {} {}  stack {:#x}  control block {:#x}  registers", thread.thread_id,
               state_name(thread.state), thread.stack_pointer, thread.thread_pointer);
    size_t count = std::size(thread.registers);
    while (count != 0 && thread.registers[count - 1] == 0) --count;
    for (size_t i = 0; i < count; ++i) out_.print(" {:#x}", thread.registers[i]);
    out_.write("\n");
  }
  void range(const format::SnapshotRange& range) override {
    out_.print("    range [{:#x}, {:#x}) {}{}\n", range.start, range.end,
               range.flags & format::kRangeAboveGuard ? "above_guard " : "", kind_name(range.kind));
  }
  void word(uint64_t address, uint64_t value) override { out_.print("      {:#x}  {:#x}\n", address, value); }
  void vtable(uint64_t address) override { out_.print("      vtable {:#x}\n", address); }
  void length(uint64_t address, uint64_t value) override { out_.print("      length {:#x}  {}\n", address, value); }
  void end(const format::SnapshotEnd& end) override {
    is_open_ = false;
    out_.print("    end  words {}  scanned {} bytes  held {} ns  took {} ns\n", end.words, end.bytes_scanned,
               end.pause_ns, end.took_ns);
  }

  // After the last.
  void say_if_cut() {
    if (is_open_) out_.write("    not whole\n");
  }

 private:
  static const char* reason_name(format::SnapshotReason reason) {
    switch (reason) {
      case format::SnapshotReason::exit: return "exit";
      case format::SnapshotReason::call: return "call";
      case format::SnapshotReason::signal: return "signal";
    }
    return "unknown";
  }
  static const char* state_name(format::SnapshotThreadState state) {
    switch (state) {
      case format::SnapshotThreadState::taking: return "taking";
      case format::SnapshotThreadState::stopped: return "stopped";
      case format::SnapshotThreadState::unseen: return "unseen";
    }
    return "unknown";
  }
  static const char* kind_name(format::SnapshotRangeKind kind) {
    switch (kind) {
      case format::SnapshotRangeKind::anonymous: return "anonymous";
      case format::SnapshotRangeKind::program_break: return "program_break";
      case format::SnapshotRangeKind::main_stack: return "main_stack";
      case format::SnapshotRangeKind::file: return "file";
      case format::SnapshotRangeKind::shared: return "shared";
    }
    return "unknown";
  }

  const Trace& trace_;
  Output& out_;
  bool is_open_ = false;
};

void dump_snapshots(const Trace& trace, Output& out) {
  out.write("snapshots\n");
  SnapshotDump dump(trace, out);
  visit_snapshots(trace.file, dump);
  dump.say_if_cut();
}

}  // namespace

void report_dump(const Trace& trace, const DumpSections& chosen, Output& out) {
  const bool all = !chosen.any();
  if (all || chosen.header) dump_header(trace, out);
  if (all || chosen.metadata) dump_metadata(trace, out);
  if (all || chosen.pages) dump_pages(trace, out);
  if (all || chosen.modules) dump_modules(trace, out);
  if (all || chosen.nodes) dump_nodes(trace, out);
  if (all || chosen.events) dump_events(trace, out);
  if (all || chosen.snapshots) dump_snapshots(trace, out);
}

}  // namespace memprof
