// C++ inside a C program: its runtime comes with this plugin, and its exceptions must find their way.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "plugin.h"

namespace {

__attribute__((noinline)) void dive(int frames) {
  std::string text(100, 'x');
  if (frames == 0) throw std::runtime_error(text);
  dive(frames - 1);
  text += 'y';
}

}  // namespace

int plugin_throw(int frames) {
  int caught = 0;
  for (int i = 0; i < 10; ++i) {
    try {
      dive(frames);
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  return caught;
}

void* plugin_allocate(std::size_t bytes) { return std::malloc(bytes); }
