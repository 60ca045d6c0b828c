// What the recorder wrote about the process: its command line, settings, marks, thread names, scopes, programs that it
// started, own tags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trace/trace_file.h"

namespace memprof {

// All strings are the recorder's raw bytes: escape before printing.
struct Metadata {
  struct Mark {
    uint64_t ticks;
    uint32_t thread_serial;
    std::string name;
  };
  struct ThreadName {
    uint32_t thread_serial;
    uint32_t thread_id;
    std::string name;
  };
  // A begin or an end of a scope, in the order of the records.
  struct ScopeStep {
    uint64_t ticks;
    uint32_t thread_serial;
    bool is_begin;
    // Of a begin.
    uint64_t max_leaked_bytes, max_leaked_blocks;
    std::string name;
  };
  struct Tag {
    uint16_t tag, function, domain;
    std::string name;
  };
  struct Domain {
    uint16_t domain;
    std::string name;
  };
  struct Function {
    uint16_t tag, domain;
    uint8_t family;
    std::string name;
  };
  struct Type {
    uint32_t type;
    std::string name;
  };
  struct ProgramStart {
    uint64_t ticks, process_start;
    uint32_t pid;
    bool has_failed;
    std::string name;
  };

  std::vector<std::string> command;
  std::string executable;
  std::string directory;
  std::vector<std::string> settings;
  std::string parent_trace;
  std::string library;
  std::vector<Mark> marks;
  std::vector<ThreadName> thread_names;
  std::vector<ScopeStep> scope_steps;
  std::optional<uint64_t> first_pause_ticks;
  std::vector<ProgramStart> program_starts;
  std::vector<Tag> tags;
  std::vector<Domain> domains;
  std::vector<Function> functions;
  std::vector<Type> types;
  std::vector<format::BlockType> block_types;  // of a trace that was made of another one
  // Of a trace that was made of another one.
  std::optional<format::Window> window;
  format::Stripped stripped{};
  uint64_t last_event_ticks = 0;
};

Metadata read_metadata(const TraceFile& file);

}  // namespace memprof
