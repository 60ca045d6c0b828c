// Allocators for C++17 that tell memprof what they hand out (memprof/memprof.h). Without memprof they pass everything
// on.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <string_view>
#include <utility>

#include "memprof/memprof.h"

namespace memprof {

// The name of T, terminated, as the compiler writes it. Its text ends with "T = NAME]" or, in gcc, "T = NAME; ...]".
template <class T>
const char* type_name() {
  static constexpr std::string_view whole = __PRETTY_FUNCTION__;
  static constexpr std::size_t begin = whole.find("T = ") + 4;
  static constexpr std::size_t length = whole.rfind(']') - begin;
  static constexpr auto name = [] {
    std::array<char, length + 1> copy{};
    for (std::size_t i = 0; i < length; ++i) copy[i] = whole[begin + i];
    return copy;
  }();
  return name.data();
}

// A memory resource whose blocks are those of a pool: around an arena such as std::pmr::monotonic_buffer_resource,
// whose own blocks memprof sees without it. As safe for threads as its upstream.
class tracked_resource : public std::pmr::memory_resource {
 public:
  explicit tracked_resource(const char* name, std::pmr::memory_resource* upstream = std::pmr::get_default_resource(),
                            std::uint16_t domain = MEMPROF_POOL)
      : pool_(memprof_pool_create(domain, name)), upstream_(upstream) {}
  ~tracked_resource() override { memprof_pool_destroy(pool_); }
  tracked_resource(const tracked_resource&) = delete;
  tracked_resource& operator=(const tracked_resource&) = delete;

  // The upstream has given everything back at once, or is about to: call it with release().
  void reset() { memprof_pool_reset(pool_); }
  std::pmr::memory_resource* upstream() const { return upstream_; }

 protected:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = upstream_->allocate(bytes, alignment);
    memprof_pool_alloc(pool_, block, bytes);
    return block;
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    memprof_pool_free(pool_, block);
    upstream_->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

 private:
  memprof_pool pool_;
  std::pmr::memory_resource* upstream_;
};

// An allocator whose blocks have a tag, and the type of their elements. For the rest it does what its upstream does, as
// std::allocator_traits of that have it: what one allocates another may free where their upstreams are equal, elements
// are constructed by the upstream, and copies of containers get the one that it selects.
template <class T, class Upstream = std::allocator<T>>
class tracked_allocator {
  using traits = std::allocator_traits<Upstream>;

 public:
  using value_type = T;
  using propagate_on_container_copy_assignment = typename traits::propagate_on_container_copy_assignment;
  using propagate_on_container_move_assignment = typename traits::propagate_on_container_move_assignment;
  using propagate_on_container_swap = typename traits::propagate_on_container_swap;
  using is_always_equal = typename traits::is_always_equal;
  template <class U>
  struct rebind {
    using other = tracked_allocator<U, typename traits::template rebind_alloc<U>>;
  };

  // `tag` must live as long as the allocator and its copies: a literal.
  explicit tracked_allocator(const char* tag, const Upstream& upstream = Upstream()) : tag_(tag), upstream_(upstream) {}
  template <class U, class OtherUpstream>
  tracked_allocator(const tracked_allocator<U, OtherUpstream>& other)
      : tag_(other.tag()), upstream_(other.upstream()) {}

  T* allocate(std::size_t count) {
    const scoped_tag tag(tag_);
    T* const block = traits::allocate(upstream_, count);
    memprof_set_type(block, type_name<T>());
    return block;
  }
  void deallocate(T* block, std::size_t count) { traits::deallocate(upstream_, block, count); }
  std::size_t max_size() const noexcept { return traits::max_size(upstream_); }

  template <class U, class... Arguments>
  auto construct(U* place,
                 Arguments&&... arguments) noexcept(noexcept(traits::construct(std::declval<Upstream&>(), place,
                                                                               std::forward<Arguments>(arguments)...)))
      -> decltype(traits::construct(std::declval<Upstream&>(), place, std::forward<Arguments>(arguments)...)) {
    traits::construct(upstream_, place, std::forward<Arguments>(arguments)...);
  }
  template <class U>
  void destroy(U* place) noexcept(noexcept(traits::destroy(std::declval<Upstream&>(), place))) {
    traits::destroy(upstream_, place);
  }
  tracked_allocator select_on_container_copy_construction() const {
    return tracked_allocator(tag_, traits::select_on_container_copy_construction(upstream_));
  }

  const char* tag() const { return tag_; }
  const Upstream& upstream() const { return upstream_; }

  template <class U, class OtherUpstream>
  friend bool operator==(const tracked_allocator& a, const tracked_allocator<U, OtherUpstream>& b) {
    return a.upstream_ == Upstream(b.upstream());
  }
  template <class U, class OtherUpstream>
  friend bool operator!=(const tracked_allocator& a, const tracked_allocator<U, OtherUpstream>& b) {
    return !(a == b);
  }

 private:
  const char* tag_;
  Upstream upstream_;
};

}  // namespace memprof
