// Code that runs after the last destructor of all libraries: the C library writes its streams out then, and this
// stream's own write function allocates and frees, enough for more than a page of events.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "tally.h"

static int late_pairs;

static void churn(int pairs) {
  uint64_t random = 7;
  for (int i = 0; i < pairs; ++i) {
    const size_t size = next_random(&random) % 4000 + 1;
    char* block = hidden(malloc(size));
    block[0] = 1;
    free(block);
  }
}

static ssize_t write_late(void* cookie, const char* bytes, size_t count) {
  (void)cookie;
  (void)bytes;
  churn(late_pairs);
  print("%d pairs late\n", late_pairs);
  return (ssize_t)count;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  late_pairs = atoi(arguments[2]);
  FILE* stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_late});
  if (stream == NULL || fputs("something", stream) < 0) return 1;
  churn(atoi(arguments[1]));
  return 7;  // not closed: exit flushes it
}
