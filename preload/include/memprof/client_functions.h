/* The functions of memprof's client API as the library has them; programs call them through memprof/memprof.h, which
 * says what each does. Other languages may look each up by its name (dlsym: "memprof_push_tag", ...), or all of them at
 * once as the symbol "memprof_client_functions". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are added at the end, never changed. */
struct memprof_client_functions {
  size_t bytes; /* of this structure, in the library that is there */
  void (*start)(void);
  void (*stop)(void);
  int (*is_active)(void);
  int (*snapshot)(void);
  void (*flush)(void);
  void (*mark)(const char* name);
  void (*push_tag)(const char* name);
  void (*pop_tag)(void);
  void (*scope_begin)(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks);
  void (*scope_end)(void);
  uint16_t (*domain)(const char* name);
  void (*track_alloc)(uint16_t domain, const void* block, size_t bytes);
  void (*track_realloc)(uint16_t domain, const void* old_block, const void* block, size_t bytes);
  void (*track_free)(uint16_t domain, const void* block);
  void (*set_type)(uint16_t domain, const void* block, const char* name);
  uint64_t (*pool_create)(uint16_t domain, const char* name);
  void (*pool_alloc)(uint64_t pool, const void* block, size_t bytes);
  void (*pool_free)(uint64_t pool, const void* block);
  void (*pool_reset)(uint64_t pool);
  void (*pool_destroy)(uint64_t pool);
};

#ifdef __cplusplus
}
#endif
