#include "stack_table/module_table.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <atomic>

#include "platform/clock.h"
#include "platform/own_module.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "trace_writer/record_stream.h"

// Since glibc 2.35; the weak reference lets the library load, and say so, on an older one.
extern "C" int _dl_find_object(void* address, struct dl_find_object* result) __attribute__((weak));

namespace memprof {
namespace {

constexpr uint32_t kMaxModules = 8192;

struct Module {
  std::atomic<uintptr_t> start;  // 0: unloaded, the place is free
  uint32_t id;
  uintptr_t end;
  uintptr_t load_bias;
  const void* link_map;
  const void* dynamic;  // tells a new object from an old one whose link_map address was reused
};

constinit Module modules[kMaxModules] = {};
constinit std::atomic<uint32_t> module_count{0};  // places in use or free again
constinit uint32_t last_id = 0;                   // under adding
constinit RareLock adding;

struct Object {
  uintptr_t start;
  uintptr_t end;
  const link_map* map;
};

bool find_object(uintptr_t address, Object* out) {
  if (_dl_find_object == nullptr) return false;
  dl_find_object found;
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0 || found.dlfo_link_map == nullptr) return false;
  out->start = reinterpret_cast<uintptr_t>(found.dlfo_map_start);
  out->end = reinterpret_cast<uintptr_t>(found.dlfo_map_end);
  out->map = found.dlfo_link_map;
  return true;
}

struct BuildId {
  const unsigned char* bytes = nullptr;
  size_t count = 0;
};

// Reads the notes of the mapped object. The first page holds the ELF header and, in every object that a loader
// accepts in practice, the program headers.
BuildId find_build_id(const Object& object) {
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(object.start);
  constexpr size_t kFirstPage = 4096;
  if (object.end - object.start < kFirstPage) return {};
  if (__builtin_memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {};
  if (header->e_phentsize != sizeof(ElfW(Phdr))) return {};
  if (header->e_phoff > kFirstPage || header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr)) > kFirstPage) return {};
  const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(object.start + header->e_phoff);
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type != PT_NOTE) continue;
    uintptr_t at = object.map->l_addr + segments[i].p_vaddr;
    const uintptr_t end = at + segments[i].p_memsz;
    if (at < object.start || end > object.end) continue;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(at);
      const uintptr_t name = at + sizeof(*note);
      const uintptr_t content = name + ((note->n_namesz + 3) & ~uintptr_t{3});
      const uintptr_t next = content + ((note->n_descsz + 3) & ~uintptr_t{3});
      if (next > end || next <= at) break;
      const bool gnu = note->n_namesz == 4 && __builtin_memcmp(reinterpret_cast<const void*>(name), "GNU", 4) == 0;
      if (gnu && note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= 64) {
        return {reinterpret_cast<const unsigned char*>(content), note->n_descsz};
      }
      at = next;
    }
  }
  return {};
}

void add_path(const Object& object, Text<4352>* out) {
  const char* name = object.map->l_name;
  if (name == nullptr || *name == '\0') {  // the program itself
    const long bytes = sys::read_link("/proc/self/exe", out->data(), out->capacity());
    out->set_length(bytes > 0 ? static_cast<size_t>(bytes) : 0);
    return;
  }
  bool has_slash = false;
  for (const char* at = name; *at != '\0'; ++at) has_slash |= *at == '/';
  if (!has_slash) {  // linux-vdso.so.1: the kernel's, no file
    out->add("[vdso]");
    return;
  }
  if (*name != '/') {
    const long bytes = sys::working_directory(out->data(), out->capacity());
    out->set_length(bytes > 1 ? static_cast<size_t>(bytes) - 1 : 0);
    out->add('/');
  }
  out->add(name);
}

void write_load_record(uint32_t id, const Object& object) {
  static constinit Text<4352> path;  // under adding
  path.clear();
  add_path(object, &path);
  const BuildId build_id = find_build_id(object);
  const format::ModuleLoad load{read_ticks(),
                                object.start,
                                object.end,
                                object.map->l_addr,
                                id,
                                static_cast<uint16_t>(build_id.count),
                                static_cast<uint16_t>(path.length())};
  const Piece pieces[] = {{&load, sizeof(load)}, {build_id.bytes, build_id.count}, {path.c_str(), path.length()}};
  write_module_record(format::ModuleRecord::load, pieces, 3);
  if (object.start != own_module_start()) return;
  const format::ModuleOfRecorder own{id, 0};
  const Piece piece{&own, sizeof(own)};
  write_module_record(format::ModuleRecord::recorder, &piece, 1);
}

bool is_module(const Module& module, const Object& object) {
  // acquire: pairs with the release in add_module, the other fields are then set
  return module.start.load(std::memory_order_acquire) == object.start && module.end == object.end &&
         module.link_map == object.map && module.dynamic == object.map->l_ld;
}

Module* find_module(const Object& object) {
  const uint32_t count = module_count.load(std::memory_order_acquire);
  for (uint32_t i = count; i > 0; --i) {
    if (is_module(modules[i - 1], object)) return &modules[i - 1];
  }
  return nullptr;
}

Module* add_module(const Object& object) {
  RareGuard guard(adding);
  if (!guard.held()) return nullptr;
  if (Module* known = find_module(object); known != nullptr) return known;
  const uint32_t count = module_count.load(std::memory_order_relaxed);
  uint32_t place = 0;
  while (place < count && modules[place].start.load(std::memory_order_relaxed) != 0) ++place;
  if (place == kMaxModules) return nullptr;
  Module& module = modules[place];
  module.id = ++last_id;
  write_load_record(module.id, object);
  module.end = object.end;
  module.load_bias = object.map->l_addr;
  module.link_map = object.map;
  module.dynamic = object.map->l_ld;
  module.start.store(object.start, std::memory_order_release);                   // pairs with the acquire in is_module
  if (place == count) module_count.store(count + 1, std::memory_order_release);  // pairs with find_module
  return &module;
}

}  // namespace

ModuleAddress locate(uintptr_t address) {
  Object object;
  if (!find_object(address, &object)) return {format::kNoModule, address};
  Module* module = find_module(object);
  if (module == nullptr) module = add_module(object);
  if (module == nullptr) return {format::kNoModule, address};
  return {module->id, address - module->load_bias};
}

bool is_in_object(uintptr_t address) {
  Object object;
  return find_object(address, &object);
}

void find_unloaded_modules(void (*retire)(uintptr_t start, uintptr_t end)) {
  const uint32_t count = module_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    uintptr_t start = modules[i].start.load(std::memory_order_acquire);
    Object object;
    if (start == 0 || (find_object(start, &object) && is_module(modules[i], object))) continue;
    // Whoever takes the start away writes the record; two dlclose may look at the same time.
    const format::ModuleUnload unload{read_ticks(), modules[i].id, 0};
    const uintptr_t end = modules[i].end;
    if (!modules[i].start.compare_exchange_strong(start, 0, std::memory_order_relaxed)) continue;
    const Piece piece{&unload, sizeof(unload)};
    write_module_record(format::ModuleRecord::unload, &piece, 1);
    retire(start, end);
  }
}

void reset_modules() {
  adding.reset();
  module_count.store(0, std::memory_order_relaxed);
  last_id = 0;
}

}  // namespace memprof
