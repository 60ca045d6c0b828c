// The shared streams of rare records: modules, metadata, samples. Any thread, async-signal-safe: a RareLock orders
// them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

struct Piece {
  const void* bytes;
  size_t count;
};

// One record of the joined pieces, split into continued records where it does not fit a page. False: not (wholly)
// written, recording has stopped.
bool write_module_record(format::ModuleRecord type, const Piece* pieces, size_t count);
bool write_metadata_record(format::MetadataRecord type, const Piece* pieces, size_t count);
bool write_sample_record(format::SampleRecord type, const Piece* pieces, size_t count);

// A snapshot is a stream of its own, written by an image of the process: begun by the process, ended by the image.
void begin_snapshot_stream();
bool write_snapshot_record(format::SnapshotRecord type, const Piece* pieces, size_t count);
void end_snapshot_stream();

// In a forked child: the pages are the parent's. What the code that the fork interrupted still writes is kept nowhere,
void divert_record_streams();
// until the child has given them up, for a trace of its own.
void abandon_record_streams();
// At the end: seals what is open.
void seal_record_streams();

}  // namespace memprof
