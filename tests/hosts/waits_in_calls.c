// waits_in_calls HOW: a thread waits in a system call, or for a signal, and says so if something comes; main ends. HOW:
// poll, nanosleep, semaphore, sigwait.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "tally.h"

static const char* how;
static volatile pid_t waiting;

static int wait_for_nothing(void) {
  struct timespec long_time = {1000, 0};
  if (strcmp(how, "poll") == 0) return poll(NULL, 0, 1000000);
  if (strcmp(how, "nanosleep") == 0) return nanosleep(&long_time, NULL);
  if (strcmp(how, "semaphore") == 0) {
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    clock_gettime(CLOCK_REALTIME, &long_time);
    long_time.tv_sec += 1000;
    return sem_timedwait(&semaphore, &long_time);
  }
  sigset_t real_time;
  int signal = 0;
  sigemptyset(&real_time);
  for (int i = SIGRTMAX; i > SIGRTMAX - 20; --i) sigaddset(&real_time, i);
  pthread_sigmask(SIG_BLOCK, &real_time, NULL);
  return sigwait(&real_time, &signal) == 0 ? signal : -1;
}

static void* body(void* unused) {
  waiting = gettid();
  const int result = wait_for_nothing();
  print("the wait ended: %d, errno %d\n", result, errno);
  return unused;
}

// Until it sleeps, as the kernel tells.
static void wait_until_asleep(void) {
  char path[64], text[256];
  while (waiting == 0) sched_yield();
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", waiting);
  for (;;) {
    FILE* file = fopen(path, "r");
    if (file == NULL) exit(4);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[bytes] = '\0';
    const char* state = strrchr(text, ')');
    if (state != NULL && state[2] == 'S') return;
    sched_yield();
  }
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  how = arguments[1];
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, NULL) != 0) return 3;
  wait_until_asleep();
  return 5;
}
