// The loaded objects that stack nodes name.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trace/trace_file.h"

namespace memprof {

struct Module {
  uint32_t id = 0;
  uint64_t load_ticks = 0;
  uint64_t unload_ticks = 0;  // 0: never
  uint64_t start = 0, end = 0;
  uint64_t load_bias = 0;
  std::vector<std::byte> build_id;
  std::string path;  // raw bytes: escape before printing
};

class Modules {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  explicit Modules(const TraceFile& file);

  const std::vector<Module>& all() const { return modules_; }
  // Index into all(), or kNone when no record tells of the module.
  size_t index_of(uint32_t module_id) const;
  // The module is the recorder's own library.
  bool is_recorder(uint32_t module_id) const { return module_id != format::kNoModule && module_id == recorder_id_; }

 private:
  void add_load(const TraceFile& file, uint32_t page, std::span<const std::byte> payload);
  void add_unload(const TraceFile& file, uint32_t page, std::span<const std::byte> payload);
  void add_recorder(const TraceFile& file, uint32_t page, std::span<const std::byte> payload);

  std::vector<Module> modules_;
  uint32_t recorder_id_ = format::kNoModule;
  tsl::robin_map<uint32_t, uint32_t> index_;
};

}  // namespace memprof
