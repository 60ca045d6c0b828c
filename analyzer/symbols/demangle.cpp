#include "symbols/demangle.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

// libiberty.h declares basename() anew unless its user's configure script says that the system has one.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

namespace memprof {
namespace {

// libiberty's demanglers recurse with the length of the name, and its own bound (1,024) refuses names that
// Boost and Eigen really have. 4,096 takes under 2 MB of stack at worst.
constexpr size_t kMaxMangledBytes = 4096;
constexpr size_t kRecursionSafeBytes = 1024;
// Back references let 100 bytes expand to gigabytes.
constexpr size_t kMaxDemangledBytes = 16384;

struct DemangledText {
  std::jmp_buf overflow;
  size_t used = 0;
  std::array<char, kMaxDemangledBytes> text;
};

void append(const char* text, size_t length, void* opaque) {
  auto& output = *static_cast<DemangledText*>(opaque);
  // The callback has no way to say stop. The frames jumped over are C and own nothing: with a callback
  // libiberty keeps everything in automatic storage.
  if (length > output.text.size() - output.used) std::longjmp(output.overflow, 1);
  // Of an empty name libiberty has no text at all, which memcpy may not be given.
  std::copy_n(text, length, output.text.data() + output.used);
  output.used += length;
}

using DemangleFunction = int (*)(const char*, int, demangle_callbackref, void*);

// No object with a destructor may live in this function: longjmp returns here.
bool run_demangler(DemangleFunction function, const char* name, int options, DemangledText& output) {
  output.used = 0;
  if (setjmp(output.overflow) != 0) return false;
  return function(name, options, append, &output) != 0;
}

}  // namespace

std::string demangle(std::string_view name) {
  const bool mangled = name.starts_with("_Z") || name.starts_with("_R") || name.starts_with("_GLOBAL_");
  if (!mangled || name.size() > kMaxMangledBytes) return std::string(name);

  std::string terminated(name);
  int options = DMGL_PARAMS | DMGL_ANSI;
  if (name.size() > kRecursionSafeBytes) options |= DMGL_NO_RECURSE_LIMIT;
  DemangledText output;
  // Rust first: its legacy scheme is well-formed C++ with a hash at the end.
  if (run_demangler(rust_demangle_callback, terminated.c_str(), options, output) ||
      run_demangler(cplus_demangle_v3_callback, terminated.c_str(), options, output))
    return std::string(output.text.data(), output.used);
  return terminated;
}

std::string_view without_symbol_version(std::string_view name) {
  const size_t at = name.find('@');
  return at == 0 || at == std::string_view::npos ? name : name.substr(0, at);
}

}  // namespace memprof
