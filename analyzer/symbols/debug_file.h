#pragma once

#include <optional>
#include <string>
#include <vector>

#include "symbols/debuginfod_source.h"
#include "symbols/elf_file.h"

namespace memprof {

struct FileSearch;

// Finds separate debug files. libdwfl could, but it opens whatever a .gnu_debuglink names with a plain open(),
// which a fifo blocks for ever.
class DebugFileSearch {
 public:
  DebugFileSearch(const FileSearch& search, DebuginfodSource& debuginfod);

  // By build id, else by .gnu_debuglink: of the same build id, or of the right checksum where there is none.
  std::optional<ElfFile> find_for(const ElfFile& binary) const;
  // By build id alone, for a binary that is not there.
  std::optional<ElfFile> find_for(const BuildId& build_id) const;

  // What dwz leaves in .gnu_debugaltlink: the file that several debug files share.
  struct AlternateLink {
    std::string name;
    BuildId build_id;
  };
  static std::optional<AlternateLink> alternate_link_of(const ElfFile& debug_info);
  std::optional<ElfFile> find_alternate(const ElfFile& debug_info, const AlternateLink& link) const;

 private:
  std::optional<ElfFile> find_in_build_id_dirs(const BuildId& build_id) const;
  std::optional<ElfFile> find_by_link(const ElfFile& binary) const;

  std::vector<std::string> debug_dirs_;
  std::string sysroot_;
  DebuginfodSource& debuginfod_;
};

}  // namespace memprof
