// Sites that are more than one stack: all stacks of a function, a file, a module; all blocks of a thread or a tag.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/analysis.h"
#include "report/frames.h"

namespace memprof {

enum class GroupBy { stack, function, file, module, thread, tag, type };

const char* group_name(GroupBy by);
std::optional<GroupBy> parse_group(std::string_view name);
// "stack, function, ..."
std::string_view group_names();

// "2 worker (4243)": serial, name where the program gave one, the kernel's id. Raw bytes.
std::string thread_label(const Trace& trace, const Thread& thread);
std::string thread_name(const Trace& trace, const Thread& thread);

// A stack counts for the innermost of its frames that is not the C++ library's: for `push_back`'s caller, not for
// allocator_traits::allocate. Its type is what the innermost frame that names one says, up to that frame; a type that
// the program gave to a block goes before.
class SiteGroups {
 public:
  // The sites of every analysis of `trace` are the groups, as long as this lives.
  SiteGroups(Trace& trace, GroupBy by, const SymbolOptions& symbols);
  ~SiteGroups();
  SiteGroups(const SiteGroups&) = delete;
  SiteGroups& operator=(const SiteGroups&) = delete;

  GroupBy by() const { return by_; }
  // Of a site of such an analysis; raw bytes.
  struct Name {
    std::string name;
    std::string module;  // of a function
  };
  Name name(const Analysis& analysis, StackId site) const;
  // Of groups by type: the blocks that have none and whose stacks name none.
  StackId untyped() const { return first_; }
  // Of groups by thread: the index of the thread.
  size_t thread_of(StackId site) const { return site - first_; }
  std::vector<std::string> symbol_problems() const { return source_.symbol_problems(); }

 private:
  void group_by_frames();
  void group_by_types();
  void finish_groups(std::vector<StackId>& group_of);
  Name name_of(const Frame& frame) const;

  Trace& trace_;
  const GroupBy by_;
  FrameSource source_;
  std::optional<BlockTypes> types_;  // of groups by type
  StackId first_ = 0;
  std::vector<Name> names_;  // by id - first_; of functions, files and modules
};

}  // namespace memprof
