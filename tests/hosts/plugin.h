#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void* plugin_allocate(size_t bytes);
// Throws and catches inside, through `frames` frames. How many exceptions it caught.
int plugin_throw(int frames);

#ifdef __cplusplus
}
#endif
