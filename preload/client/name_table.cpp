#include "client/name_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "platform/syscalls.h"

namespace memprof {
namespace {

constexpr size_t kTextBytes = 1u << 16;

}  // namespace

// 0: it is not there, and `place` is where it belongs.
uint32_t NameTable::find(uint64_t hash, Name name, uint32_t* place) const {
  const std::atomic<uint32_t>* const places = places_.load(std::memory_order_acquire);
  for (uint32_t at = static_cast<uint32_t>(hash) & (kPlaces - 1);; at = (at + 1) & (kPlaces - 1)) {
    const uint32_t number = places[at].load(std::memory_order_acquire);
    *place = at;
    if (number == 0) return 0;
    const Entry& entry = entries_[number];
    if (entry.hash == hash && entry.bytes == name.bytes && __builtin_memcmp(entry.text, name.text, name.bytes) == 0)
      return number;
  }
}

bool NameTable::map() {
  if (places_.load(std::memory_order_relaxed) != nullptr) return true;
  if (entries_ == nullptr) entries_ = static_cast<Entry*>(sys::map_anonymous((kMostNames + 1) * sizeof(Entry)));
  void* const places = sys::map_anonymous(kPlaces * sizeof(std::atomic<uint32_t>));
  if (entries_ == nullptr || places == nullptr) return false;
  places_.store(static_cast<std::atomic<uint32_t>*>(places), std::memory_order_release);
  return true;
}

char* NameTable::take_text(size_t bytes) {
  if (text_left_ < bytes) {
    char* const more = static_cast<char*>(sys::map_anonymous(kTextBytes));
    if (more == nullptr) return nullptr;
    text_ = more;
    text_left_ = kTextBytes;
  }
  char* const taken = text_;
  text_ += bytes;
  text_left_ -= bytes;
  return taken;
}

uint32_t NameTable::find_or_add(const char* text) {
  Name name{text, 0};
  while (name.bytes < kLongestName && text[name.bytes] != '\0') ++name.bytes;
  const uint64_t hash = XXH3_64bits(text, name.bytes);
  uint32_t place = 0;
  if (__builtin_expect(places_.load(std::memory_order_acquire) != nullptr, 1)) {
    if (const uint32_t number = find(hash, name, &place)) return number;
  }
  const RareGuard guard(lock_);
  if (!guard.held() || !map()) return 0;
  if (const uint32_t number = find(hash, name, &place)) return number;  // another was quicker
  const uint32_t number = count_.load(std::memory_order_relaxed) + 1;
  if (number > kMostNames) return 0;
  char* const copy = take_text(name.bytes);
  if (copy == nullptr) return 0;
  for (uint32_t i = 0; i < name.bytes; ++i) copy[i] = text[i];
  entries_[number] = {copy, hash, name.bytes};
  define_(number, {copy, name.bytes});
  count_.store(number, std::memory_order_release);
  places_.load(std::memory_order_relaxed)[place].store(number, std::memory_order_release);
  return number;
}

}  // namespace memprof
