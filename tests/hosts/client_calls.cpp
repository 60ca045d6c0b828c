// Calls every function of memprof/memprof.h, rightly and wrongly. What it prints does not depend on memprof.
#include <memprof/memprof.h>
#include <memprof/tracked.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

struct Shape {
  double sides[4];
};

namespace {

void* at(unsigned long address) { return reinterpret_cast<void*>(address); }

void blocks() {
  const uint16_t textures = memprof_domain("textures");
  memprof_track_alloc(textures, at(0x1000), 4096);
  memprof_track_alloc(MEMPROF_GPU, at(0x1000), 64);
  memprof_track_realloc(MEMPROF_GPU, at(0x1000), at(0x2000), 128);
  memprof_track_alloc(memprof_domain("gpu"), at(0x3000), 256);
  memprof_track_free(textures, at(0x1000));
}

void tags() {
  const memprof::scoped_tag outer("parse");
  void* const tagged = malloc(100);
  memprof_set_type(tagged, "Token");
  memprof_set_type(tagged, "Word");
  {
    const memprof::scoped_tag inner("lex");
    free(realloc(malloc(21), 22));
  }
  void* const other = malloc(51);
  free(other);
  std::vector<Shape, memprof::tracked_allocator<Shape>> shapes(memprof::tracked_allocator<Shape>("shapes"));
  shapes.resize(3);
}

// A thread has tags of its own.
void threads() {
  memprof_push_tag("main");
  std::thread([] {
    free(malloc(61));
    const memprof::scoped_tag tag("other");
    free(malloc(62));
  }).join();
  free(malloc(63));
  memprof_pop_tag();
}

void pools() {
  const memprof_pool pool = memprof_pool_create(MEMPROF_POOL, "arena");
  for (unsigned long i = 1; i <= 1000; ++i) memprof_pool_alloc(pool, at(i * 64), 48);
  memprof_pool_free(pool, at(64));
  memprof_pool_reset(pool);
  memprof_pool_alloc(pool, at(64), 10);
  memprof_pool_destroy(pool);
  const memprof_pool kept = memprof_pool_create(MEMPROF_POOL, "kept");
  memprof_pool_alloc(kept, at(64), 11);
  memprof_pool_alloc(kept, at(128), 12);
  memprof_pool_free(kept, at(64));
}

void resources() {
  std::pmr::monotonic_buffer_resource arena;
  memprof::tracked_resource resource("strings", &arena);
  void* const first = resource.allocate(33);
  resource.allocate(44);
  resource.deallocate(first, 33);
  resource.reset();
  arena.release();
}

void mistakes() {
  memprof_pop_tag();
  const memprof_pool pool = memprof_pool_create(MEMPROF_POOL, "gone");
  memprof_pool_free(pool, at(64));
  memprof_pool_destroy(pool);
  memprof_pool_alloc(pool, at(64), 10);
  memprof_pool_reset(pool);
  memprof_pool_create(1, "of mappings");
  memprof_track_alloc(77, at(64), 10);
  memprof_track_alloc(MEMPROF_GPU, nullptr, 10);  // no mistake: nothing was allocated
}

// Of tags, types and domains it is a mistake; a pool may do without.
void empty_names() {
  memprof_push_tag("outer");
  for (const char* const name : {"", static_cast<const char*>(nullptr)}) {
    memprof_push_tag(name);
    free(malloc(71));
    memprof_pop_tag();
    memprof_set_type(at(64), name);
    memprof_domain(name);
    const memprof_pool pool = memprof_pool_create(MEMPROF_POOL, name);
    memprof_pool_alloc(pool, at(64), 72);
    memprof_pool_destroy(pool);
  }
  memprof_pop_tag();
}

// Types for blocks that are there, for some that are no more, and for some that never were.
void types() {
  void* const block = malloc(81);
  memprof_set_type(block, "First");
  memprof_set_type(block, "Second");  // the block's
  memprof_set_type(at(64), "Nowhere");
  memprof_track_alloc(MEMPROF_GPU, at(64), 82);
  memprof_set_type_in(MEMPROF_GPU, at(64), "Texture");
  memprof_track_free(MEMPROF_GPU, at(64));
  memprof_set_type_in(MEMPROF_GPU, at(64), "Late");
  memprof_set_type_in(MEMPROF_EXTERNAL, at(128), "Elsewhere");
  free(block);
}

// More than there is room for.
void domains() {
  for (unsigned long i = 0; i < 66'000; ++i) {
    const uint16_t domain = memprof_domain(("domain " + std::to_string(i)).c_str());
    memprof_track_alloc(domain, at(0x1000 + i), 91);
    if (i == 0) memprof_track_free(domain, at(0x1000));
  }
  memprof_track_alloc(MEMPROF_EXTERNAL, at(0x1000), 92);
  memprof_track_alloc(MEMPROF_GPU, at(0x1000), 93);
}

// Blocks that no memory has room for, among others.
void sizes() {
  const memprof_pool pool = memprof_pool_create(MEMPROF_POOL, "arena");
  const size_t least = size_t{1} << 56;
  memprof_track_alloc(MEMPROF_GPU, at(0x1000), least - 1);
  for (const size_t bytes : {least, SIZE_MAX, SIZE_MAX - 22}) {
    memprof_track_alloc(MEMPROF_GPU, at(0x2000), bytes);
    memprof_track_realloc(MEMPROF_GPU, at(0x1000), at(0x3000), bytes);
    memprof_pool_alloc(pool, at(0x4000), bytes);
    memprof_track_alloc(MEMPROF_GPU, nullptr, bytes);  // no mistake, as the next: what failed is passed on
    memprof_pool_alloc(pool, nullptr, bytes);
  }
  memprof_pool_alloc(pool, at(0x5000), 10);
  memprof_pool_destroy(pool);
}

// Tags and domains in every combination, by two threads, some of it left.
void mixes() {
  const uint16_t textures = memprof_domain("textures");
  const auto work = [textures](unsigned long first) {
    for (const char* const tag : {"parse", "draw"}) {
      const memprof::scoped_tag scope(tag);
      for (unsigned long i = 1; i <= 5; ++i) {
        memprof_track_alloc(textures, at(first + i * 64), i * 1000);
        memprof_track_alloc(MEMPROF_GPU, at(first + i * 64), i * 10);
        void* const kept = malloc(40 * i);
        if (i % 2 == 0) free(kept);
        free(calloc(i, 30));
        if (i % 2 == 0) memprof_track_free(textures, at(first + i * 64));
      }
      first += 0x10000;
    }
    memprof_track_alloc(textures, at(first), 77);
  };
  work(0x100000);
  std::thread([work] {
    pthread_setname_np(pthread_self(), "worker");
    work(0x900000);
  }).join();
}

// The first call of a fresh child is one of the API.
void fork_child() {
  memprof_push_tag("parent");
  free(malloc(31));
  const memprof_pool pool = memprof_pool_create(MEMPROF_POOL, "shared");
  memprof_pool_alloc(pool, at(64), 70);
  const pid_t child = fork();
  if (child == 0) {
    memprof_pool_alloc(pool, at(128), 71);
    memprof_pool_reset(pool);
    free(malloc(32));
    memprof_set_type(malloc(34), "Child");
    memprof_pop_tag();
    free(malloc(33));
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  memprof_pop_tag();
  printf("child %d\n", status);
}

}  // namespace

int main(int, char** arguments) {
  const char* const what = arguments[1];
  memprof_mark("begin");
  if (strcmp(what, "blocks") == 0) blocks();
  if (strcmp(what, "tags") == 0) tags();
  if (strcmp(what, "threads") == 0) threads();
  if (strcmp(what, "pools") == 0) pools();
  if (strcmp(what, "resources") == 0) resources();
  if (strcmp(what, "empty_names") == 0) empty_names();
  if (strcmp(what, "types") == 0) types();
  if (strcmp(what, "domains") == 0) domains();
  if (strcmp(what, "sizes") == 0) sizes();
  if (strcmp(what, "mistakes") == 0) mistakes();
  if (strcmp(what, "mixes") == 0) mixes();
  if (strcmp(what, "forks") == 0) fork_child();
  memprof_flush();
  return 0;
}
