#include "trace_writer/page_cursor.h"

#include "platform/syscalls.h"

namespace memprof {

void PageCursor::sys_unmap_page(format::PageHeader* page) { sys::unmap(page, format::kPageSize); }

}  // namespace memprof
