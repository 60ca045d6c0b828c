#include "unwind/frame_row.h"

#include "unwind/dynamic_symbols.h"
#include "unwind/frame_record.h"

namespace memprof {
namespace {

void set_row(CfiRow& row, FrameRecord record) {
  constexpr int64_t kWordBytes = 8;
  const auto below_cfa = -static_cast<int64_t>(record.cfa_offset);
  row.cfa = {false, arch::kFramePointer, record.cfa_offset};
  for (Where& where : row.where) where = Where::undefined;
  row.where[arch::kStackPointer] = Where::unsaved;  // the caller's is the CFA
  row.where[arch::kFramePointer] = Where::at_offset;
  row.value[arch::kFramePointer] = below_cfa;
  row.where[arch::kReturnColumn] = Where::at_offset;
  row.value[arch::kReturnColumn] = below_cfa + kWordBytes;
}

FrameRecord find_record(uintptr_t pc) {
  ByteRange function;
  return find_function(pc - 1, function) ? find_frame_record(function, reinterpret_cast<const uint8_t*>(pc))
                                         : FrameRecord{0};
}

}  // namespace

Found find_row(uintptr_t pc, FrameDescription& description, CfiScratch& scratch) {
  const Found found = find_description(pc - 1, description);
  if (found == Found::yes) return run_cfi(description, pc - 1, scratch) ? Found::yes : Found::not_understood;
  if (found != Found::no_description) return found;
  const FrameRecord record = find_record(pc);
  if (record.cfa_offset == 0) return found;
  description = {};
  description.return_column = arch::kReturnColumn;
  set_row(scratch.row, record);
  return Found::yes;
}

}  // namespace memprof
