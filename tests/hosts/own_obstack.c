// The functions of obstacks once more, of the program's own: what gnulib and libiberty put into many.
#include <obstack.h>
#include <string.h>

void (*obstack_alloc_failed_handler)(void);

static char* aligned(struct obstack* stack, void* place) {
  size_t mask = (size_t)stack->alignment_mask;
  return (char*)(((size_t)place + mask) & ~mask);
}
static struct _obstack_chunk* take_chunk(struct obstack* stack, long bytes) {
  struct _obstack_chunk* chunk = stack->use_extra_arg
                                     ? stack->chunkfun(stack->extra_arg, bytes)
                                     : ((struct _obstack_chunk * (*)(long))(void*)stack->chunkfun)(bytes);
  if (chunk == NULL) obstack_alloc_failed_handler();
  chunk->limit = (char*)chunk + bytes;
  return chunk;
}
static void give_chunk(struct obstack* stack, struct _obstack_chunk* chunk) {
  if (stack->use_extra_arg) {
    stack->freefun(stack->extra_arg, chunk);
  } else {
    ((void (*)(void*))(void*)stack->freefun)(chunk);
  }
}
static void use_chunk(struct obstack* stack, struct _obstack_chunk* chunk, struct _obstack_chunk* before) {
  chunk->prev = before;
  stack->chunk = chunk;
  stack->chunk_limit = chunk->limit;
}

static int begin(struct obstack* stack, int bytes) {
  stack->chunk_size = bytes != 0 ? bytes : 4064;
  stack->alignment_mask = 15;
  stack->maybe_empty_object = 0;
  struct _obstack_chunk* chunk = take_chunk(stack, stack->chunk_size);
  use_chunk(stack, chunk, NULL);
  stack->object_base = stack->next_free = aligned(stack, chunk->contents);
  return 1;
}
int _obstack_begin(struct obstack* stack, int bytes, int alignment, void* (*take)(long), void (*give)(void*)) {
  (void)alignment;
  stack->chunkfun = (struct _obstack_chunk * (*)(void*, long))(void*)take;
  stack->freefun = (void (*)(void*, struct _obstack_chunk*))(void*)give;
  stack->use_extra_arg = 0;
  return begin(stack, bytes);
}
int _obstack_begin_1(struct obstack* stack, int bytes, int alignment, void* (*take)(void*, long),
                     void (*give)(void*, void*), void* argument) {
  (void)alignment;
  stack->chunkfun = (struct _obstack_chunk * (*)(void*, long))(void*)take;
  stack->freefun = (void (*)(void*, struct _obstack_chunk*))(void*)give;
  stack->extra_arg = argument;
  stack->use_extra_arg = 1;
  return begin(stack, bytes);
}

void _obstack_newchunk(struct obstack* stack, int length) {
  struct _obstack_chunk* old = stack->chunk;
  const long object_bytes = stack->next_free - stack->object_base;
  long bytes = object_bytes + length + (object_bytes >> 3) + 100;
  if (bytes < stack->chunk_size) bytes = stack->chunk_size;
  struct _obstack_chunk* chunk = take_chunk(stack, bytes);
  use_chunk(stack, chunk, old);
  char* object = aligned(stack, chunk->contents);
  memcpy(object, stack->object_base, (size_t)object_bytes);
  if (!stack->maybe_empty_object && stack->object_base == aligned(stack, old->contents)) {
    chunk->prev = old->prev;
    give_chunk(stack, old);
  }
  stack->object_base = object;
  stack->next_free = object + object_bytes;
  stack->maybe_empty_object = 0;
}

#undef obstack_free
void obstack_free(struct obstack* stack, void* object) {
  struct _obstack_chunk* chunk = stack->chunk;
  while (chunk != NULL && ((void*)chunk >= object || (void*)chunk->limit < object)) {
    struct _obstack_chunk* before = chunk->prev;
    give_chunk(stack, chunk);
    chunk = before;
    stack->maybe_empty_object = 1;
  }
  if (chunk == NULL) return;
  stack->object_base = stack->next_free = object;
  stack->chunk_limit = chunk->limit;
  stack->chunk = chunk;
}
