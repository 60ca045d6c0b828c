// forks_among_threads N: forks N children while other threads allocate; each child allocates too, and ends.
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

static int stop;

static void* churn(void* argument) {
  // In spells: at work about half of the time, so that many forks meet it, and few are kept waiting.
  while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
    for (int i = 0; i < 500; ++i) {
      void* block = realloc(malloc(40), 4000);
      free(hidden(block));
    }
    usleep(50);
  }
  return argument;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const int children = atoi(arguments[1]);
  pthread_t threads[3];
  void* inherited = malloc(555);
  int good = 0;
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, churn, NULL);
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int k = 0; k < 100; ++k) free(hidden(malloc(777)));
      free(inherited);
      if (i % 2 == 0) _exit(0);
      exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    good += status == 0;
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  free(inherited);
  print("%d children\n", good);
  expect("open_sized.555", 0);
  expect("sized.555", 1);
  expect("orphans", 0);
  return 0;
}
