#include "lifecycle/settings.h"

#include <signal.h>

#include "platform/diagnostics.h"
#include "unwind/unwinder.h"

namespace memprof {

constinit Settings settings;

namespace {

constexpr int kFirstFreeRealTime = 35, kLastSignal = 64;  // libc uses the lowest of the kernel's for itself

constexpr unsigned kMaxGiven = 16;
constinit const char* given[kMaxGiven + 1] = {};
constinit unsigned given_count = 0;

bool parse_number(const char* text, uint64_t* out) {
  if (*text == '\0') return false;
  uint64_t value = 0;
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *text - '0', &value)) return false;
  }
  *out = value;
  return true;
}

bool set_switch(const char* value, bool* out) {
  if (text_equals(value, "0") || text_equals(value, "1")) {
    *out = *value == '1';
    return true;
  }
  return false;
}

bool set_count(const char* value, uint64_t least, uint64_t most, uint32_t* out) {
  uint64_t number = 0;
  if (!parse_number(value, &number) || number < least || number > most) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

bool set_output(const char* value) {
  if (*value == '\0') return false;
  Text<4096> pattern;
  pattern.add(value);
  if (pattern.cut()) return false;
  for (const char* at = value; *at != '\0'; ++at) {
    if (*at != '%') continue;
    ++at;
    if (*at != 'p' && *at != 'e' && *at != 'n' && *at != '%') return false;
  }
  settings.output = pattern;
  return true;
}

struct Setting {
  const char* name;
  const char* expected;
  bool (*set)(const char* value);
};

// A signal that a program may have a use for, but the kernel has none.
int parse_signal(const char* text, size_t length) {
  static constexpr struct {
    const char* name;
    int number;
  } kNamed[] = {{"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"SIGHUP", SIGHUP}};
  for (const auto& named : kNamed)
    if (__builtin_strlen(named.name) == length && __builtin_memcmp(named.name, text, length) == 0) return named.number;
  int number = 0;
  for (size_t i = 0; i < length; ++i) {
    if (text[i] < '0' || text[i] > '9' || number > kLastSignal) return 0;
    number = number * 10 + (text[i] - '0');
  }
  // The others by their names: 1 is what people write who mean "on".
  const bool is_usable = number >= kFirstFreeRealTime && number <= kLastSignal;
  return is_usable ? number : 0;
}

bool set_snapshot(const char* value) {
  bool at_exit = false;
  int signal = 0;
  if (!text_equals(value, "never")) {
    for (const char* at = value;;) {
      size_t length = 0;
      while (at[length] != '\0' && at[length] != ',') ++length;
      if (length == 4 && __builtin_memcmp(at, "exit", 4) == 0)
        at_exit = true;
      else if ((signal = parse_signal(at, length)) == 0)
        return false;
      if (at[length] == '\0') break;
      at += length + 1;
    }
  }
  settings.snapshot_at_exit = at_exit;
  settings.snapshot_signal = signal;
  return true;
}

bool set_toggle(const char* value) {
  settings.toggle_signal = parse_signal(value, text_length(value));
  return settings.toggle_signal != 0 || text_equals(value, "never");
}

constinit const char* meant = nullptr;  // the name that a value which was refused may stand for

constexpr Setting kSettings[] = {
    {"MEMPROF_OUTPUT", "a path of fewer than 4096 bytes with %p, %e, %n or %%", set_output},
    {"MEMPROF_FILTER", "conditions such as domain=cpu,allocator=malloc|new,size>=4096",
     [](const char* value) { return parse_filter(value, &settings.filter, &meant); }},
    {"MEMPROF_MAX_DEPTH", "a number of frames from 1 to 1024",
     [](const char* value) { return set_count(value, 1, kMaxDepth, &settings.max_depth); }},
    {"MEMPROF_FREE_STACKS", "0 or 1", [](const char* value) { return set_switch(value, &settings.free_stacks); }},
    {"MEMPROF_FOLLOW_FORK", "0 or 1", [](const char* value) { return set_switch(value, &settings.follow_fork); }},
    {"MEMPROF_START", "on or paused",
     [](const char* value) {
       settings.start_paused = text_equals(value, "paused");
       return settings.start_paused || text_equals(value, "on");
     }},
    {"MEMPROF_SNAPSHOT", "exit, a signal (SIGUSR1, SIGUSR2, SIGHUP or 35 to 64), both with a comma, or never",
     set_snapshot},
    {"MEMPROF_TOGGLE", "a signal (SIGUSR1, SIGUSR2, SIGHUP or 35 to 64) or never", set_toggle},
    {"MEMPROF_LIMIT", "a size in bytes, or with K, M or G",
     [](const char* value) { return parse_size(value, &settings.limit_bytes) && settings.limit_bytes > 0; }},
    {"MEMPROF_RUN", "a number of the run, above 0",
     [](const char* value) { return parse_number(value, &settings.run) && settings.run > 0; }},
    {"MEMPROF_VERIFY_STACKS", "0, or N to check every Nth stack",
     [](const char* value) { return set_count(value, 0, UINT32_MAX, &settings.verify_stacks); }},
    {"MEMPROF_PATCH", "0 or 1", [](const char* value) { return set_switch(value, &settings.patch); }},
    {"MEMPROF_VERBOSE", "0 or 1", [](const char* value) { return set_switch(value, &settings.verbose); }},
};
static_assert(kMaxDepth == 1024, "the text of MEMPROF_MAX_DEPTH names the limit");

// Returns the value when `entry` is NAME=value.
const char* value_of(const char* entry, const char* name) {
  while (*name != '\0' && *entry == *name) ++entry, ++name;
  return *name == '\0' && *entry == '=' ? entry + 1 : nullptr;
}

constexpr char kPrefix[] = "MEMPROF_";
constexpr char kOptionsOfLlvm[] = "MEMPROF_OPTIONS";

size_t name_length(const char* entry) {
  size_t length = 0;
  while (entry[length] != '\0' && entry[length] != '=') ++length;
  return length;
}

bool starts_with(const char* text, const char* prefix) {
  while (*prefix != '\0' && *text == *prefix) ++text, ++prefix;
  return *prefix == '\0';
}

// Levenshtein's distance between a name of `length` bytes and a setting's name.
size_t distance(const char* name, size_t length, const char* other) {
  constexpr size_t kMost = 32;
  const size_t other_length = text_length(other);
  if (length > kMost || other_length > kMost) return SIZE_MAX;
  size_t row[kMost + 1];
  for (size_t i = 0; i <= other_length; ++i) row[i] = i;
  for (size_t at = 0; at < length; ++at) {
    size_t diagonal = row[0];
    row[0] = at + 1;
    for (size_t i = 0; i < other_length; ++i) {
      const size_t replaced = diagonal + (name[at] == other[i] ? 0 : 1);
      const size_t shifted = 1 + (row[i] < row[i + 1] ? row[i] : row[i + 1]);
      diagonal = row[i + 1];
      row[i + 1] = replaced < shifted ? replaced : shifted;
    }
  }
  return row[other_length];
}

void say_unknown(const char* entry) {
  const size_t length = name_length(entry);
  const Setting* nearest = &kSettings[0];
  for (const Setting& setting : kSettings) {
    if (distance(entry, length, setting.name) < distance(entry, length, nearest->name)) nearest = &setting;
  }
  Text<1024> line;
  line.add(entry, length).add(": there is no such setting");
  const size_t far = text_length(nearest->name) - text_length(kPrefix);
  if (distance(entry, length, nearest->name) < far) line.add("; did you mean ").add(nearest->name).add('?');
  say(line.c_str());
}

// False: the entry is none of these.
bool set(const char* entry) {
  for (const Setting& setting : kSettings) {
    const char* value = value_of(entry, setting.name);
    if (value == nullptr) continue;
    const Settings before = settings;
    meant = nullptr;
    if (setting.set(value)) {
      if (given_count < kMaxGiven) given[given_count++] = entry;
    } else {
      settings = before;
      Text<1024> line;
      line.add(setting.name).add(": expected ").add(setting.expected).add(", found '").add(value);
      line.add("'; using the default");
      if (meant != nullptr) line.add("; did you mean ").add(meant).add('?');
      say(line.c_str());
    }
    return true;
  }
  return false;
}

}  // namespace

void read_settings(char** environment) {
  settings.output.add("trace.bin");
  for (char** entry = environment; *entry != nullptr; ++entry) {
    if (!starts_with(*entry, kPrefix) || value_of(*entry, kOptionsOfLlvm) != nullptr) continue;
    if (!set(*entry)) say_unknown(*entry);
  }
  if (settings.toggle_signal != 0 && settings.toggle_signal == settings.snapshot_signal) {
    settings.toggle_signal = 0;
    say("MEMPROF_TOGGLE: MEMPROF_SNAPSHOT has the same signal; it takes snapshots and toggles nothing");
  }
}

void forget_settings() {
  settings = Settings();
  given_count = 0;
}

const char* given_setting(unsigned index) { return index < given_count ? given[index] : nullptr; }

}  // namespace memprof
