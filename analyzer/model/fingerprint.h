// A name for an allocating stack that survives a rebuild: the same place in the source has it in another build too.
//
// It is the list of the functions, innermost first, each by its canonical name (fingerprint_name.h), as follows:
//   * Frames that were inlined count like others: whether a call was inlined does not show.
//   * No address, no line, no file, no offset. A frame without a function is named by its module, "(libfoo.so)"; the
//     program itself is "(program)" whatever its file is called.
//   * Of a run of frames of the C++ standard library only the outermost stays, which is what the program called: how
//     the library comes to its operator new differs between its versions and optimisation levels.
//   * An operator new at the inner end goes: it is a frame only where libstdc++ is linked statically.
//   * Repetition is folded, direct (f f f) and mutual (f g f g): recursion has a fingerprint at any depth.
//   * The code that calls main or a thread's function goes.
//   * A stack whose outer end is unknown ends with "(truncated)".
// What cannot be bridged: a call that became a jump (its caller has left the stack), functions that the linker merged
// because their code is equal, and inlined frames of a build without debug information. fingerprint_match.h is for
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace memprof {

// To be raised whenever another list or hash comes of the same stack: stored fingerprints are void then.
inline constexpr int kFingerprintVersion = 1;

struct NamedFrame {
  std::string_view function;  // demangled; empty: unknown
  std::string_view module;    // path; empty: none
};

struct Fingerprint {
  std::vector<uint32_t> names;  // of Fingerprinter::name(), innermost first
  uint64_t hash = 0;            // XXH3-64 of the names' texts
};

// Gives equal names equal numbers, so that comparing is cheap: one for all traces that are compared.
class Fingerprinter {
 public:
  // `program`: path of the executable, as the frames' modules have it.
  Fingerprint fingerprint(const std::vector<NamedFrame>& frames, std::string_view program, bool is_truncated);

  // Of names that a fingerprint was made of.
  Fingerprint of_names(const std::vector<std::string>& names);

  std::string_view name(uint32_t number) const { return names_[number].text; }
  // The names without those of the C++ standard library.
  std::vector<uint32_t> names_of_program(const Fingerprint& fingerprint) const;
  std::string text_of(const Fingerprint& fingerprint, std::string_view separator) const;

 private:
  struct Name {
    std::string_view text;  // a key of numbers_
    bool is_library;        // of the C++ standard library
    bool is_startup;
    bool is_operator_new;
  };

  void set_hash(Fingerprint& fingerprint) const;
  uint32_t number_of_frame(const NamedFrame& frame, std::string_view program);
  uint32_t intern(std::string text);

  std::unordered_map<std::string, uint32_t> numbers_;
  std::unordered_map<std::string, uint32_t> of_function_;  // by the demangled name, of modules other than libc
  std::vector<Name> names_;
};

// 16 hexadecimal digits.
std::string fingerprint_text(uint64_t hash);

}  // namespace memprof
