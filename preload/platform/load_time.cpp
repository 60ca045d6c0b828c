#include "platform/load_time.h"

#include <link.h>

#include "platform/own_module.h"
#include "platform/text.h"

namespace memprof {
namespace {

bool is_libc_before_us() {
  for (const link_map* map = _r_debug.r_map; map != nullptr; map = map->l_next) {
    if (map->l_addr == own_module_start()) return false;
    if (map->l_name != nullptr && text_contains(map->l_name, "/libc.so.6")) return true;
  }
  return false;  // in a namespace of its own
}

}  // namespace

bool was_loaded_late() {
  enum class Known : unsigned char { no, early, late };
  static constinit Known known = Known::no;
  if (known == Known::no) known = is_libc_before_us() ? Known::late : Known::early;
  return known == Known::late;
}

}  // namespace memprof
