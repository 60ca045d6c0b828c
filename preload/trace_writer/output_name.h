// Where a process writes its trace: the rules of MEMPROF_OUTPUT.
//
//   trace.bin          a process whose name is free, or taken by a finished trace of an older run (renamed .old) or by
//                      an earlier image of the same process, before exec (renamed trace.PID.1.bin)
//   trace.PID.bin      a forked child; a process that finds the name written by another living process, or finished by
//                      another process of the same run
//
// A file has no name before it is a trace, where the filesystem can do that (O_TMPFILE): a process that is killed as it
// begins leaves nothing behind. Elsewhere the name comes first, and a file of zeros may stay.
#pragma once

#include <stdint.h>

namespace memprof {

struct OutputFile {
  int fd;            // < 0: negative errno
  const char* path;  // absolute where the working directory is known; static storage
  bool has_name;     // the file is there under this path; else it is to be
};

struct OutputRequest {
  const char* pattern;  // MEMPROF_OUTPUT
  const char* program;  // for %e
  uint32_t pid;
  uint64_t process_start;
  bool forked;
};

// Makes the file, 0600, without a name or else as O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC does. These two use static
// buffers: callers hold the lifecycle lock or are single-threaded.
OutputFile make_output_file(const OutputRequest& request);
// Gives a file without a name its name. On failure it stays open without one.
OutputFile name_output_file(const OutputRequest& request, int fd);

// The inode of the pid namespace: pids are numbers within one. 0: unknown.
uint64_t process_namespace();

// Field 22 of /proc/PID/stat: with the pid it names a process for good. 0: unknown.
uint64_t process_start_time(uint32_t pid);

}  // namespace memprof
