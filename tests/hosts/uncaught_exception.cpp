// An exception that nobody catches ends the program by abort, after the runtime has said so on standard error.
#include <cstdlib>
#include <stdexcept>

#include "tally.h"

int main() {
  for (int i = 0; i < 100; ++i) tally_add(hidden(std::malloc(600)), 600);
  expect("sized.600", 100);
  throw std::runtime_error("nobody catches this");
}
