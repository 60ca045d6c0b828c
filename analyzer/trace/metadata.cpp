#include "trace/metadata.h"

#include <algorithm>

#include "trace/byte_reader.h"
#include "trace/record_reader.h"
#include "trace/text_bytes.h"

namespace memprof {

using format::MetadataRecord;

namespace {

std::vector<std::string> split_at_zeros(std::span<const std::byte> bytes) {
  std::vector<std::string> result;
  while (!bytes.empty()) {
    result.push_back(text_of(bytes));
    bytes = bytes.subspan(std::min(result.back().size() + 1, bytes.size()));
  }
  return result;
}

// Reads a fixed head, then the name that follows it. False when the payload is too short.
template <class Head>
bool split_name(std::span<const std::byte> payload, Head& head, std::string& name) {
  ByteReader reader(payload);
  if (!reader.read(head)) return false;
  std::span<const std::byte> rest;
  if (!reader.take(reader.remaining(), rest)) return false;
  name = text_of(rest);
  return true;
}

void take_back(std::vector<Metadata::ProgramStart>& starts, uint32_t pid) {
  const auto last = std::find_if(starts.rbegin(), starts.rend(), [pid](const Metadata::ProgramStart& start) {
    return start.pid == pid && !start.has_failed;
  });
  if (last != starts.rend()) last->has_failed = true;
}

bool add_record(Metadata& metadata, const Record& record) {
  std::string name;
  switch (static_cast<MetadataRecord>(record.type)) {
    case MetadataRecord::command: metadata.command = split_at_zeros(record.payload); return true;
    case MetadataRecord::executable: metadata.executable = text_of(record.payload); return true;
    case MetadataRecord::directory: metadata.directory = text_of(record.payload); return true;
    case MetadataRecord::setting: metadata.settings.push_back(text_of(record.payload)); return true;
    case MetadataRecord::parent_trace: metadata.parent_trace = text_of(record.payload); return true;
    case MetadataRecord::library: metadata.library = text_of(record.payload); return true;
    case MetadataRecord::pause: {
      uint64_t ticks;
      ByteReader reader(record.payload);
      if (!reader.read(ticks)) return false;
      metadata.first_pause_ticks = std::min(metadata.first_pause_ticks.value_or(ticks), ticks);
      return true;
    }
    case MetadataRecord::mark: {
      format::Mark head;
      if (!split_name(record.payload, head, name)) return false;
      metadata.marks.push_back({head.ticks, head.thread_serial, std::move(name)});
      return true;
    }
    case MetadataRecord::thread_name: {
      format::ThreadName head;
      if (!split_name(record.payload, head, name)) return false;
      metadata.thread_names.push_back({head.thread_serial, head.thread_id, std::move(name)});
      return true;
    }
    case MetadataRecord::tag: {
      format::TagDefinition head;
      if (!split_name(record.payload, head, name) || head.tag < format::kFirstDefinedTag) return false;
      metadata.tags.push_back({head.tag, head.function, head.domain, std::move(name)});
      return true;
    }
    case MetadataRecord::domain: {
      format::DomainDefinition head;
      if (!split_name(record.payload, head, name) || head.domain < format::kFirstDefinedDomain) return false;
      metadata.domains.push_back({head.domain, std::move(name)});
      return true;
    }
    case MetadataRecord::function: {
      format::FunctionDefinition head;
      if (!split_name(record.payload, head, name) || head.tag < format::kFirstDefinedTag) return false;
      metadata.functions.push_back({head.tag, head.domain, head.family, std::move(name)});
      return true;
    }
    case MetadataRecord::type: {
      format::TypeDefinition head;
      if (!split_name(record.payload, head, name)) return false;
      metadata.types.push_back({head.type, std::move(name)});
      return true;
    }
    case MetadataRecord::block_types: {
      ByteReader reader(record.payload);
      format::BlockType type;
      while (reader.remaining() >= sizeof type && reader.read(type)) metadata.block_types.push_back(type);
      return reader.remaining() == 0;
    }
    case MetadataRecord::scope_begin: {
      format::ScopeBegin head;
      if (!split_name(record.payload, head, name)) return false;
      metadata.scope_steps.push_back(
          {head.ticks, head.thread_serial, true, head.max_leaked_bytes, head.max_leaked_blocks, std::move(name)});
      return true;
    }
    case MetadataRecord::scope_end: {
      format::ScopeEnd end;
      if (!ByteReader(record.payload).read(end)) return false;
      metadata.scope_steps.push_back({end.ticks, end.thread_serial, false, 0, 0, {}});
      return true;
    }
    case MetadataRecord::program_start: {
      format::ProgramStart head;
      if (!split_name(record.payload, head, name)) return false;
      metadata.program_starts.push_back({head.ticks, head.process_start, head.pid, false, std::move(name)});
      return true;
    }
    case MetadataRecord::program_start_failed: {
      format::ProgramStartFailed failed;
      if (!ByteReader(record.payload).read(failed)) return false;
      take_back(metadata.program_starts, failed.pid);
      return true;
    }
    case MetadataRecord::window: {
      format::Window window;
      if (!ByteReader(record.payload).read(window) || window.from_ns > window.to_ns) return false;
      metadata.window = window;
      return true;
    }
    case MetadataRecord::stripped: {
      format::Stripped more;
      if (!ByteReader(record.payload).read(more)) return false;
      metadata.stripped.allocations += more.allocations;
      metadata.stripped.bytes += more.bytes;
      metadata.stripped.frees += more.frees;
      return true;
    }
    case MetadataRecord::last_event: return ByteReader(record.payload).read(metadata.last_event_ticks);
  }
  return true;  // a type of a later library
}

}  // namespace

Metadata read_metadata(const TraceFile& file) {
  Metadata metadata;
  visit_records(file, format::StreamKind::metadata, [&](const Record& record) {
    if (!add_record(metadata, record))
      file.damage().add_page(record.page, "a metadata record does not hold what it says");
  });
  return metadata;
}

}  // namespace memprof
