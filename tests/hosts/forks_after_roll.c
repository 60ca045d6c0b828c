// A thread signals the main thread without end. Its handler forks once, where it came as the recorder let signals in
// again (behind a system call of libmemprof's): the child returns into that, when its parent is no more. What it
// forked is left in the file "forks"; without memprof there is no such place, and none.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#include "tally.h"

enum { kRounds = 3000000 };

static int parent_lives[2];
static volatile sig_atomic_t may_fork, forks, in_child;
static atomic_int is_done;

static int is_behind_own_system_call(const ucontext_t* context) {
#if defined(__x86_64__)
  const unsigned char* const at = (const unsigned char*)context->uc_mcontext.gregs[REG_RIP];
  struct dl_find_object found;
  return _dl_find_object((void*)at, &found) == 0 && strstr(found.dlfo_link_map->l_name, "libmemprof") != NULL &&
         at[-2] == 0x0f && at[-1] == 0x05;
#else
  (void)context;
  return 0;
#endif
}

static void split(int number, siginfo_t* info, void* context) {
  (void)number, (void)info;
  if (!may_fork || forks != 0 || in_child || !is_behind_own_system_call(context)) return;
  if (fork() != 0) {
    forks = 1;
    return;
  }
  in_child = 1;
  close(parent_lives[1]);
  char end;
  while (read(parent_lives[0], &end, 1) < 0) {
  }
}

static void* signal_without_end(void* thread) {
  while (!is_done) pthread_kill(*(pthread_t*)thread, SIGUSR1);
  return NULL;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(void) {
  if (pipe(parent_lives) != 0) return 1;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = split;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGUSR1, &action, NULL);
  pthread_t self = pthread_self(), other;
  pthread_create(&other, NULL, signal_without_end, &self);
  may_fork = 1;
  // Behind the fork for so long that a sample of the process's memory is due in the child.
  uint64_t forked_ns = 0;
  for (unsigned i = 0; (i < kRounds || forks != 0) && !in_child; ++i) {
    free(hidden(malloc(40)));
    if (forks != 0 && i % 64 == 0) {
      if (forked_ns == 0) forked_ns = now_ns();
      if (now_ns() - forked_ns > 200000000) break;
    }
  }
  if (in_child) _exit(0);
  is_done = 1;
  pthread_join(other, NULL);
  const int file = open("forks", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const char count = (char)('0' + forks);
  return write(file, &count, 1) != 1;
}
