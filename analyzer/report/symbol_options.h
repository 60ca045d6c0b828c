// Whether and how stacks are turned into source lines.
#pragma once

namespace memprof {

struct SymbolOptions {
  SymbolOptions(bool are_wanted = true) : wanted(are_wanted) {}

  bool wanted;
  bool cache = false;    // keep what was found on disk, in CacheDirectory::default_path()
  unsigned workers = 0;  // 0: as many as there are processors
};

}  // namespace memprof
