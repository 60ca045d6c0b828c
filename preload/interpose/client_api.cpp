// The library's side of memprof/memprof.h. Each function does nothing unless the process records, or may yet.
#include "client/block_types.h"
#include "client/misuse.h"
#include "client/pools.h"
#include "client/scopes.h"
#include "client/tags.h"
#include "interpose/hook.h"
#include "lifecycle/lifecycle.h"
#include "memprof/client_functions.h"
#include "recorder/recorder.h"
#include "trace_writer/trace_storage.h"

using namespace memprof;

namespace {

void* block_of(const void* block) { return const_cast<void*>(block); }

bool is_domain(uint16_t domain) {
  if (may_track_in(domain)) return true;
  count_misuse(format::Misuse::unknown_domain);
  return false;
}

bool is_size(size_t bytes) {
  if (bytes <= format::kMostBlockBytes) return true;
  count_misuse(format::Misuse::too_large);
  return false;
}

}  // namespace

MEMPROF_EXPORT void memprof_start() { start_recording(); }
MEMPROF_EXPORT void memprof_stop() { pause_recording(); }
MEMPROF_EXPORT int memprof_is_active() { return is_recording() ? 1 : 0; }
MEMPROF_EXPORT int memprof_snapshot() { return take_called_snapshot() ? 1 : 0; }
MEMPROF_EXPORT void memprof_flush() {
  if (takes_client_calls()) flush_file();
}
MEMPROF_EXPORT void memprof_mark(const char* name) { write_mark(name); }

MEMPROF_EXPORT void memprof_push_tag(const char* name) {
  if (takes_client_calls()) push_tag(name);
}
MEMPROF_EXPORT void memprof_pop_tag() {
  if (takes_client_calls()) pop_tag();
}
MEMPROF_EXPORT void memprof_scope_begin(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks) {
  begin_scope(name, max_leaked_bytes, max_leaked_blocks);
}
MEMPROF_EXPORT void memprof_scope_end() { end_scope(); }

MEMPROF_EXPORT uint16_t memprof_domain(const char* name) { return takes_client_calls() ? domain_of(name) : 0; }
MEMPROF_EXPORT void memprof_track_alloc(uint16_t domain, const void* block, size_t bytes) {
  if (!takes_client_calls() || !is_domain(domain) || block == nullptr || !is_size(bytes)) return;
  record_client_alloc(block_of(block), bytes, Function::track_alloc, domain, pushed_tags.innermost(), MEMPROF_CALLER());
}
MEMPROF_EXPORT void memprof_track_realloc(uint16_t domain, const void* old_block, const void* block, size_t bytes) {
  if (!takes_client_calls() || !is_domain(domain) || (block != nullptr && !is_size(bytes))) return;
  const CapturePoint caller = MEMPROF_CALLER();
  if (old_block != nullptr) record_client_free(block_of(old_block), Function::track_realloc, domain, caller);
  if (block == nullptr) return;
  record_client_alloc(block_of(block), bytes, Function::track_realloc, domain, pushed_tags.innermost(), caller);
}
MEMPROF_EXPORT void memprof_track_free(uint16_t domain, const void* block) {
  if (!takes_client_calls() || !is_domain(domain) || block == nullptr) return;
  record_client_free(block_of(block), Function::track_free, domain, MEMPROF_CALLER());
}
MEMPROF_EXPORT void memprof_set_type_in(uint16_t domain, const void* block, const char* name) {
  if (takes_client_calls() && block != nullptr) set_block_type(block_of(block), domain, name);
}

MEMPROF_EXPORT uint64_t memprof_pool_create(uint16_t domain, const char* name) {
  return takes_client_calls() ? create_pool(domain, name) : 0;
}
MEMPROF_EXPORT void memprof_pool_alloc(uint64_t pool, const void* block, size_t bytes) {
  if (takes_client_calls() && (block == nullptr || is_size(bytes)))
    note_pool_alloc(pool, block_of(block), bytes, MEMPROF_CALLER());
}
MEMPROF_EXPORT void memprof_pool_free(uint64_t pool, const void* block) {
  if (takes_client_calls()) note_pool_free(pool, block_of(block), MEMPROF_CALLER());
}
MEMPROF_EXPORT void memprof_pool_reset(uint64_t pool) {
  if (takes_client_calls()) reset_pool(pool, MEMPROF_CALLER());
}
MEMPROF_EXPORT void memprof_pool_destroy(uint64_t pool) {
  if (takes_client_calls()) destroy_pool(pool, MEMPROF_CALLER());
}

extern "C" {
extern __attribute__((visibility("default"))) const struct memprof_client_functions memprof_client_functions;
const struct memprof_client_functions memprof_client_functions = {
    sizeof(struct memprof_client_functions),
    memprof_start,
    memprof_stop,
    memprof_is_active,
    memprof_snapshot,
    memprof_flush,
    memprof_mark,
    memprof_push_tag,
    memprof_pop_tag,
    memprof_scope_begin,
    memprof_scope_end,
    memprof_domain,
    memprof_track_alloc,
    memprof_track_realloc,
    memprof_track_free,
    memprof_set_type_in,
    memprof_pool_create,
    memprof_pool_alloc,
    memprof_pool_free,
    memprof_pool_reset,
    memprof_pool_destroy,
};
}
