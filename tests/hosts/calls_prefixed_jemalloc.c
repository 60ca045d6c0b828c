// jemalloc linked into the program under a prefix, beside libc's malloc.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void* _rjem_malloc(size_t);
void* _rjem_calloc(size_t, size_t);
void* _rjem_realloc(void*, size_t);
void _rjem_free(void*);
int _rjem_posix_memalign(void**, size_t, size_t);
void* _rjem_mallocx(size_t, int);
void* _rjem_rallocx(void*, size_t, int);
size_t _rjem_xallocx(void*, size_t, size_t, int);
void _rjem_dallocx(void*, int);

int main(void) {
  void* block = _rjem_malloc(101);
  block = _rjem_realloc(block, 5002);
  block = _rjem_rallocx(block, 9003, 0);
  _rjem_xallocx(block, 9100, 0, 0);
  _rjem_dallocx(block, 0);
  _rjem_free(_rjem_calloc(3, 104));
  void* aligned = NULL;
  _rjem_posix_memalign(&aligned, 64, 505);
  _rjem_free(aligned);
  _rjem_mallocx(606, 0);  // stays
  free(malloc(707));
  return 0;
}
