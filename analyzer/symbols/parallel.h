#pragma once

#include <cstddef>
#include <functional>

namespace memprof {

// Calls work(0) to work(count - 1), in this order and by at most `workers` threads at the same time, this one included.
// The first exception of them ends the rest and is thrown on. Their stacks hold what demangle() may need.
void run_in_parallel(unsigned workers, size_t count, const std::function<void(size_t)>& work);

// 0 means as many as there are processors.
unsigned settled_workers(unsigned workers);

}  // namespace memprof
