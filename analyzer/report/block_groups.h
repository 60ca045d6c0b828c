// Which group a block is of, and what the groups are called.
//
//   function, file, module   of the innermost frame of its stack that is not the C++ library's: of `push_back`'s
//   caller,
//                            not of allocator_traits::allocate
//   type                     that the program gave it, else what the innermost frame that names one says, up to that
//   frame thread                   that allocated it allocator, tag, domain   of the allocating function, the program's
//   innermost tag, the domain: of its event's tag
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/analysis.h"
#include "report/frames.h"
#include "report/groups.h"

namespace memprof {

class BlockGroups {
 public:
  // `by` is not the stack. Stacks of `trace` are not grouped; it outlives this.
  BlockGroups(const Trace& trace, GroupBy by, const SymbolOptions& symbols);

  GroupBy by() const { return by_; }
  // They are numbered from 0.
  size_t count() const;
  // Of a block that the program gave no type. `thread`: its index.
  uint32_t of(StackId stack, uint16_t tag, uint32_t thread) const;
  // Of all stacks, by id; empty where something else decides.
  const std::vector<uint32_t>& of_stacks() const { return of_stack_; }
  // Of all tags; empty where something else decides.
  const std::vector<uint32_t>& of_tags() const { return of_tag_; }
  // Types that the program gave; null where groups are no types.
  const BlockTypes* types() const { return types_ ? &*types_ : nullptr; }
  std::optional<uint32_t> of_type(uint32_t type) const;

  // Raw bytes.
  struct Name {
    std::string name;
    std::string module;  // of a function
  };
  // `threads`: of an analysis.
  Name name(uint32_t group, const std::vector<Thread>& threads) const;
  // By type: the blocks that have none and whose stacks name none.
  static constexpr uint32_t kUntyped = 0;

  std::vector<std::string> symbol_problems() const { return source_.symbol_problems(); }

 private:
  uint32_t index_of(const Name& name);
  void group_by_frames();
  void group_by_types();
  void group_by_tags();
  Name name_of(const Frame& frame) const;
  Name name_of_tag(uint16_t tag) const;

  const Trace& trace_;
  const GroupBy by_;
  FrameSource source_;
  std::vector<Name> names_;  // but of threads
  std::map<std::pair<std::string, std::string>, uint32_t> indices_;
  std::vector<uint32_t> of_stack_, of_tag_;
  std::optional<BlockTypes> types_;
  std::unordered_map<uint32_t, uint32_t> of_type_;
};

}  // namespace memprof
