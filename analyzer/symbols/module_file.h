#pragma once

#include <optional>
#include <string>
#include <vector>

#include "symbols/debuginfod_source.h"
#include "symbols/elf_file.h"
#include "symbols/module_info.h"

namespace memprof {

struct FileSearch {
  // Where the traced machine's files are: "" for this machine. With a sysroot nothing outside it is taken
  // for a path of the trace.
  std::string sysroot;
  // Further directories to look in for a module: DIR/its/whole/path, then DIR/its-name.
  std::vector<std::string> search_dirs;
  // Roots of separate debug files (under the sysroot as well, if there is one).
  std::vector<std::string> debug_dirs = {"/usr/lib/debug"};
};

// The files of one module. Nothing with a build id other than the trace's is ever in here.
struct ModuleFiles {
  std::optional<ElfFile> binary;      // the mapped file itself
  std::optional<ElfFile> debug_info;  // separate: DWARF and .symtab of the same build
  std::optional<ElfFile> alternate;   // what dwz moved out of the DWARF of several files
  std::string problem;                // empty: nothing to tell the user
  bool dwarf_is_usable = false;

  // The file whose DWARF describes the module; nullptr if there is none.
  const ElfFile* dwarf() const {
    if (!dwarf_is_usable) return nullptr;
    return debug_info ? &*debug_info : &*binary;
  }
};

ModuleFiles find_module_files(const ModuleInfo& module, const FileSearch& search, DebuginfodSource& debuginfod);

// The vDSO and the kernel's other mappings have no file; that is no problem to report.
bool is_kernel_mapping(const std::string& path);

}  // namespace memprof
