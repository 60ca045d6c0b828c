// A library of static C++ objects: made before main, destroyed after everything of the program's own.
#include "static_objects.h"

#include <memory>
#include <string>
#include <vector>

#include "tally.h"

namespace {

struct Holder {
  Holder() {
    for (int i = 0; i < 10; ++i) blocks.push_back(std::make_unique<char[]>(700));
  }
  ~Holder() {
    blocks.clear();
    blocks.shrink_to_fit();
    auto last = std::make_unique<char[]>(701);
    static_cast<void>(hidden(last.get()));
    print("library: static objects are gone\n");
  }
  std::vector<std::unique_ptr<char[]>> blocks;
};

Holder holder;

}  // namespace

int static_blocks() { return static_cast<int>(holder.blocks.size()); }
