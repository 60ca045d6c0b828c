// Stands before mimalloc as malloc: with WHOLE in place of all functions, else of malloc and free alone.
#include <stddef.h>

void* mi_malloc(size_t);
void* mi_calloc(size_t, size_t);
void* mi_realloc(void*, size_t);
void mi_free(void*);

void* malloc(size_t bytes) { return mi_malloc(bytes); }
void free(void* block) { mi_free(block); }
#if defined(WHOLE)
void* calloc(size_t count, size_t bytes) { return mi_calloc(count, bytes); }
void* realloc(void* block, size_t bytes) { return mi_realloc(block, bytes); }
#endif
