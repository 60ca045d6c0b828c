// Keeps blocks by one pointer each, in every kind of memory, and says where: "points KIND ADDRESS BLOCK", and for a
// register "holds BLOCK". points blocked: a thread blocks all signals besides, as libc lets it; points deaf: all that
// there are.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tally.h"

static void* in_data = (void*)1;
static void* in_bss;
static __thread void* in_tls;
static volatile int ready, finish;

static void points(const char* kind, void* place) {
  print("points %s 0x%lx 0x%lx\n", kind, (unsigned long)place, (unsigned long)*(void**)place);
}

static void* keep_on_stack(void* unused) {
  (void)unused;
  void* volatile block = malloc(101);
  in_tls = malloc(102);
  points("thread_stack", (void*)&block);
  points("thread_tls", &in_tls);
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  while (!finish) usleep(1000);
  return block;
}

// Spins with the block in a register.
static void* keep_in_register(void* unused) {
  (void)unused;
  void* block = malloc(103);
  print("holds 0x%lx\n", (unsigned long)block);
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
#if defined(__x86_64__)
  __asm__ volatile("1: pause; cmpl $0, %1; je 1b" : "+b"(block) : "m"(finish));
#else
  while (!finish) __asm__ volatile("" : "+r"(block));
#endif
  return block;
}

static int is_deaf;
static void* block_signals(void* unused) {
  (void)unused;
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  // libc keeps two for itself.
  const unsigned long really_all = ~0ul;
  if (is_deaf) syscall(SYS_rt_sigprocmask, SIG_SETMASK, &really_all, NULL, sizeof(really_all));
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  while (!finish) usleep(1000);
  return NULL;
}

static __attribute__((noinline)) void end(void) { exit(7); }

int main(int count, char** arguments) {
  is_deaf = count > 1 && strcmp(arguments[1], "deaf") == 0;
  const int blocked = is_deaf || (count > 1 && strcmp(arguments[1], "blocked") == 0);
  void* volatile on_stack = malloc(1);
  void** anonymous = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void** shared = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  // As much as a machine has addresses for; one page of it is touched.
  const size_t terabytes = (size_t)8 << 40;
  void** reserved = mmap(NULL, terabytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (anonymous == MAP_FAILED || shared == MAP_FAILED || reserved == MAP_FAILED) return 1;
  void** far = reserved + terabytes / sizeof(void*) - 1;
  in_data = malloc(2);
  in_bss = malloc(64);
  *(void**)in_bss = malloc(3);
  in_tls = malloc(4);
  anonymous[100] = malloc(5);
  shared[8000] = (char*)malloc(50) + 6;
  *far = malloc(7);
  points("reserved", far);
  points("stack", (void*)&on_stack);
  points("data", &in_data);
  points("bss", &in_bss);
  points("block", in_bss);
  points("tls", &in_tls);
  points("anonymous", &anonymous[100]);
  points("shared", &shared[8000]);
  pthread_t threads[3];
  void* (*const bodies[])(void*) = {keep_on_stack, keep_in_register, block_signals};
  const int wanted = blocked ? 3 : 2;
  for (int i = 0; i < wanted; ++i)
    if (pthread_create(&threads[i], NULL, bodies[i], NULL) != 0) return 2;
  while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) != wanted) usleep(1000);
  end();
  return (int)(size_t)on_stack;
}
