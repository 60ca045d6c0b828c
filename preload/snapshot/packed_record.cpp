#include "snapshot/packed_record.h"

#include "trace_writer/record_stream.h"

namespace memprof {

bool PackedRecord::flush() {
  if (used_ == 0) return true;
  const Piece piece{buffer_, used_};
  used_ = 0;
  return write_snapshot_record(type_, &piece, 1);
}

}  // namespace memprof
