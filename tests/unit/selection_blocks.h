// What became of the blocks of a history: by plain maps, one step after the other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "selection_history.h"

namespace memprof::test {

inline constexpr size_t kNever = SIZE_MAX;

// What a tag of a history stands for.
struct TagMeaning {
  const char* domain;
  char family;  // 0: none
};
TagMeaning about(uint16_t tag);

// Steps are named by their index.
struct Block {
  size_t born;
  size_t ended = kNever;
  size_t displaced = kNever;
  bool is_temporary = false;
  std::vector<std::pair<size_t, uint64_t>> cuts;  // when and how many bytes, the last included
  uint64_t bytes_left = 0;
};

// By the steps before `count`.
class BlockLives {
 public:
  BlockLives(const std::vector<Step>& steps, size_t count);

  std::vector<Block> blocks;    // in the order of their allocation
  std::vector<size_t> orphans;  // releases that ended nothing

 private:
  bool follows_birth(size_t step, const Block& block) const;
  void allocate(size_t step);
  void release(size_t step);
  void map(size_t step);
  // A size of 0: as far as the piece of the mapping goes.
  void unmap(size_t step, uint64_t address, uint64_t size, bool may_be_orphan);

  const std::vector<Step>& steps_;
  std::map<std::pair<std::string, uint64_t>, size_t> live_;  // by domain and address: index of the block
  std::map<uint64_t, size_t> page_owner_;                    // the same of memory pages, by their first address
  std::map<uint32_t, size_t> latest_;                        // by thread: its last step
};

}  // namespace memprof::test
