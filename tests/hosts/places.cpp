// Allocates at places whose frames differ between compilers and optimisation levels, and keeps every block; with "lost"
// as argument it forgets them all at the end.
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#ifdef PLACES_MOVED
// Lines are moved, and there is more code above.
namespace {
[[maybe_unused]] int not_used_for_anything(int x) { return x + 1; }
}  // namespace
#endif

#ifdef PLACES_INLINED
#define MAYBE_INLINE __attribute__((always_inline)) inline
#else
#define MAYBE_INLINE
#endif

void* volatile kept[256];
int used;
// What is done after the call keeps it a call.
#define KEEP(pointer) kept[used++ & 255] = (pointer)

static void* from_static(size_t size) {
  void* p = std::malloc(size);
  KEEP(p);
  return p;
}

MAYBE_INLINE static void helper(size_t size) { KEEP(std::malloc(size)); }

template <class T, int N>
struct Table {
  T* rows;
  explicit Table(size_t n) : rows(new T[n]) { KEEP(rows); }
  template <class U>
  void add(U count) {
    KEEP(std::calloc(count, N));
  }
};

namespace {
struct Hidden {
  char* text;
  explicit Hidden(size_t n) : text(new char[n]) { KEEP(text); }
};
}  // namespace

namespace shapes {
struct Shape {
  virtual ~Shape() = default;
  virtual void grow(size_t n) const = 0;
};
struct Circle final : Shape {
  void grow(size_t n) const override { KEEP(std::malloc(n)); }
};
bool operator<(const Shape&, size_t n) {
  KEEP(std::malloc(n));
  return false;
}
}  // namespace shapes

static int recurse(int depth, size_t size) {
  if (depth == 0) {
    KEEP(std::malloc(size));
    return 0;
  }
  const int below = recurse(depth - 1, size);
  KEEP(kept[0]);
  return below + 1;
}

static void use_lambdas(int argc) {
  auto first = [](size_t n) { KEEP(std::malloc(n)); };
  first(1001);
  auto second = [argc](size_t n) {
    auto inner = [n] { KEEP(std::malloc(n + static_cast<size_t>(0))); };
    inner();
    return argc;
  };
  second(1002);
  std::function<void(size_t)> held = first;
  held(1003);
}

static void use_library(int argc) {
  static std::vector<int> numbers;
  numbers.reserve(501);  // 2004
  static std::string text;
  text.assign(2005, 'x');
  KEEP(const_cast<char*>(text.data()));
  auto array = std::make_unique<char[]>(2007);
  KEEP(array.release());
  (void)argc;
}

// Once with "changed" as argument there is one place more, one less, and one with more blocks.
// Unlike the other, or clang would make one call of both.
static void appears() { KEEP(std::calloc(1, 6001)); }
static void disappears() { KEEP(std::malloc(6002)); }
static void repeats(int times) {
  for (int i = 0; i < times; ++i) KEEP(std::malloc(6003));
}

struct Global {
  void* p;
  Global() : p(std::malloc(3001)) { KEEP(p); }
};
static Global global;

static int lose_all() {
  for (void* volatile& block : kept) block = nullptr;
  volatile char zeros[16384];
  for (volatile char& zero : zeros) zero = 0;
  return 0;
}

__attribute__((noinline)) static void allocate_all(int argc, bool is_changed) {
  KEEP(from_static(4001));
  helper(4002);
  Table<int, 3> ints(1001);  // 4004
  Table<char, 1> chars(4005);
  ints.add(1002u);     // 3006
  chars.add(5002ull);  // 5002
  Hidden hidden(4006);
  shapes::Circle circle;
  const shapes::Shape& shape = circle;
  shape.grow(4007);
  KEEP(shape < 4008u ? nullptr : kept[1]);
  recurse(argc + 3, 4009);
  use_lambdas(argc);
  use_library(argc);
  repeats(is_changed ? 5 : 2);
  if (is_changed)
    appears();
  else
    disappears();
  KEEP(kept[0]);
}

int main(int argc, char** argv) {
  const bool is_lost = argc > 1 && std::string_view(argv[1]) == "lost";
  allocate_all(argc, argc > 1 && !is_lost);
  return is_lost ? lose_all() : 0;
}
