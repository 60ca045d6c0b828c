// Containers with a memprof::tracked_allocator, next to the same with the allocator that it wraps: only the blocks' tag
// and type are to differ. Prints what does.
#include <memprof/tracked.h>

#include <cstdio>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

namespace {

int problems = 0;
void check(bool is_right, const char* what) {
  if (is_right) return;
  ++problems;
  std::printf("%s\n", what);
}

// Has an opinion on everything that std::allocator_traits asks for.
template <class T>
struct Opinionated {
  using value_type = T;
  int id;
  int* constructed;
  int* destroyed;

  Opinionated(int number, int* made, int* ended) : id(number), constructed(made), destroyed(ended) {}
  template <class U>
  Opinionated(const Opinionated<U>& other) : id(other.id), constructed(other.constructed), destroyed(other.destroyed) {}

  T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* block, std::size_t count) { std::allocator<T>().deallocate(block, count); }
  std::size_t max_size() const noexcept { return 1000; }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ++*constructed;
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
  template <class U>
  void destroy(U* place) {
    ++*destroyed;
    place->~U();
  }
  Opinionated select_on_container_copy_construction() const { return {id + 100, constructed, destroyed}; }

  template <class U>
  friend bool operator==(const Opinionated& a, const Opinionated<U>& b) {
    return a.id == b.id;
  }
  template <class U>
  friend bool operator!=(const Opinionated& a, const Opinionated<U>& b) {
    return a.id != b.id;
  }
};

void asks_the_upstream() {
  int constructed = 0, destroyed = 0;
  {
    using Tracked = memprof::tracked_allocator<int, Opinionated<int>>;
    std::vector<int, Tracked> numbers(Tracked("numbers", {1, &constructed, &destroyed}));
    check(numbers.max_size() == 1000, "max_size() is not the upstream's");
    numbers.resize(3);
    check(constructed == 3, "the upstream does not construct");
    const std::vector<int, Tracked> copy = numbers;
    check(copy.get_allocator().upstream().id == 101, "a copy's allocator is not what the upstream selects");
    check(std::string(copy.get_allocator().tag()) == "numbers", "a copy has another tag");
    check(constructed == 6, "the upstream does not construct a copy");
  }
  check(destroyed == 6, "the upstream does not destroy");
}

// What a polymorphic allocator constructs uses its resource; what it selects for a copy does not.
void hands_its_resource_on() {
  std::pmr::monotonic_buffer_resource arena;
  using Upstream = std::pmr::polymorphic_allocator<std::pmr::string>;
  using Tracked = memprof::tracked_allocator<std::pmr::string, Upstream>;
  std::vector<std::pmr::string, Tracked> texts(Tracked("texts", Upstream(&arena)));
  texts.emplace_back("a text that is longer than what fits a string itself");
  texts.resize(20);
  for (const std::pmr::string& text : texts)
    check(text.get_allocator().resource() == &arena, "an element does not have the resource");
  const std::vector<std::pmr::string, Tracked> copy = texts;
  check(copy.get_allocator().upstream().resource() == std::pmr::get_default_resource(), "a copy has the resource");
  using Pair = std::pair<const int, std::pmr::string>;
  using TrackedPairs = memprof::tracked_allocator<Pair, std::pmr::polymorphic_allocator<Pair>>;
  std::map<int, std::pmr::string, std::less<int>, TrackedPairs> map{
      TrackedPairs("map", std::pmr::polymorphic_allocator<Pair>(&arena))};
  map.emplace(1, "one");
  check(map.at(1).get_allocator().resource() == &arena, "an element of a map does not have the resource");
}

struct MovesOnly {
  explicit MovesOnly(int value) : number(std::make_unique<int>(value)) {}
  std::unique_ptr<int> number;
};

void keeps_elements() {
  std::vector<MovesOnly, memprof::tracked_allocator<MovesOnly>> some(memprof::tracked_allocator<MovesOnly>("some"));
  for (int i = 0; i < 100; ++i) some.emplace_back(i);
  std::list<int, memprof::tracked_allocator<int>> list({1, 2, 3}, memprof::tracked_allocator<int>("list"));
  check(*some[99].number == 99 && list.back() == 3, "elements are lost");
}

}  // namespace

int main() {
  asks_the_upstream();
  hands_its_resource_on();
  keeps_elements();
  std::printf("%d problems\n", problems);
  return problems == 0 ? 0 : 1;
}
