#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "symbols/elf_file.h"

struct debuginfod_client;

namespace memprof {

// Files fetched by build id from the servers that DEBUGINFOD_URLS names. One serves all modules, and may be
// called by any thread. A server that does not answer in time is not asked again in this run, so that a
// machine without network loses seconds and not minutes.
class DebuginfodSource {
 public:
  enum class What { executable, debug_info };

  // With `enabled` false, or DEBUGINFOD_URLS unset or empty, every find() is empty at once.
  explicit DebuginfodSource(bool enabled);
  ~DebuginfodSource();

  std::optional<ElfFile> find(What what, const BuildId& build_id);

 private:
  struct EndClient {
    void operator()(debuginfod_client* client) const;
  };
  std::mutex mutex_;
  bool enabled_;
  std::unique_ptr<debuginfod_client, EndClient> client_;
};

}  // namespace memprof
