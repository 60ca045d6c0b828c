// Does what lines on its standard input say, and answers each: a program that somebody attaches memprof to.
//
//     turn      the main thread and three others do the work of one turn, each turn with sizes of its own
//     fork      so does a child that then exits
//     obstack   an obstack takes chunks, and gives them back
//     threads   threads that begin now call malloc and free, and end
//     code      prints a checksum of the code of libc, of the loader and of libstdc++
//     open LIB  opens a library, as a program may that knows memprof
#include <dlfcn.h>
#include <fcntl.h>
#include <obstack.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <new>

#include "tally.h"

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

namespace {

constexpr int kThreads = 4, kTurns = 8, kBlocks = 10;
void* blocks[kTurns][kThreads][kBlocks];
int turn;
// In a program that is no PIE its address is one in the program.
void* (*volatile allocate)(size_t) = malloc;
pthread_barrier_t begin, end;

// Of one thread: 16 allocations in the heap, 10 of which stay, and one mapping. Three of the turn before are freed.
void work(int thread) {
  const auto n = static_cast<size_t>(turn);
  for (void*& block : blocks[turn][thread]) block = hidden(malloc(1001 + n));
  blocks[turn][thread][0] = hidden(realloc(blocks[turn][thread][0], 1501 + n));
  for (int i = 1; i < 4 && turn > 0; ++i) free(blocks[turn - 1][thread][i]);
  delete[] static_cast<char*>(hidden(new char[2001 + n]));
  free(hidden(calloc(1, 3001 + n)));
  void* aligned = nullptr;
  if (posix_memalign(&aligned, 64, 4001 + n) == 0) free(hidden(aligned));
  free(hidden(allocate(5'000'001 + n)));  // glibc maps it
  fclose(fopen("/dev/null", "r"));        // one block of libc's own
  munmap(hidden(mmap(nullptr, 65536 * (1 + n), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), 65536 * (1 + n));
  jmp_buf place;
  if (setjmp(place) == 0) longjmp(place, 1);
}

void* wait_for_turns(void* number) {
  for (;;) {
    pthread_barrier_wait(&begin);
    work(static_cast<int>(reinterpret_cast<intptr_t>(number)));
    pthread_barrier_wait(&end);
  }
}

void take_turn() {
  pthread_barrier_wait(&begin);
  work(0);
  pthread_barrier_wait(&end);
  print("turn %d\n", turn++);
}

void fork_one() {
  const pid_t child = fork();
  if (child == 0) {
    work(0);
    exit(3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  print("child %d\n", WEXITSTATUS(status));
}

// Of two sizes: glibc's cache holds several lists when the thread ends.
void* begin_and_end(void*) {
  for (int i = 0; i < 10; ++i) {
    void* const first = hidden(malloc(77));
    void* const second = hidden(malloc(777));
    free(first);
    free(second);
  }
  return nullptr;
}

void start_threads() {
  pthread_t threads[5];
  for (pthread_t& thread : threads) pthread_create(&thread, nullptr, begin_and_end, nullptr);
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  print("threads ended\n");
}

void use_obstack() {
  obstack stack;
  obstack_begin(&stack, 1000);
  void* const first = obstack_alloc(&stack, 10);
  for (int i = 0; i < 9; ++i) obstack_alloc(&stack, 900);
  obstack_free(&stack, first);
  print("obstack is empty\n");
}

// Without the heap.
void print_code_sum() {
  static char maps[1 << 20];
  size_t length = 0;
  const int file = open("/proc/self/maps", O_RDONLY);
  for (ssize_t got; (got = read(file, maps + length, sizeof(maps) - 1 - length)) > 0;)
    length += static_cast<size_t>(got);
  close(file);
  maps[length] = '\0';
  uint64_t sum = 14695981039346656037u;
  for (char* line = maps; *line != '\0';) {
    char* const next = strchr(line, '\n');
    *next = '\0';
    uint64_t from, to;
    const bool is_code = sscanf(line, "%lx-%lx r-xp", &from, &to) == 2 && strstr(line, " r-xp ") != nullptr;
    if (is_code && (strstr(line, "/libc.so") || strstr(line, "/libstdc++") || strstr(line, "/ld-linux"))) {
      for (auto* at = reinterpret_cast<const unsigned char*>(from); at < reinterpret_cast<const unsigned char*>(to);
           ++at)
        sum = (sum ^ *at) * 1099511628211u;
    }
    line = next + 1;
  }
  static int times;
  print("code %d: %lx\n", times++, static_cast<unsigned long>(sum));
}

// A line without its end; false at the end of the input.
bool read_line(char* line, size_t room) {
  size_t length = 0;
  while (length + 1 < room && read(0, line + length, 1) == 1) {
    if (line[length] == '\n') {
      line[length] = '\0';
      return true;
    }
    ++length;
  }
  return false;
}

}  // namespace

int main() {
  pthread_barrier_init(&begin, nullptr, kThreads);
  pthread_barrier_init(&end, nullptr, kThreads);
  for (intptr_t i = 1; i < kThreads; ++i) {
    pthread_t thread;
    pthread_create(&thread, nullptr, wait_for_turns, reinterpret_cast<void*>(i));
  }
  print("ready\n");
  char line[4096];
  while (read_line(line, sizeof line)) {
    if (strcmp(line, "turn") == 0 && turn < kTurns) take_turn();
    if (strcmp(line, "fork") == 0) fork_one();
    if (strcmp(line, "obstack") == 0) use_obstack();
    if (strcmp(line, "threads") == 0) start_threads();
    if (strcmp(line, "code") == 0) print_code_sum();
    if (strncmp(line, "open ", 5) == 0) print("opened %d\n", dlopen(line + 5, RTLD_NOW) != nullptr);
  }
  print("end after %d turns\n", turn);
  return 5;
}
