// The types that the program gave to its blocks (memprof_set_type), and what that makes of sites. A type counts for the
// block from its allocation on; of several the last one does.
//
// All of them are read at once: 24 bytes of memory each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/chunk.h"
#include "model/domains.h"
#include "trace/metadata.h"
#include "trace/trace_file.h"

namespace memprof {

class BlockTypes {
 public:
  BlockTypes(const TraceFile& file, const Metadata& metadata);

  // Of a block of this domain (its number, not its index) that ended then, or not: kEndOfTime.
  std::optional<uint32_t> type_of(uint16_t domain, uint64_t address, uint64_t alloc_ticks, uint64_t end_ticks) const;
  // Raw bytes.
  std::string name(uint32_t type) const;
  const std::unordered_map<uint32_t, std::string>& names() const { return names_; }
  // As they are in the trace.
  const std::vector<format::BlockType>& all() const { return types_; }

 private:
  std::vector<format::BlockType> types_;  // by domain, address, time
  std::unordered_map<uint32_t, std::string> names_;
  uint64_t rounding_ticks_ = 0;
};

// What a block of a type that was allocated on a stack counts for; nothing: for its stack.
using SiteOfType = std::function<std::optional<StackId>(uint32_t type, StackId stack)>;
// Of blocks that have a type, by the number of their allocation's event: the sites that they count for.
using SitesByNumber = std::unordered_map<uint64_t, StackId>;

// A first pass over the events finds the types of blocks: they are given them after their allocation.
class TypedSites : public ChunkVisitor {
 public:
  // All outlive it.
  TypedSites(const BlockTypes& types, const SiteOfType& site_of, const Domains& domains)
      : types_(types), site_of_(site_of), domains_(domains) {}

  void begin(const std::vector<Thread>&) override {}
  void closed(uint16_t domain, uint64_t address, const Chunk& chunk, StackId, const Release& release) override {
    note(domain, address, chunk, release.event.ticks);
  }
  void open(uint16_t domain, uint64_t address, const Chunk& chunk, StackId, bool) override {
    note(domain, address, chunk, UINT64_MAX);
  }
  void orphaned(uint16_t, const Release&, OrphanKind) override {}

  SitesByNumber take() { return std::move(sites_); }

 private:
  void note(uint16_t domain, uint64_t address, const Chunk& chunk, uint64_t end_ticks);

  const BlockTypes& types_;
  const SiteOfType& site_of_;
  const Domains& domains_;
  SitesByNumber sites_;
};

}  // namespace memprof
