// The type of a block, read off the frames that allocated it, where templates name it: std::allocator<T>::allocate,
// std::make_unique<T>, Box<T>::new, ... Frames of inlined calls count: that is where an optimized program has them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace memprof {

// The type that a frame's function (demangled, with template arguments) says it allocates. The nodes that containers
// put their elements into are named by what they hold: "std::map node of std::pair<int const, Shape>".
std::optional<std::string> block_type_of(std::string_view function);

}  // namespace memprof
