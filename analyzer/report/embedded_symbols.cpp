#include "report/embedded_symbols.h"

#include "trace/byte_reader.h"
#include "trace/record_reader.h"
#include "trace/text_bytes.h"

namespace memprof {

using format::SymbolModule;
using format::SymbolRecord;

EmbeddedSymbols::EmbeddedSymbols(const TraceFile& file) {
  visit_records(file, format::StreamKind::symbols, [&](const Record& record) {
    bool is_good = true;
    if (record.type == static_cast<uint16_t>(SymbolRecord::module)) is_good = add_module(record.payload);
    if (record.type == static_cast<uint16_t>(SymbolRecord::frames)) is_good = add_frames(record.payload);
    if (!is_good) file.damage().add_page(record.page, "a symbols record does not hold what it says");
  });
}

bool EmbeddedSymbols::add_module(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  SymbolModule head;
  std::span<const std::byte> name, problem;
  if (!reader.read(head) || !reader.take(head.name_bytes, name) || !reader.take(head.problem_bytes, problem))
    return false;
  modules_.try_emplace(head.module_id, Module{std::string(text_of(name)), std::string(text_of(problem))});
  return true;
}

bool EmbeddedSymbols::add_frames(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  uint64_t module_id = 0;
  if (!reader.read_varint(module_id) || module_id > UINT32_MAX) return false;
  const auto rest = payload.subspan(reader.offset());
  return frames_[static_cast<uint32_t>(module_id)].add({rest.begin(), rest.end()});
}

std::vector<SourceFrame> EmbeddedSymbols::find(uint32_t module_id, CodeAddress code) const {
  const auto frames = frames_.find(module_id);
  return frames == frames_.end() ? std::vector<SourceFrame>() : frames->second.find(code);
}

bool EmbeddedSymbols::has(uint32_t module_id, CodeAddress code) const {
  const auto frames = frames_.find(module_id);
  return frames != frames_.end() && frames->second.has(code);
}

const EmbeddedSymbols::Module* EmbeddedSymbols::module(uint32_t module_id) const {
  const auto found = modules_.find(module_id);
  return found == modules_.end() ? nullptr : &found->second;
}

}  // namespace memprof
