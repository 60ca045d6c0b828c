#include "unwind/eh_frame.h"

#include <dlfcn.h>

#include "unwind/arch.h"

// Weak: the library still loads where glibc is older; then every stack is one frame, flagged as cut.
extern "C" int _dl_find_object(void*, struct dl_find_object*) noexcept __attribute__((weak));

namespace memprof {
namespace {

constexpr uint32_t kLongEntry = 0xffffffff;

ByteRange mapping_of(const struct dl_find_object& found) {
  return {static_cast<const uint8_t*>(found.dlfo_map_start), static_cast<const uint8_t*>(found.dlfo_map_end)};
}

// The body of the CIE or FDE at `entry`, after its length and before its end.
ByteReader entry_body(const ByteRange& mapping, const uint8_t* entry) {
  if (!mapping.holds(entry)) return ByteReader(mapping.end, mapping.begin);
  ByteReader reader(entry, mapping.end);
  uint64_t length = reader.fixed<uint32_t>();
  if (length == kLongEntry) length = reader.fixed<uint64_t>();
  return reader.part(length);
}

// The letters of a CIE's augmentation say what its augmentation data hold, in order.
bool decode_augmentation(const char* letters, ByteReader& data, FrameDescription& out) {
  for (; *letters != 0; ++letters) {
    switch (*letters) {
      case 'R': out.pointer_encoding = data.byte(); break;
      case 'L': data.byte(); break;
      case 'P': {
        const uint8_t encoding = data.byte();
        if (encoding == 0x50) return false;  // aligned: nobody writes it
        if (encoding != pointer_encoding::kOmitted) data.encoded_value(encoding);
        break;
      }
      case 'S': out.is_signal_frame = true; break;
      case 'B':
      case 'G': break;  // aarch64: signing key, memory tags
      default: return false;
    }
  }
  return data.ok();
}

bool decode_cie(const ByteRange& mapping, const uint8_t* cie, FrameDescription& out) {
  ByteReader reader = entry_body(mapping, cie);
  if (reader.fixed<uint32_t>() != 0) return false;
  const uint8_t version = reader.byte();
  if (version != 1 && version != 3 && version != 4) return false;
  const char* letters = reinterpret_cast<const char*>(reader.at());
  while (reader.byte() != 0) {
  }
  if (!reader.ok()) return false;
  if (version == 4 && (reader.byte() != sizeof(void*) || reader.byte() != 0)) return false;
  out.code_align = reader.uleb();
  out.data_align = reader.sleb();
  out.return_column = static_cast<unsigned>(version == 1 ? reader.byte() : reader.uleb());
  out.pointer_encoding = pointer_encoding::kAbsolute;
  out.is_signal_frame = false;
  if (*letters == 'z') {
    ByteReader data = reader.part(reader.uleb());
    if (!decode_augmentation(letters + 1, data, out)) return false;
  } else if (*letters != 0) {
    return false;
  }
  out.cie_instructions = {reader.at(), reader.at() + reader.left()};
  return reader.ok() && out.return_column < arch::kColumns;
}

bool has_augmentation_data(const ByteRange& mapping, const uint8_t* cie) {
  ByteReader reader = entry_body(mapping, cie);
  reader.skip(sizeof(uint32_t) + 1);
  return reader.byte() == 'z';
}

}  // namespace

bool find_module_frames(uintptr_t code, ModuleFrames& out) {
  struct dl_find_object found;
  if (_dl_find_object == nullptr || _dl_find_object(reinterpret_cast<void*>(code), &found) != 0) return false;
  out.header = static_cast<const uint8_t*>(found.dlfo_eh_frame);
  out.mapping = mapping_of(found);
  // An object with gaps between its segments is found segment by segment.
  if (out.header != nullptr && !out.mapping.holds(out.header)) {
    if (_dl_find_object(found.dlfo_eh_frame, &found) != 0) return false;
    out.mapping = mapping_of(found);
  }
  return true;
}

const uint8_t* search_header(const ModuleFrames& module, uintptr_t code) {
  using namespace pointer_encoding;
  struct Row {
    int32_t code;
    int32_t fde;
  };
  if (!module.mapping.holds(module.header)) return nullptr;
  const auto base = reinterpret_cast<uintptr_t>(module.header);
  ByteReader reader(module.header, module.mapping.end);
  const uint8_t version = reader.byte(), section_encoding = reader.byte();
  const uint8_t count_encoding = reader.byte(), table_encoding = reader.byte();
  if (version != 1 || count_encoding == kOmitted || table_encoding != (kFromData | kS32)) return nullptr;
  if (section_encoding != kOmitted) reader.encoded_pointer(section_encoding, base);
  const uint64_t count = reader.encoded_pointer(count_encoding, base);
  if (!reader.ok() || count > reader.left() / sizeof(Row)) return nullptr;

  const int64_t wanted = static_cast<int64_t>(code - base);
  const uint8_t* table = reader.at();
  uint64_t low = 0, high = count;  // rows before `low` start at or before the code, rows from `high` after it
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    int32_t start;
    memcpy(&start, table + middle * sizeof(Row), sizeof start);
    if (start <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return nullptr;
  Row row;
  memcpy(&row, table + (low - 1) * sizeof(Row), sizeof row);
  return module.header + row.fde;
}

bool decode_description(const ModuleFrames& module, const uint8_t* fde, FrameDescription& out) {
  ByteReader reader = entry_body(module.mapping, fde);
  const uint8_t* id_place = reader.at();
  const uint32_t back = reader.fixed<uint32_t>();
  if (!reader.ok() || back == 0 || back > static_cast<uint64_t>(id_place - module.mapping.begin)) return false;
  const uint8_t* cie = id_place - back;
  if (!decode_cie(module.mapping, cie, out)) return false;
  if ((out.pointer_encoding & pointer_encoding::kIndirect) != 0) return false;
  out.code_begin = reader.encoded_pointer(out.pointer_encoding, 0);
  out.code_end = out.code_begin + reader.encoded_value(out.pointer_encoding & pointer_encoding::kFormMask);
  if (has_augmentation_data(module.mapping, cie)) reader.skip(reader.uleb());
  out.fde_instructions = {reader.at(), reader.at() + reader.left()};
  return reader.ok();
}

Found find_description(uintptr_t code, FrameDescription& out) {
  ModuleFrames module;
  if (!find_module_frames(code, module)) return Found::no_module;
  if (module.header == nullptr) return Found::no_description;
  const uint8_t* fde = search_header(module, code);
  if (fde == nullptr || !decode_description(module, fde, out)) return Found::no_description;
  return code >= out.code_begin && code < out.code_end ? Found::yes : Found::no_description;
}

bool is_same_module(uintptr_t code, uintptr_t other) {
  dl_find_object found;
  return _dl_find_object != nullptr && _dl_find_object(reinterpret_cast<void*>(code), &found) == 0 &&
         reinterpret_cast<void*>(other) >= found.dlfo_map_start && reinterpret_cast<void*>(other) < found.dlfo_map_end;
}

}  // namespace memprof
