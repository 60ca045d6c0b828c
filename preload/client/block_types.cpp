#include "client/block_types.h"

#include "client/misuse.h"
#include "client/name_table.h"
#include "client/tags.h"
#include "recorder/recorder.h"
#include "trace_writer/record_stream.h"

namespace memprof {
namespace {

void define_type(uint32_t number, NameTable::Name name) {
  const format::TypeDefinition head{number, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, {name.text, name.bytes}};
  write_metadata_record(format::MetadataRecord::type, pieces, name.bytes != 0 ? 2 : 1);
}

constinit NameTable types{define_type};

}  // namespace

void set_block_type(void* block, uint16_t domain, const char* name) {
  if (!may_track_in(domain)) return count_misuse(format::Misuse::unknown_domain);
  if (NameTable::is_empty(name)) return count_misuse(format::Misuse::empty_name);
  const uint32_t type = types.find_or_add(name);
  if (type == 0) return count_misuse(format::Misuse::too_many);
  record_block_type(block, domain, type);
}

void define_types_again() {
  for (uint32_t number = 1; number <= types.count(); ++number) define_type(number, types.name(number));
}

}  // namespace memprof
