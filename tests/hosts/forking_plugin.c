// Its constructor allocates and forks; the child allocates, and ends in there.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void* kept;

__attribute__((constructor)) static void start(void) {
  kept = malloc(980);
  const pid_t child = fork();
  if (child == 0) {
    free(kept);
    void* block = malloc(981);
    __asm__ volatile("" : "+r"(block) : : "memory");
    _exit(block == NULL);
  }
  int status = -1;
  waitpid(child, &status, 0);
  if (status != 0) abort();
}
__attribute__((destructor)) static void stop(void) { free(kept); }

void* plugin_allocate(size_t bytes) { return malloc(bytes); }
