// seccomp MODE: gives up all system calls but read, write, exit, exit_group and rt_sigreturn, or the processor's clock,
// and goes on allocating. MODE: strict, kill, errno, threads, others, signals, many,
// forks, child, refused, no_tsc, exit_group, race, or the path of a library: its function is called then. vfork,
// vfork_exec: a child that shares the memory does so, and ends or becomes another program. bare: by the processor's own
// instruction. inherited: for this program once more, with all that it needs but fallocate.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tally.h"

enum { kThreads = 3, kRacers = 8, kShallow = 20, kDeep = 240 };

static void* add(size_t bytes) {
  unsigned char* block = malloc(bytes);
  if (block == NULL) {
    print("no memory\n");
    _exit(9);
  }
  *block = 1;
  return tally_add(block, bytes);
}
static void release(void* block, size_t bytes) {
  free(block);
  tally_sub(bytes);
}

// Onto pages of the stack that nobody has been on.
__attribute__((noinline)) static void allocate_deep(int depth) {
  char frame[3000];
  hidden(frame);
  if (depth > 0) {
    allocate_deep(depth - 1);
  } else {
    release(add(33), 33);
  }
  hidden(frame);
}

__attribute__((noinline)) static void work(int rounds, int depth) {
  for (int i = 0; i < rounds; ++i) {
    const size_t bytes = 16 + (size_t)i % 200;
    release(add(bytes), bytes);
  }
  for (int i = 0; i < 10; ++i) add(777);
  for (int i = 0; i < depth; i += 20) allocate_deep(i);
}

// The heap never asks the kernel again.
static void grow_heap(int most_arenas) {
  enum { kRoom = 8 << 20 };
  mallopt(M_ARENA_MAX, most_arenas);
  mallopt(M_MMAP_THRESHOLD, 2 * kRoom);
  mallopt(M_TRIM_THRESHOLD, 4 * kRoom);
  void* block = add(kRoom);
  release(block, kRoom);
}

static struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 5, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 4, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog filter = {sizeof program / sizeof *program, program};

static void must(long result) {
  if (result == 0) return;
  print("failed %d\n", errno);
  _exit(8);
}

static int go, done;

static void* allocate_when_told(void* argument) {
  // One has allocated before the filter, the others never have.
  if (argument == NULL) work(10, kShallow);
  __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
  // One after the other: to wait for the heap's lock would be a system call.
  while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) <= (long)argument) {
  }
  work(1000, kDeep);
  __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
  while (go) hidden(NULL);  // its end would be a system call
  return NULL;
}

static void start_threads(void) {
  for (long i = 0; i < kThreads; ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, allocate_when_told, (void*)i));
  }
  while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < kThreads) sched_yield();
}

// Two threads that keep their system calls, and make pages of the trace meanwhile.
static void* allocate_all_the_time(void* argument) {
  (void)argument;
  __atomic_fetch_add(&go, 1, __ATOMIC_ACQ_REL);
  for (int i = 0; i < 20; ++i) work(10000, kShallow);
  __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
  return NULL;
}

static void start_others(void) {
  for (int i = 0; i < 2; ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, allocate_all_the_time, NULL));
  }
  while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) < 2) sched_yield();
}

// Each gives all of them a filter, at the same time.
static void* install_with_others(void* argument) {
  work(500, kShallow);
  __atomic_fetch_add(&go, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(&go, __ATOMIC_ACQUIRE) < kRacers) {
  }
  must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter));
  work(500, kShallow);
  __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
  while (argument != NULL) hidden(NULL);  // its end would be a system call
  return NULL;
}

static void race(void) {
  // Takes the places of read and rt_sigreturn.
  program[1].k = SYS_seccomp;
  program[5].k = SYS_futex;
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  for (int i = 1; i < kRacers; ++i) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, install_with_others, &go));
  }
  install_with_others(NULL);
  while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < kRacers) {
  }
}

static int traps;
static void on_trap(int signal) {
  (void)signal;
  ++traps;
  release(add(55), 55);
}

static void trap(int times) {
  for (int i = 0; i < times; ++i) {
#if defined(__x86_64__)
    __asm__ volatile("int3" : : : "memory");
#else
    on_trap(0);
#endif
  }
}

static void install_filter(void) {
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void fork_child(int child_gets_filter) {
  const pid_t child = fork();
  if (child == 0) {
    if (child_gets_filter) install_filter();
    for (int i = 0; i < 100; ++i) free(hidden(malloc(66)));
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  print("child %d %d\n", child > 0, status);
}

static char stack[1 << 18] __attribute__((aligned(16)));

static int confine_guest(void* program_to_be) {
  install_filter();
  work(100, kShallow);
  char* arguments[] = {program_to_be, NULL};
  if (program_to_be != NULL) execv(program_to_be, arguments);
  work(100, kShallow);
  _exit(3);
}

// Its parent goes on with all its calls, for many pages of the trace.
static void start_guest(char* program_to_be) {
  if (program_to_be != NULL) {
    program[6] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  }
  int status = -1;
  const pid_t child = clone(confine_guest, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, program_to_be);
  must(waitpid(child, &status, 0) != child);
  print("guest %d\n", status);
  fork_child(0);
  work(5000000, kShallow);
}

static void install_bare(void) {
#if defined(__x86_64__)
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_seccomp), "D"(SECCOMP_SET_MODE_FILTER), "S"(0), "d"(&filter)
                   : "rcx", "r11", "memory");
  must(result);
#endif
}

static void hand_down(char** arguments) {
  struct sock_filter all_but_one[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog handed_down = {sizeof all_but_one / sizeof *all_but_one, all_but_one};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &handed_down));
  char* command[] = {arguments[0], "exit_group", NULL};
  execv(command[0], command);
  must(-1);
}

typedef void* (*Allocate)(size_t bytes);

// By a name relative to a directory that is left before the library is used.
static Allocate load(const char* library) {
  char directory[4096], name[4096];
  const char* last = strrchr(library, '/');
  snprintf(directory, sizeof directory, "%.*s", (int)(last - library), library);
  snprintf(name, sizeof name, ".%s", last);
  must(chdir(directory));
  void* handle = dlopen(name, RTLD_NOW);
  Allocate allocate = NULL;
  if (handle != NULL) *(void**)&allocate = dlsym(handle, "quiet_allocate");
  must(allocate == NULL);
  return allocate;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const char* mode = arguments[1];
  const Allocate allocate_in_library = mode[0] == '/' ? load(mode) : NULL;
  // A heap of their own for threads that are not under the filter: nobody waits for another's lock.
  grow_heap(strcmp(mode, "others") == 0 ? 8 : 1);
  work(100, kShallow);
  if (strcmp(mode, "threads") == 0) start_threads();
  if (strcmp(mode, "others") == 0) start_others();
  if (strcmp(mode, "errno") == 0 || strcmp(mode, "forks") == 0) {
    program[6] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  }
  if (strcmp(mode, "forks") == 0) {
    // Takes the places of exit and rt_sigreturn.
    program[3].k = SYS_clone;
    program[5].k = SYS_wait4;
  }
  struct sigaction action = {.sa_handler = on_trap};
  sigaction(SIGTRAP, &action, NULL);
  trap(3);

  errno = 77;
  if (strcmp(mode, "strict") == 0) {
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  } else if (strcmp(mode, "no_tsc") == 0) {
    must(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
  } else if (strcmp(mode, "refused") == 0) {
    struct sock_fprog empty = {0, program};
    print("refused %ld %d\n", (long)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &empty), errno);
    print("refused %ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), errno);
    print("refused %ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &empty), errno);
    print("none %d\n", prctl(PR_GET_SECCOMP));
    fork_child(0);
  } else if (strcmp(mode, "child") == 0) {
    fork_child(1);
  } else if (strcmp(mode, "vfork") == 0) {
    start_guest(NULL);
  } else if (strcmp(mode, "vfork_exec") == 0) {
    start_guest("/no/such/program");
  } else if (strcmp(mode, "bare") == 0) {
    install_bare();
    work(1000000, kShallow);
  } else if (strcmp(mode, "inherited") == 0) {
    hand_down(arguments);
  } else if (strcmp(mode, "race") == 0) {
    race();
  } else if (strcmp(mode, "threads") == 0) {
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter));
  } else if (strcmp(mode, "exit_group") != 0) {
    install_filter();
  }
  print("errno %d\n", errno);

  if (strcmp(mode, "others") == 0) {
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < 2) {
    }
  }
  work(2000, kDeep);
  if (allocate_in_library != NULL) release(tally_add(hidden(allocate_in_library(999)), 999), 999);
  if (strcmp(mode, "signals") == 0) trap(1000);
  if (strcmp(mode, "many") == 0) work(5000000, kDeep);
  if (strcmp(mode, "forks") == 0) fork_child(0);
  if (strcmp(mode, "threads") == 0) {
    for (int i = 1; i <= kThreads; ++i) {
      __atomic_store_n(&go, i, __ATOMIC_RELEASE);
      while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < kThreads + i) {
      }
    }
  }
  print("traps %d\n", traps);
  expect("orphans", 0);
  expect("mismatched", 0);
  expect_tally();
  if (strcmp(mode, "strict") == 0) syscall(SYS_exit, 5);  // exit_group is not among the four
  if (strcmp(mode, "exit_group") == 0) syscall(SYS_exit_group, 4);
  return 6;
}
