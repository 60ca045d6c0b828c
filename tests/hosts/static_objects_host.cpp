// Uses a library whose static objects free their blocks after main's own are gone, and has static objects too.
#include <string>

#include "static_objects.h"
#include "tally.h"

namespace {

struct Own {
  std::string text = std::string(650, 'x');
  ~Own() { print("program: static objects are gone\n"); }
};
Own own;

}  // namespace

int main() {
  print("blocks %d, text %zu\n", static_blocks(), own.text.size());
  expect("sized.700", 10);
  expect("sized.701", 1);
  expect("sized.651", 1);
  expect("open", 0);
  expect("orphans", 0);
  expect("mismatched", 0);
  return 0;
}
