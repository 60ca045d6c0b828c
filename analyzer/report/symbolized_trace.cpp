#include "report/symbolized_trace.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <span>

#include "report/frames.h"
#include "symbols/stored_frames.h"
#include "trace/event_reader.h"
#include "trace/file_header.h"
#include "trace/new_trace_file.h"

namespace memprof {

using format::PageHeader;
using format::PageState;
using format::RecordHeader;
using format::SymbolDetail;
using format::SymbolModule;
using format::SymbolRecord;

namespace {

// The bytes of a payload that whole records take. Behind it lie TraceFile::kPayloadPadding more.
size_t whole_events(const TraceFile& file, const PageEntry& entry, std::span<const std::byte> payload) {
  EventReader reader;
  reader.start(payload, {entry.base_ticks, entry.lead_units, file.header().time_shift, file.header().size_bias});
  std::vector<Event> events(256);
  while (reader.read(events) != 0) {
  }
  return reader.bytes_read();
}

// A page as the reader sees it, which is what it was when the trace was opened: a live trace goes on.
void copy_page(const TraceFile& file, const PageEntry& entry, NewTraceFile& out) {
  std::vector<std::byte> bytes(sizeof(PageHeader) + entry.used);
  const size_t got = file.read_raw(entry.page, bytes);
  if (got < sizeof(PageHeader)) return;
  if (entry.state == PageState::open) {
    PageHeader head;
    std::memcpy(&head, bytes.data(), sizeof head);
    head.state = PageState::open;
    head.checksum = 0;
    head.used = entry.used;
    std::memcpy(bytes.data(), &head, sizeof head);
    // The file ends inside it. Zeros in place of what is missing would end an events page, or a record: both would hide
    // the loss. 1 is no event.
    if (got < bytes.size() && entry.kind == format::StreamKind::events) {
      bytes.resize(got + TraceFile::kPayloadPadding);
      bytes.resize(sizeof(PageHeader) +
                   whole_events(file, entry, std::span(bytes).subspan(sizeof(PageHeader), got - sizeof(PageHeader))));
      bytes.push_back(std::byte{1});
      const auto used = static_cast<uint32_t>(bytes.size() - sizeof(PageHeader));
      std::memcpy(bytes.data() + offsetof(PageHeader, used), &used, sizeof used);
    }
  }
  out.copy(entry.page, bytes);
}

void copy_pages(const TraceFile& file, NewTraceFile& out) {
  std::set<uint64_t> copied;
  for (const PageEntry& entry : file.pages()) {
    copy_page(file, entry, out);
    copied.insert(entry.page);
  }
  // Those of which nothing is known but that they are damaged.
  std::vector<std::byte> bytes(file.page_size());
  for (const uint64_t page : file.damage().page_numbers()) {
    if (copied.contains(page)) continue;
    out.copy(page, std::span(bytes).first(file.read_raw(page, bytes)));
  }
  if (file.page_count() > out.next_page()) out.copy(file.page_count() - 1, {});
}

template <class T>
void put(std::vector<std::byte>& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_varint(std::vector<std::byte>& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::byte>(value | 0x80));
  out.push_back(static_cast<std::byte>(value));
}

// Records in pages of one symbols stream.
class SymbolPages {
 public:
  SymbolPages(const TraceFile& file, NewTraceFile& out) : out_(out) {
    head_.kind = format::StreamKind::symbols;
    head_.stream_id = 1;
    // A trace that carries symbols already gets a second stream.
    for (const PageEntry& entry : file.pages())
      if (entry.kind == format::StreamKind::symbols) head_.stream_id = std::max(head_.stream_id, entry.stream_id + 1);
  }

  // A record of at most this size lies in one page.
  size_t room() const { return (out_.payload_capacity() & ~size_t{7}) - sizeof(RecordHeader); }

  void add(SymbolRecord type, std::span<const std::byte> payload) {
    if (payload.size() > left()) end_page();
    while (payload.size() > left()) {
      put_part(type, payload.first(left()), format::kRecordContinues);
      payload = payload.subspan(payload_of_part_);
      end_page();
    }
    put_part(type, payload, 0);
  }

  void end_page() {
    if (page_.empty()) return;
    out_.append(head_, page_);
    ++head_.sequence;
    page_.clear();
  }

 private:
  size_t left() const { return room() - std::min(room(), page_.size()); }

  void put_part(SymbolRecord type, std::span<const std::byte> part, uint16_t flags) {
    put(page_, RecordHeader{static_cast<uint16_t>(type), flags, static_cast<uint32_t>(part.size())});
    page_.insert(page_.end(), part.begin(), part.end());
    page_.resize((page_.size() + 7) & ~size_t{7});
    payload_of_part_ = part.size();
  }

  NewTraceFile& out_;
  PageHeader head_{};
  std::vector<std::byte> page_;
  size_t payload_of_part_ = 0;
};

SymbolDetail detail_of(ModuleSymbols::Detail detail) {
  switch (detail) {
    case ModuleSymbols::Detail::lines: return SymbolDetail::lines;
    case ModuleSymbols::Detail::symbols: return SymbolDetail::symbols;
    default: return SymbolDetail::none;
  }
}

void add_module(const FrameSource::ModuleSummary& module, SymbolPages& pages) {
  const bool is_jit = module.module_id == format::kNoModule;
  const std::string name = is_jit ? module.path : std::string();
  std::vector<std::byte> payload;
  put(payload, SymbolModule{module.module_id, detail_of(module.detail), static_cast<uint32_t>(name.size()),
                            static_cast<uint32_t>(module.problem.size())});
  put_text(payload, name);
  put_text(payload, module.problem);
  pages.add(SymbolRecord::module, payload);
}

// By module and address, one node for each. A node whose module has no record has no address to look up.
using Nodes = std::map<uint32_t, std::map<CodeAddress, StackId>>;

Nodes nodes_to_look_up(const Trace& trace, const FrameSource& source) {
  Nodes nodes;
  for (StackId id = format::kFirstNode; id < trace.nodes.id_limit(); ++id) {
    if (!trace.nodes.is_frame(id)) continue;
    const StackNode& node = trace.nodes.node(id);
    if (node.module != format::kNoModule && trace.modules.index_of(node.module) == Modules::kNone) continue;
    if (!source.is_embedded(node)) nodes[node.module].try_emplace({node.address, node.exact_address}, id);
  }
  return nodes;
}

// Each record holds as many addresses as fit into a page.
uint64_t add_frames(uint32_t module, const std::map<CodeAddress, StackId>& nodes, FrameSource& source,
                    SymbolPages& pages) {
  StoredFramesWriter writer;
  std::vector<std::byte> id;
  put_varint(id, module);
  const auto flush = [&] {
    if (writer.empty()) return;
    std::vector<std::byte> payload = id;
    const std::vector<std::byte> block = writer.take();
    payload.insert(payload.end(), block.begin(), block.end());
    pages.add(SymbolRecord::frames, payload);
  };
  for (const auto& [code, node] : nodes) {
    std::vector<SourceFrame> frames;
    for (const Frame& frame : source.frames(node, 1))
      frames.push_back({.function = frame.function, .file = frame.file, .line = frame.line, .inlined = frame.inlined});
    if (id.size() + writer.size_with(code, frames) > pages.room()) flush();
    writer.add(code, frames);
  }
  flush();
  return nodes.size();
}

}  // namespace

SymbolizedTrace write_symbolized_trace(const Trace& trace, const std::string& path, const SymbolOptions& options) {
  NewTraceFile out = NewTraceFile::create(path, trace.file.header());
  copy_pages(trace.file, out);

  FrameSource source(trace, options);
  source.prepare_all();
  const Nodes nodes = nodes_to_look_up(trace, source);
  // Modules come first, and of them is known what became of them when their frames were looked up.
  for (const auto& [module, of_module] : nodes)
    for (const auto& [code, node] : of_module) source.frames(node, 1);
  SymbolizedTrace made;
  made.problems = source.symbol_problems();
  SymbolPages pages(trace.file, out);
  for (const FrameSource::ModuleSummary& module : source.module_summaries())
    if (!module.is_embedded) add_module(module, pages);
  for (const auto& [module, of_module] : nodes) made.addresses += add_frames(module, of_module, source, pages);
  made.modules = nodes.size();
  pages.end_page();
  out.commit(trace.file.damage().missing_pages());
  return made;
}

}  // namespace memprof
