#include "trace_writer/same_run.h"

#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/syscalls.h"
#include "platform/text.h"

namespace memprof {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

// By its LD_PRELOAD.
bool parent_is_recorded() {
  Text<64> path;
  path.add("/proc/").add_number(sys::parent_id()).add("/environ");
  const long fd = sys::open_file(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  constexpr char kName[] = "LD_PRELOAD=";
  constexpr char kLibrary[] = "libmemprof.so";
  size_t name_at = 0, library_at = 0;
  bool in_entry = true;  // nothing but a prefix of kName seen since the last zero byte
  bool found = false;
  char buffer[512];
  for (long bytes; !found && (bytes = sys::read_file(static_cast<int>(fd), buffer, sizeof(buffer))) > 0;) {
    for (long i = 0; i < bytes && !found; ++i) {
      const char c = buffer[i];
      if (c == '\0') {
        in_entry = true;
        name_at = library_at = 0;
      } else if (in_entry && name_at < sizeof(kName) - 1) {
        in_entry = c == kName[name_at++];
      } else if (in_entry) {
        library_at = c == kLibrary[library_at] ? library_at + 1 : (c == kLibrary[0] ? 1 : 0);
        found = library_at == sizeof(kLibrary) - 1;
      }
    }
  }
  sys::close_file(static_cast<int>(fd));
  return found;
}

// Whoever forked this process is of its session, as long as neither has left it. Told of who did leave: no.
bool is_orphan() {
  const uint32_t session = sys::session_of(0);
  return session != sys::process_id() && session != sys::session_of(sys::parent_id());
}

uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// `end` against a start that is known to a tick only.
enum class Order { before, unclear, after };
Order order_of(uint64_t end_ns, uint64_t start_ns, uint64_t tick_ns, uint64_t now_ns) {
  if (end_ns < start_ns || end_ns > now_ns) return Order::before;  // in the future: on the clock of another boot
  return end_ns < start_ns + tick_ns ? Order::unclear : Order::after;
}

// When the process of a trace ended, against the start of this one.
Order ended(const format::FileHeader& header, int fd, uint64_t process_start) {
  const uint64_t tick_ns = kNsPerSecond / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  const uint64_t age_ns = less(clock_ns(CLOCK_BOOTTIME), process_start * tick_ns);
  const uint64_t now_ns = monotonic_ns();
  const uint64_t start_ns = less(now_ns, age_ns);
  if (header.end_state != format::EndState::running)
    return order_of(header.end_monotonic_ns, start_ns, tick_ns, now_ns);
  // It died without a word: after it had forked the last time, and after it took its last pages.
  if (order_of(header.last_fork_ns, start_ns, tick_ns, now_ns) != Order::before) return Order::after;
  struct stat status;
  if (sys::status(fd, &status) != 0) return Order::unclear;
  const uint64_t written_ns =
      static_cast<uint64_t>(status.st_mtim.tv_sec) * kNsPerSecond + static_cast<uint64_t>(status.st_mtim.tv_nsec);
  const uint64_t realtime_ns = clock_ns(CLOCK_REALTIME);
  const Order written = order_of(written_ns, less(realtime_ns, age_ns), tick_ns, realtime_ns);
  return written == Order::after ? Order::after : Order::unclear;
}

}  // namespace

bool is_of_this_run(const format::FileHeader& header, int fd, uint64_t process_start) {
  if (parent_is_recorded()) return true;
  // A child of what this process was before its exec: that was not recorded, or the name would be ours.
  if (process_start == 0 || header.parent_pid == sys::process_id()) return false;
  const Order order = ended(header, fd, process_start);
  return order == Order::after || (order == Order::unclear && is_orphan());
}

}  // namespace memprof
