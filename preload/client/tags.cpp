#include "client/tags.h"

#include "allocators/defined_functions.h"
#include "client/misuse.h"
#include "lifecycle/settings.h"
#include "platform/syscalls.h"
#include "trace_writer/record_stream.h"

namespace memprof {

using format::Domain;
using format::Function;
using format::Misuse;

constinit thread_local PushedTags pushed_tags = {};

namespace {

constexpr uint16_t kDomainNumbers = format::kFirstDefinedDomain - 1;  // of the first name, 1, is the first number
constexpr uint32_t kMostDomains = UINT16_MAX - 1 - kDomainNumbers;

void define_domain(uint32_t number, NameTable::Name name) {
  const format::DomainDefinition head{static_cast<uint16_t>(number + kDomainNumbers), {}};
  const Piece pieces[] = {{&head, sizeof(head)}, {name.text, name.bytes}};
  write_metadata_record(format::MetadataRecord::domain, pieces, name.bytes != 0 ? 2 : 1);
}

bool is_name_of(const char* names, NameTable::Name name) { return names_contain(names, name.text, name.bytes); }

// Bit n: MEMPROF_FILTER names tag n.
constinit std::atomic<uint64_t> filtered_tags[(NameTable::kMostNames + 1) / 64] = {};

// Before anybody has its number. The trace tells a user's tag where a function has it.
void note_if_filtered(uint32_t number, NameTable::Name name) {
  if (!is_name_of(settings.filter.tags.c_str(), name)) return;
  filtered_tags[number / 64].fetch_or(uint64_t{1} << number % 64, std::memory_order_relaxed);
}

constinit NameTable user_tags{note_if_filtered};
constinit NameTable domains{define_domain};

// function << 48 | domain << 32 | user tag << 16 | the number that stands for them; 0: an empty place.
constexpr uint32_t kPlaces = 1u << 17;
constinit std::atomic<std::atomic<uint64_t>*> combinations{nullptr};
constinit RareLock combinations_lock;
constinit uint32_t next_tag = kFirstClientTag;

uint64_t key_of(Function function, uint16_t domain, uint16_t user_tag) {
  return uint64_t{static_cast<uint16_t>(function)} << 48 | uint64_t{domain} << 32 | uint64_t{user_tag} << 16;
}

// A tag of a function that the format has no number for is told behind the function.
void tell_if_defined(Function function) {
  if (is_defined_function(function)) tell_function(function);
}

void define_tag(uint64_t combination) {
  const auto user_tag = static_cast<uint16_t>(combination >> 16);
  const format::TagDefinition head{static_cast<uint16_t>(combination), static_cast<uint16_t>(combination >> 48),
                                   static_cast<uint16_t>(combination >> 32), 0};
  const NameTable::Name name = user_tag != 0 ? user_tags.name(user_tag) : NameTable::Name{nullptr, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, {name.text, name.bytes}};
  write_metadata_record(format::MetadataRecord::tag, pieces, name.bytes != 0 ? 2 : 1);
}

// 0: it is not there, and `place` is where it belongs.
uint16_t find_combination(const std::atomic<uint64_t>* places, uint64_t key, uint32_t* place) {
  constexpr uint64_t kHash = 0x9E3779B97F4A7C15;
  for (uint32_t at = static_cast<uint32_t>((key * kHash) >> 47);; at = (at + 1) & (kPlaces - 1)) {
    const uint64_t found = places[at].load(std::memory_order_acquire);
    *place = at;
    if (found == 0) return 0;
    if ((found & ~uint64_t{UINT16_MAX}) == key) return static_cast<uint16_t>(found);
  }
}

__attribute__((noinline, cold)) uint16_t add_combination(uint64_t key) {
  const RareGuard guard(combinations_lock);
  if (!guard.held()) return 0;
  if (combinations.load(std::memory_order_relaxed) == nullptr) {
    void* const places = sys::map_anonymous(kPlaces * sizeof(std::atomic<uint64_t>));
    if (places == nullptr) return 0;
    combinations.store(static_cast<std::atomic<uint64_t>*>(places), std::memory_order_release);
  }
  uint32_t place = 0;
  std::atomic<uint64_t>* const places = combinations.load(std::memory_order_relaxed);
  if (const uint16_t tag = find_combination(places, key, &place)) return tag;  // another was quicker
  if (next_tag > UINT16_MAX) return 0;
  const uint64_t combination = key | next_tag++;
  tell_if_defined(static_cast<Function>(key >> 48));
  define_tag(combination);
  places[place].store(combination, std::memory_order_release);
  return static_cast<uint16_t>(combination);
}

uint16_t own_domain(Function function) { return static_cast<uint16_t>(domain_of_function(function)); }

}  // namespace

uint16_t user_tag_of(const char* name) {
  const auto number = static_cast<uint16_t>(user_tags.find_or_add(name));
  if (number == 0) count_misuse(Misuse::too_many);
  return number;
}

bool is_filtered_for_tag(uint16_t user_tag) {
  return (filtered_tags[user_tag / 64].load(std::memory_order_relaxed) >> user_tag % 64 & 1) != 0;
}

bool is_filtered_for_domain(uint16_t domain) {
  const char* const names = settings.filter.domains.c_str();
  if (*names == '\0') return true;
  if (domain >= format::kFirstDefinedDomain) return is_name_of(names, domains.name(domain - kDomainNumbers));
  const char* const name = format::kDomainNames[domain];
  return is_name_of(names, {name, static_cast<uint32_t>(text_length(name))});
}

// One without a name is there too: its pop will come.
void push_tag(const char* name) {
  const bool is_empty = NameTable::is_empty(name);
  if (is_empty) count_misuse(Misuse::empty_name);
  if (!pushed_tags.push(is_empty ? uint16_t{0} : user_tag_of(name))) count_misuse(Misuse::too_many);
}

void pop_tag() {
  if (!pushed_tags.pop()) count_misuse(Misuse::pop_without_push);
}

uint16_t domain_of(const char* name) {
  if (NameTable::is_empty(name)) {
    count_misuse(Misuse::empty_name);
    return kNoDomain;
  }
  for (uint16_t number = 0; number < sizeof(format::kDomainNames) / sizeof(format::kDomainNames[0]); ++number)
    if (__builtin_strcmp(name, format::kDomainNames[number]) == 0) return number;
  const uint32_t number = domains.count() < kMostDomains ? domains.find_or_add(name) : 0;
  if (number != 0) return static_cast<uint16_t>(number + kDomainNumbers);
  count_misuse(Misuse::too_many);
  return kNoDomain;
}

bool may_track_in(uint16_t domain) {
  if (domain >= format::kFirstDefinedDomain) return uint32_t{domain} - kDomainNumbers <= domains.count();
  return domain <= static_cast<uint16_t>(Domain::pool) && domain != static_cast<uint16_t>(Domain::mmap);
}

namespace {

// 0: there is no room for one more.
uint16_t number_of(Function function, uint16_t domain, uint16_t user_tag) {
  if (user_tag == 0 && domain == own_domain(function)) {
    tell_if_defined(function);
    return static_cast<uint16_t>(function);
  }
  const uint64_t key = key_of(function, domain, user_tag);
  const std::atomic<uint64_t>* const places = combinations.load(std::memory_order_acquire);
  uint32_t place = 0;
  uint16_t tag = places != nullptr ? find_combination(places, key, &place) : uint16_t{0};
  if (tag == 0) tag = add_combination(key);
  return tag;
}

}  // namespace

uint16_t tag_of(Function function, uint16_t domain, uint16_t user_tag) {
  if (const uint16_t tag = number_of(function, domain, user_tag)) return tag;
  count_misuse(Misuse::too_many);
  return user_tag != 0 ? number_of(function, domain, 0) : uint16_t{0};
}

uint16_t with_pushed_tag(Function function) { return tag_of(function, own_domain(function), pushed_tags.innermost()); }

void define_tags_again() {
  forget_told_functions();
  for (uint32_t number = 1; number <= domains.count(); ++number) define_domain(number, domains.name(number));
  const std::atomic<uint64_t>* const places = combinations.load(std::memory_order_acquire);
  for (uint32_t at = 0; places != nullptr && at < kPlaces; ++at)
    if (const uint64_t combination = places[at].load(std::memory_order_relaxed)) {
      tell_if_defined(static_cast<Function>(combination >> 48));
      define_tag(combination);
    }
}

}  // namespace memprof
