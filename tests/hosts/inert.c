// Preloaded where memprof is not, so that both runs have as many libraries and as many thread-local blocks: the
// vector of them that a thread allocates grows with each.
static __thread volatile int thread_local_block __attribute__((tls_model("initial-exec")));

int inert_touch(void) { return ++thread_local_block; }
