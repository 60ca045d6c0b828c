// Has a userfaultfd that tells of forks, read by a thread of its own. Status 77: the system does not allow one.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int watcher;

static void* watch(void* unused) {
  struct uffd_msg message;
  for (;;) {
    if (read(watcher, &message, sizeof(message)) < 0) break;
  }
  return unused;
}

int main(void) {
  watcher = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK};
  pthread_t thread;
  if (watcher < 0 || ioctl(watcher, UFFDIO_API, &api) != 0) return 77;
  void* const watched = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register wanted = {.range = {(unsigned long)watched, 1 << 20}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(watcher, UFFDIO_REGISTER, &wanted) != 0) return 77;
  if (pthread_create(&thread, NULL, watch, NULL) != 0) return 1;
  void* volatile block = malloc(100);
  return block == NULL;
}
