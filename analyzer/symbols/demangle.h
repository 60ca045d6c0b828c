#pragma once

#include <string>
#include <string_view>

namespace memprof {

// The readable form of an ELF symbol or DWARF linkage name: C++ (Itanium), Rust v0 and Rust legacy (without its
// hash). Any other name, and one that is too long or expands without bound, comes back as it is.
std::string demangle(std::string_view name);

// "name@VERSION" and "name@@VERSION" as .symtab spells them, without the version.
std::string_view without_symbol_version(std::string_view name);

}  // namespace memprof
