// A program with a malloc of its own, whose free is a single instruction: memprof cannot hook it, and must say so.
#include <stddef.h>
#include <unistd.h>

static char arena[1 << 20] __attribute__((aligned(16)));
static size_t used;

void* malloc(size_t bytes) {
  void* block = arena + used;
  used += (bytes + 15) & ~(size_t)15;
  return used <= sizeof arena ? block : NULL;
}
void free(void* block) { (void)block; }
void* calloc(size_t count, size_t bytes) { return malloc(count * bytes); }
void* realloc(void* block, size_t bytes) {
  char* fresh = malloc(bytes);
  const char* old = block;
  for (size_t i = 0; old != NULL && fresh != NULL && i < bytes && old + i < arena + sizeof arena; ++i)
    fresh[i] = old[i];
  return fresh;
}

int main(void) {
  char* block = malloc(10);
  block[0] = 'x';
  free(block);
  return write(1, "own allocator\n", 14) == 14 ? 0 : 1;
}
