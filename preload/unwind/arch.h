// The processor's facts, chosen at compile time. Everything else in this directory is the same for all processors.
#pragma once

#if defined(__x86_64__)
#include "unwind/arch_x86_64.h"
#elif defined(__aarch64__)
#include "unwind/arch_aarch64.h"
#else
#error "the unwinder knows x86-64 and aarch64"
#endif
