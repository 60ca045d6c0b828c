// Snapshots in the middle of the run, by the call or by the signal SIGUSR2. Says "taken N" and goes on while they are
// written; threads allocate meanwhile. `points` holds what the first snapshot must find held, and drops it afterwards.
#include <memprof/memprof.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void* volatile held;
static atomic_int stop;

static void* churn(void* unused) {
  (void)unused;
  void* kept[64] = {0};
  for (unsigned i = 0; !atomic_load(&stop); i = (i + 1) % 64) {
    free(kept[i]);
    kept[i] = malloc(16 + i);
  }
  for (int i = 0; i < 64; ++i) free(kept[i]);
  return NULL;
}

static int snapshot(int by_signal) {
  if (by_signal) return raise(SIGUSR2) == 0;
  return memprof_snapshot();
}

static int with_threads(int by_signal, int times) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, churn, NULL);
  int taken = 0;
  for (int i = 0; i < times; ++i) taken += snapshot(by_signal);
  atomic_store(&stop, 1);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  return taken;
}

// What is not kept stays for a while below the stack pointer, and in registers that a callee may use.
__attribute__((noinline)) static void forget(void) {
  char zeros[16384];
  memset(zeros, 0, sizeof(zeros));
  __asm__ volatile("" : : "r"(zeros) : "memory");
#if defined(__x86_64__)
  __asm__ volatile(
      "xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n xor %%edi, %%edi\n xor %%r8d, %%r8d\n"
      "xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1"
      :
      :
      : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1");
#endif
}

int main(int count, char** arguments) {
  const char* const what = count > 1 ? arguments[1] : "";
  const int by_signal = count > 2 && strcmp(arguments[2], "signal") == 0;
  int taken = 0;
  if (strcmp(what, "points") == 0) {
    held = malloc(1000);
    malloc(2000);  // lost
    forget();
    taken = snapshot(by_signal);
    held = NULL;  // lost too, but later
    malloc(3000);
  } else if (strcmp(what, "threads") == 0) {
    taken = with_threads(by_signal, 20);
  } else if (strcmp(what, "forks") == 0) {
    taken = snapshot(by_signal);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      const int own = snapshot(by_signal);
      printf("child taken %d\n", own > 0 && getenv("MEMPROF_OUTPUT") == NULL);
      exit(0);
    }
    int status = 0;
    // What memprof forked is no child of the program's.
    if (waitpid(-1, &status, 0) != child) return 3;
    if (waitpid(-1, &status, 0) != -1) return 4;
  } else {
    return 2;
  }
  printf("taken %d\n", taken);
  return 0;
}
