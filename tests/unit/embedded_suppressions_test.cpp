// What a program brings for LeakSanitizer is read from its file: as gcc and clang write it, and from hostile bytes.
#include "gate/embedded_suppressions.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <random>

#include "gate/returned_pointer.h"
#include "skip.h"
#include "symbols_data/fixture.h"
#include "trace_opened.h"

using namespace memprof;
using symbols_test::read_bytes;
using symbols_test::TemporaryDirectory;
using symbols_test::write_bytes;

namespace {

// Each function stands for a program's __lsan_default_suppressions.
const char* const kSource = R"(
#include <stdlib.h>
#include <string.h>
const char* literal(void) { return "leak:literal\nleak:second\n"; }
static const char array[] = "leak:array";
const char* of_array(void) { return array; }
const char global_array[] = "leak:global_array";
const char* of_global_array(void) { return global_array; }
static const char* const pointer = "leak:pointer";
const char* of_pointer(void) { return pointer; }
static const char* volatile variable = "leak:variable";
const char* of_variable(void) { return variable; }
const char* global_variable = "leak:global_variable";
const char* of_global_variable(void) { return global_variable; }
const char* __lsan_default_suppressions(void) { return "leak:default"; }

const char* nothing(void) { return 0; }
const char* empty(void) { return ""; }

const char* calls(void) { return strdup("leak:calls"); }
const char* chooses(void) { return getenv("MEMPROF") != 0 ? "leak:one" : "leak:two"; }
static char zeros[64];
const char* of_zeros(void) { return zeros; }
int main(void) { zeros[1] = 'x'; return 0; }
)";

struct Expected {
  const char* function;
  const char* text;
};
constexpr Expected kTexts[] = {{"literal", "leak:literal\nleak:second\n"},
                               {"of_array", "leak:array"},
                               {"of_global_array", "leak:global_array"},
                               {"of_pointer", "leak:pointer"},
                               {"of_variable", "leak:variable"},
                               {"of_global_variable", "leak:global_variable"},
                               {"__lsan_default_suppressions", "leak:default"}};

bool has_compiler(const std::string& compiler) {
  return std::system((compiler + " --version >/dev/null 2>&1").c_str()) == 0;
}

// Empty when these options do not go together here.
std::string compiled(const TemporaryDirectory& directory, const std::string& compiler, const std::string& options) {
  const std::string source = directory / "program.c", binary = directory / "program";
  write_bytes(source, kSource);
  const std::string command = compiler + " -w " + options + " -o " + binary + " " + source + " 2>/dev/null";
  return std::system(command.c_str()) == 0 ? binary : std::string();
}

ElfFile opened(const std::string& path) {
  std::string error;
  auto file = ElfFile::open(path, error);
  REQUIRE(file);
  return std::move(*file);
}

void check_program(const std::string& binary) {
  const ElfFile file = opened(binary);
  for (const auto& [function, text] : kTexts) {
    CAPTURE(function);
    const auto found = embedded_suppressions(file, nullptr, function);
    REQUIRE(found);
    CHECK(found->problem == "");
    CHECK(found->text == text);
    CHECK(found->file == binary);
  }
  for (const char* function : {"nothing", "empty", "no_such_function"})
    CHECK_FALSE(embedded_suppressions(file, nullptr, function));
  for (const char* function : {"calls", "chooses"}) {
    CAPTURE(function);
    const auto found = embedded_suppressions(file, nullptr, function);
    REQUIRE(found);
    CHECK(found->text == "");
    CHECK(found->problem ==
          std::string("its suppressions are not used: ") + function + "() does more than to return a text");
  }
  const auto zeros = embedded_suppressions(file, nullptr, "of_zeros");
  REQUIRE(zeros);
  CHECK(zeros->problem == "its suppressions are not used: of_zeros() returns no text of the file");
}

void check_compiler(const std::string& compiler) {
  if (!has_compiler(compiler)) return tests::skip("there is no " + compiler);
  for (const char* link : {"-fPIE -pie", "-fno-pie -no-pie", "-fPIC -shared"})
    for (const char* optimization : {"-O0", "-O1", "-O2", "-O3", "-Os"}) {
      const std::string options = std::string(optimization) + " " + link;
      CAPTURE(compiler, options);
      const TemporaryDirectory directory;
      const std::string binary = compiled(directory, compiler, options);
      REQUIRE(binary != "");
      check_program(binary);
    }
  for (const char* options : {"-O0 -fcf-protection=full", "-O2 -fno-omit-frame-pointer", "-O2 -fPIC -shared -g -flto",
                              "-O1 -fPIE -pie -Wl,-z,pack-relative-relocs", "-O2 -fno-pie -no-pie -mcmodel=large"}) {
    CAPTURE(compiler, options);
    const TemporaryDirectory directory;
    if (const std::string binary = compiled(directory, compiler, options); binary != "") check_program(binary);
  }
}

// An ELF file of one segment at 0x400000: the code of the function at 0x200, a text at 0x300, a pointer to it at 0x310.
constexpr uint64_t kBase = 0x400000;
std::vector<char> small_file(uint16_t machine, const std::string& code) {
  std::vector<char> bytes(0x600);
  const auto put = [&](size_t offset, const auto& value) { std::memcpy(bytes.data() + offset, &value, sizeof value); };
  const std::string name = std::string(1, '\0') + std::string(kDefaultSuppressions);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof(Elf64_Ehdr);
  header.e_shoff = 0x500;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 3;
  put(0, header);
  put(sizeof header, Elf64_Phdr{.p_type = PT_LOAD,
                                .p_flags = PF_R | PF_X,
                                .p_offset = 0,
                                .p_vaddr = kBase,
                                .p_paddr = kBase,
                                .p_filesz = 0x400,
                                .p_memsz = 0x400,
                                .p_align = 4096});
  std::memcpy(bytes.data() + 0x200, code.data(), code.size());
  std::memcpy(bytes.data() + 0x300, "leak:small", 11);
  put(0x310, uint64_t{kBase + 0x300});
  std::memset(bytes.data() + 0x3f0, 'x', 16);  // a text without an end
  put(0x400 + sizeof(Elf64_Sym), Elf64_Sym{.st_name = 1,
                                           .st_info = GELF_ST_INFO(STB_GLOBAL, STT_FUNC),
                                           .st_other = 0,
                                           .st_shndx = 1,
                                           .st_value = kBase + 0x200,
                                           .st_size = code.size()});
  std::memcpy(bytes.data() + 0x480, name.c_str(), name.size() + 1);
  put(0x540, Elf64_Shdr{.sh_name = 0,
                        .sh_type = SHT_SYMTAB,
                        .sh_flags = 0,
                        .sh_addr = 0,
                        .sh_offset = 0x400,
                        .sh_size = 2 * sizeof(Elf64_Sym),
                        .sh_link = 2,
                        .sh_info = 1,
                        .sh_addralign = 8,
                        .sh_entsize = sizeof(Elf64_Sym)});
  put(0x580, Elf64_Shdr{.sh_name = 0,
                        .sh_type = SHT_STRTAB,
                        .sh_flags = 0,
                        .sh_addr = 0,
                        .sh_offset = 0x480,
                        .sh_size = name.size() + 1,
                        .sh_link = 0,
                        .sh_info = 0,
                        .sh_addralign = 1,
                        .sh_entsize = 0});
  return bytes;
}

// The text, "nothing", or why there is none.
std::string answer(std::vector<char> image) {
  const auto file = ElfFile::from_memory(std::move(image), "small");
  if (!file) return "no ELF file";
  const auto found = embedded_suppressions(*file);
  return !found ? "nothing" : found->problem.empty() ? found->text : found->problem;
}

std::string code_of(std::initializer_list<int> bytes) {
  std::string code;
  for (const int byte : bytes) code += static_cast<char>(byte);
  return code;
}

std::string words_of(std::initializer_list<uint32_t> words) {
  std::string code;
  for (const uint32_t word : words) code.append(reinterpret_cast<const char*>(&word), sizeof word);
  return code;
}

const std::string kRefused =
    "its suppressions are not used: __lsan_default_suppressions() does more than to return a text";
const std::string kNoText = "its suppressions are not used: __lsan_default_suppressions() returns no text of the file";

}  // namespace

TEST_CASE("the suppressions of a program as gcc compiles it", "[suppressions][embedded]") { check_compiler("gcc"); }

TEST_CASE("the suppressions of a program as clang compiles it", "[suppressions][embedded]") { check_compiler("clang"); }

TEST_CASE("a stripped program's suppressions are found by its debug file, a library's by itself",
          "[suppressions][embedded]") {
  if (!has_compiler("gcc") || !has_compiler("strip")) return tests::skip("there is no gcc or strip");
  const TemporaryDirectory directory;
  const std::string binary = compiled(directory, "gcc", "-g -O2 -fPIE -pie");
  REQUIRE(binary != "");
  std::filesystem::copy_file(binary, directory / "debug");
  REQUIRE(std::system(("strip " + binary).c_str()) == 0);
  const ElfFile stripped = opened(binary), debug = opened(directory / "debug");
  CHECK_FALSE(embedded_suppressions(stripped));
  REQUIRE(embedded_suppressions(stripped, &debug));
  CHECK(embedded_suppressions(stripped, &debug)->text == "leak:default");

  const std::string library = compiled(directory, "gcc", "-O2 -fPIC -shared -s");
  REQUIRE(embedded_suppressions(opened(library)));
  CHECK(embedded_suppressions(opened(library))->text == "leak:default");
}

TEST_CASE("the modules of a trace are asked in its order, once", "[suppressions][embedded]") {
  if (!has_compiler("gcc")) return tests::skip("there is no gcc");
  const TemporaryDirectory directory;
  const std::string binary = compiled(directory, "gcc", "-O1 -Wl,--build-id");
  REQUIRE(binary != "");
  const std::string id = symbols_test::text_of(symbols_test::build_id_of(binary));
  test::TraceBuilder builder;
  builder.add_module("/no/such/lib.so", 0x400000, 0x500000, 0x400000, "0123456789");
  builder.add_module("linux-vdso.so.1", 0x600000, 0x601000, 0x600000, "");
  builder.add_module(binary, 0x700000, 0x800000, 0x700000, id);
  builder.add_module(binary, 0x900000, 0xa00000, 0x900000, id);
  const Trace trace(test::open_bytes(builder.build()));
  const auto all = embedded_suppressions(trace, SymbolOptions());
  REQUIRE(all.size() == 1);
  CHECK(all[0].file == binary);
  CHECK(all[0].text == "leak:default");
  CHECK(embedded_suppressions(trace, SymbolOptions(false)).empty());

  test::TraceBuilder other_build;
  other_build.add_module(binary, 0x700000, 0x800000, 0x700000, "0123456789");
  const Trace other(test::open_bytes(other_build.build()));
  CHECK(embedded_suppressions(other, SymbolOptions()).empty());
}

TEST_CASE("instructions of x86-64 that return a text, and those that are refused", "[suppressions][embedded]") {
  const auto x86 = [](std::initializer_list<int> bytes) { return answer(small_file(EM_X86_64, code_of(bytes))); };
  CHECK(x86({0x48, 0x8d, 0x05, 0xf9, 0, 0, 0, 0xc3}) == "leak:small");           // lea rax, [rip + 0xf9]
  CHECK(x86({0xb8, 0, 3, 0x40, 0, 0xf3, 0xc3}) == "leak:small");                 // mov eax, 0x400300
  CHECK(x86({0x48, 0xc7, 0xc0, 0, 3, 0x40, 0, 0xc3}) == "leak:small");           // mov rax, 0x400300
  CHECK(x86({0x48, 0xb8, 0, 3, 0x40, 0, 0, 0, 0, 0, 0xc3}) == "leak:small");     // movabs rax, 0x400300
  CHECK(x86({0x48, 0x8b, 0x05, 0x09, 1, 0, 0, 0xc3}) == "leak:small");           // mov rax, [rip + 0x109]
  CHECK(x86({0x48, 0x8b, 0x04, 0x25, 0x10, 3, 0x40, 0, 0xc3}) == "leak:small");  // mov rax, [0x400310]
  CHECK(x86({0xb8, 0x10, 3, 0x40, 0, 0x48, 0x8b, 0, 0xc3}) == "leak:small");     // mov rax, [rax]
  CHECK(x86({0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0xb8, 0, 3, 0x40, 0, 0xc9, 0x90, 0xc3}) == "leak:small");
  CHECK(x86({0x31, 0xc0, 0xc3}) == "nothing");
  CHECK(x86({0xb8, 0x20, 3, 0x40, 0, 0xc3}) == "nothing");  // ""

  CHECK(x86({0xc3}) == kRefused);                                            // rax is the caller's
  CHECK(x86({0xb8, 0, 3, 0x40, 0}) == kRefused);                             // runs on into another function
  CHECK(x86({0xb8, 0, 3}) == kRefused);                                      // cut
  CHECK(x86({0x48, 0x8b, 0x00, 0xc3}) == kRefused);                          // mov rax, [rax] of nothing
  CHECK(x86({0xe8, 0, 0, 0, 0, 0xc3}) == kRefused);                          // call
  CHECK(x86({0x84, 0xc0, 0x74, 5, 0xb8, 0, 3, 0x40, 0, 0xc3}) == kRefused);  // jump
  CHECK(x86({0x48, 0x8b, 0x05, 0x09, 0, 0, 0x10, 0xc3}) == kRefused);        // mov rax, [outside]
  CHECK(x86({0xb8, 0, 3, 0x40, 0, 0x48, 0xff, 0xc0, 0xc3}) == kRefused);     // inc rax
  CHECK(x86({0xb8, 0xf0, 3, 0x40, 0, 0xc3}) == kNoText);                     // without an end
  CHECK(x86({0xb8, 0, 3, 0x50, 0, 0xc3}) == kNoText);                        // outside
  CHECK(x86({0x48, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc3}) == kNoText);
  std::string nops(70, static_cast<char>(0x90));
  CHECK(answer(small_file(EM_X86_64, nops + code_of({0xb8, 0, 3, 0x40, 0, 0xc3}))) == kRefused);  // too long
}

TEST_CASE("instructions of aarch64 that return a text, and those that are refused", "[suppressions][embedded]") {
  const auto arm = [](std::initializer_list<uint32_t> words) {
    return answer(small_file(EM_AARCH64, words_of(words)));
  };
  constexpr uint32_t kReturn = 0xd65f03c0;
  CHECK(arm({0x90000000, 0x910c0000, kReturn}) == "leak:small");              // adrp x0, 0x400000; add x0, x0, 0x300
  CHECK(arm({0x90000001, 0x910c0020, kReturn}) == "leak:small");              // by way of x1
  CHECK(arm({0x10000800, kReturn}) == "leak:small");                          // adr x0, 0x400300
  CHECK(arm({0x90000000, 0xf9418800, kReturn}) == "leak:small");              // ldr x0, [x0, 0x310]
  CHECK(arm({0xd503245f, 0x90000000, 0x910c0000, kReturn}) == "leak:small");  // bti c
  CHECK(arm({0xd503233f, 0xa9bf7bfd, 0x910003fd, 0x90000000, 0x910c0000, 0xa8c17bfd, 0xd50323bf, kReturn}) ==
        "leak:small");
  CHECK(arm({0xd2800000, kReturn}) == "nothing");
  CHECK(arm({0xaa1f03e0, kReturn}) == "nothing");
  CHECK(arm({kReturn}) == kRefused);
  CHECK(arm({0x910c0020, kReturn}) == kRefused);              // add x0, x1, 0x300 of an unknown x1
  CHECK(arm({0x90000000, 0x94000001, kReturn}) == kRefused);  // bl
  CHECK(arm({0x90000000, 0x910c0000}) == kRefused);           // runs on
  CHECK(answer(small_file(EM_RISCV, words_of({kReturn}))) == kRefused);
}

TEST_CASE("damaged files say something or nothing, and never more than they have", "[suppressions][embedded]") {
  const std::vector<char> good = small_file(EM_X86_64, code_of({0x48, 0x8b, 0x05, 0x09, 1, 0, 0, 0xc3}));
  REQUIRE(answer(good) == "leak:small");
  for (size_t length = 0; length < 0x5c0; length += 8)  // the rest is zeros
    CHECK(answer({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}) != "leak:small");
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    std::vector<char> bad = good;
    for (size_t n = 1 + random() % 3; n > 0; --n) {
      const char values[] = {0, 1, 0x7f, static_cast<char>(0x80), static_cast<char>(0xff), static_cast<char>(random())};
      bad[random() % bad.size()] = values[random() % std::size(values)];
    }
    answer(bad);
  }
}
