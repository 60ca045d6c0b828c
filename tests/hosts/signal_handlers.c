// signal_handlers HOW: a handler that allocates. raised: with malloc, at known points, on its own stack too.
// mapped: with mmap (which a handler may call anywhere) whenever a 5 kHz timer fires, mostly inside malloc and free.
// The number of timer signals differs from run to run and is left in the file "signals".
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "tally.h"

static volatile sig_atomic_t handled;
static void* from_handler[100];

static void allocate_in_handler(int number) {
  (void)number;
  from_handler[handled] = tally_add(malloc(500), 500);
  free(hidden(tally_add(malloc(501), 501)));
  tally_sub(501);
  ++handled;
}

static void map_in_handler(int number) {
  (void)number;
  const int before = errno;
  char* page = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) {
    page[0] = 1;
    munmap(page, 12288);
  }
  ++handled;
  errno = before;
}

static void install(void (*handler)(int), int number, int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(number, &action, NULL);
}

static int raised(void) {
  static char stack[65536];
  const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  install(allocate_in_handler, SIGUSR1, 0);
  install(allocate_in_handler, SIGUSR2, SA_ONSTACK);
  sigaltstack(&other, NULL);
  for (int i = 0; i < 50; ++i) {
    raise(SIGUSR1);
    raise(SIGUSR2);
  }
  for (int i = 0; i < 100; ++i) {
    free(from_handler[i]);
    tally_sub(500);
  }
  print("handled %d\n", (int)handled);
  expect("called_from.allocate_in_handler", 200);
  expect_tally();
  return 0;
}

static int mapped(void) {
  enum { kBlocks = 1000, kSignals = 1000 };
  static void* blocks[kBlocks];
  install(map_in_handler, SIGALRM, SA_RESTART);
  const struct itimerval fast = {{0, 200}, {0, 200}};
  const struct itimerval off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &fast, NULL);
  uint64_t random = 3;
  unsigned long rounds = 0;
  int damaged = 0;
  while (handled < kSignals) {
    const unsigned place = next_random(&random) % kBlocks;
    if (blocks[place] != NULL && !holds(blocks[place], 40, (unsigned char)place)) ++damaged;
    free(blocks[place]);
    blocks[place] = malloc(40);
    fill(blocks[place], 40, (unsigned char)place);
    ++rounds;
  }
  setitimer(ITIMER_REAL, &off, NULL);
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  const int file = open("signals", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  char text[64];
  const int length = snprintf(text, sizeof text, "%d %lu", (int)handled, rounds);
  if (write(file, text, (size_t)length) != length) return 1;
  print("damaged %d\n", damaged);
  expect("open", 0);
  expect("orphans", 0);
  return 0;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  return strcmp(arguments[1], "raised") == 0 ? raised() : mapped();
}
