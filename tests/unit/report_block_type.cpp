// What frames say about the type of a block.
#include <catch2/catch.hpp>

#include "report/block_type.h"

using memprof::block_type_of;

namespace {

std::string type(const char* function) { return block_type_of(function).value_or("-"); }

}  // namespace

TEST_CASE("allocators name their type, of both C++ libraries and of the program", "[report]") {
  CHECK(type("std::__new_allocator<Shape>::allocate(unsigned long, void const*)") == "Shape");
  CHECK(type("__gnu_cxx::new_allocator<int*>::allocate(unsigned long, void const*)") == "int*");
  CHECK(type("std::allocator<std::pair<int, long> >::allocate(unsigned long)") == "std::pair<int, long>");
  CHECK(type("std::allocator_traits<std::allocator<Shape> >::allocate(std::allocator<Shape>&, unsigned long)") ==
        "Shape");
  CHECK(type("std::__1::allocator<Shape>::allocate[abi:v15000](unsigned long)") == "Shape");
  CHECK(type("std::pmr::polymorphic_allocator<char>::allocate(unsigned long)") == "char");
  CHECK(type("game::PoolAllocator<game::Unit, 64>::allocate(int)") == "game::Unit");
  CHECK(type("void* __gnu_cxx::__alloc_traits<std::allocator<A<(1>2)> > >::f()") == "-");
}

TEST_CASE("makers of owned objects name them", "[report]") {
  CHECK(type("std::__detail::_MakeUniq<Shape>::__single_object std::make_unique<Shape, int>(int&&)") == "Shape");
  CHECK(type("std::shared_ptr<Shape> std::make_shared<Shape, int, char const (&) [4]>(int&&, char const (&) [4])") ==
        "Shape");
  CHECK(type("std::_MakeUniq<int []>::__array std::make_unique<int []>(unsigned long)") == "int []");
}

TEST_CASE("nodes and counts of containers are named by what they hold", "[report]") {
  CHECK(type("std::__new_allocator<std::_Rb_tree_node<std::pair<int const, Shape> > >::allocate(unsigned long, void "
             "const*)") == "tree node of std::pair<int const, Shape>");
  CHECK(type("std::__new_allocator<std::__detail::_Hash_node<std::pair<int const, long>, false> >::allocate(unsigned "
             "long, void const*)") == "hash node of std::pair<int const, long>");
  CHECK(type("std::__new_allocator<std::__detail::_Hash_node_base*>::allocate(unsigned long, void const*)") ==
        "buckets of a hash table");
  CHECK(type("std::__new_allocator<std::_List_node<int> >::allocate(unsigned long, void const*)") ==
        "list node of int");
  CHECK(type("std::__new_allocator<std::_List_node<std::__cxx11::basic_string<char, std::char_traits<char>, "
             "std::allocator<char> > > >::allocate(unsigned long, void const*)") == "list node of std::string");
  CHECK(type("std::__new_allocator<std::_Sp_counted_ptr_inplace<Shape, std::allocator<void>, "
             "(__gnu_cxx::_Lock_policy)2> >::allocate(unsigned long, void const*)") == "Shape");
  CHECK(type("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create(unsigned "
             "long&, unsigned long)") == "char");
}

TEST_CASE("a type whose name is one letter", "[report]") {
  CHECK(type("std::__new_allocator<A>::allocate(unsigned long, void const*)") == "A");
  CHECK(type("std::make_unique<T>") == "T");
  CHECK(type("std::make_shared<X, int&>") == "X");
}

TEST_CASE("names of Rust", "[report]") {
  CHECK(type("alloc::boxed::Box<T,A>::try_new_uninit_in::<alloc::collections::btree::node::LeafNode<u32, r::Foo>, "
             "alloc::alloc::Global>") == "BTree node of (u32, r::Foo)");
  CHECK(type("<alloc::boxed::Box<alloc::collections::btree::node::InternalNode<u32, r::Foo>>>::new_uninit_in") ==
        "BTree node of (u32, r::Foo)");
  CHECK(type("alloc::boxed::Box<app::Shape>::new") == "app::Shape");
  CHECK(type("<alloc::boxed::Box<app::Shape>>::new") == "app::Shape");
  CHECK(type("alloc::sync::Arc<std::sync::Mutex<i32>>::new") == "std::sync::Mutex<i32>");
  CHECK(type("<alloc::raw_vec::RawVec<app::Shape, alloc::alloc::Global>>::grow_one") == "app::Shape");
  CHECK(type("alloc::vec::Vec<u8>::with_capacity") == "u8");
  // The old mangling, with what the debug information adds.
  CHECK(type("alloc::vec::Vec<T,A>::push::<app::Shape, alloc::alloc::Global>") == "app::Shape");
  CHECK(type("alloc::raw_vec::RawVec<T,A>::grow_one::<(u64, alloc::string::String), alloc::alloc::Global>") ==
        "(u64, alloc::string::String)");
  CHECK(type("alloc::boxed::Box<T>::new::<app::Shape>") == "app::Shape");
  CHECK(type("hashbrown::raw::RawTable<T,A>::reserve_rehash::<(u64, u8), alloc::alloc::Global>") ==
        "hash table of (u64, u8)");
  CHECK(type("alloc::vec::Vec<T,A>::push") == "-");
  CHECK(type("alloc::vec::Vec<T,A>::push::<T>") == "-");
}

TEST_CASE("what names no type, or is no name at all", "[report]") {
  for (const char* function :
       {"", "main", "operator new(unsigned long)", "std::vector<int, std::allocator<int> >::push_back(int&&)", "f<",
        "f>", "allocator<", "allocator<>::allocate()", "allocator<int>", "allocator<(int>::allocate(",
        "make_unique<Shape", "void use(std::allocator<int>&)", "Shape::operator<(Shape const&)",
        "allocator<int>::deallocate(int*)"}) {
    INFO(function);
    CHECK(type(function) == "-");
  }
}

TEST_CASE("operators and lambdas within the arguments", "[report]") {
  CHECK(type("std::allocator<Wrap<&Shape::operator<> >::allocate(unsigned long)") == "Wrap<&Shape::operator<>");
  CHECK(type("std::allocator<f()::{lambda(int, long)#1}>::allocate(unsigned long)") == "f()::{lambda(int, long)#1}");
  CHECK(type("std::allocator<decltype (a->b)>::allocate(unsigned long)") == "decltype (a->b)");
}
