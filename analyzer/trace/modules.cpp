#include "trace/modules.h"

#include "trace/byte_reader.h"
#include "trace/record_reader.h"
#include "trace/text_bytes.h"

namespace memprof {

using format::ModuleLoad;
using format::ModuleOfRecorder;
using format::ModuleRecord;
using format::ModuleUnload;

Modules::Modules(const TraceFile& file) {
  visit_records(file, format::StreamKind::modules, [&](const Record& record) {
    if (record.type == static_cast<uint16_t>(ModuleRecord::load)) add_load(file, record.page, record.payload);
    if (record.type == static_cast<uint16_t>(ModuleRecord::unload)) add_unload(file, record.page, record.payload);
    if (record.type == static_cast<uint16_t>(ModuleRecord::recorder)) add_recorder(file, record.page, record.payload);
  });
}

void Modules::add_load(const TraceFile& file, uint32_t page, std::span<const std::byte> payload) {
  ByteReader reader(payload);
  ModuleLoad load;
  std::span<const std::byte> build_id, path;
  if (!reader.read(load) || !reader.take(load.build_id_bytes, build_id) || !reader.take(load.path_bytes, path) ||
      load.module_id == format::kNoModule) {
    file.damage().add_page(page, "a module record does not hold what it says");
    return;
  }
  if (!index_.emplace(load.module_id, static_cast<uint32_t>(modules_.size())).second) {
    file.damage().add_page(page, "a module number is used twice");
    return;
  }
  Module module;
  module.id = load.module_id;
  module.load_ticks = load.ticks;
  module.start = load.start;
  module.end = load.end;
  module.load_bias = load.load_bias;
  module.build_id.assign(build_id.begin(), build_id.end());
  module.path = text_of(path);
  modules_.push_back(std::move(module));
}

void Modules::add_unload(const TraceFile& file, uint32_t page, std::span<const std::byte> payload) {
  ByteReader reader(payload);
  ModuleUnload unload;
  if (!reader.read(unload)) {
    file.damage().add_page(page, "a module record does not hold what it says");
    return;
  }
  // Unknown number: its load record was in a damaged page, or no stack ever met the module.
  if (const size_t index = index_of(unload.module_id); index != kNone) modules_[index].unload_ticks = unload.ticks;
}

void Modules::add_recorder(const TraceFile& file, uint32_t page, std::span<const std::byte> payload) {
  ByteReader reader(payload);
  ModuleOfRecorder recorder;
  if (!reader.read(recorder)) return file.damage().add_page(page, "a module record does not hold what it says");
  recorder_id_ = recorder.module_id;
}

size_t Modules::index_of(uint32_t module_id) const {
  const auto found = index_.find(module_id);
  return found == index_.end() ? kNone : found->second;
}

}  // namespace memprof
