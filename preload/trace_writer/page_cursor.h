// Writes records into the pages of one stream. Used by one thread at a time, without locks.
//
// Invariants: a record is stored whole before `used` covers it; a page is sealed before the next one is claimed. At
// every instant seal() may be called by a signal handler that knows that the interrupted call will never go on.
#pragma once

#include <atomic>

#include "platform/rare_lock.h"
#include "trace_writer/trace_writer.h"

namespace memprof {

class PageCursor {
 public:
  // Room for `bytes` more? `bytes` is at most a page's payload.
  bool has_room(size_t bytes) const { return static_cast<size_t>(end_ - at_) >= bytes; }
  unsigned char* at() const { return at_; }

  // Publishes everything up to `end`, which lies in the room.
  void publish(unsigned char* end) {
    at_ = end;
    const auto used = static_cast<uint32_t>(end - payload());
    // release: pairs with the acquire load of `used` in whoever reads the live file
    std::atomic_ref(page_->used).store(used, std::memory_order_release);
  }

  // Seals the page, if any, and claims the next. False: claim_page says why.
  bool roll(format::StreamKind kind, uint32_t stream_id, uint32_t thread_serial, uint32_t thread_id,
            uint64_t start_units = kAnyTime) {
    const SignalsBlocked until_done;  // a page claimed and forgotten would be a gap in the stream
    if (diverted_) {
      page_ = reinterpret_cast<format::PageHeader*>(run_.start);
      at_ = payload();
      end_ = run_.start + format::kPageSize;
      return true;
    }
    seal();
    format::PageHeader* page = claim_page({kind, stream_id, sequence_, thread_serial, thread_id, start_units}, &run_);
    if (page == nullptr) return false;
    ++sequence_;
    page_ = page;
    at_ = payload();
    end_ = reinterpret_cast<unsigned char*>(page_) + format::kPageSize;
    return true;
  }

  void seal() {
    if (page_ == nullptr) return;
    format::PageHeader* page = page_;
    forget();
    std::atomic_signal_fence(std::memory_order_release);
    seal_page(page);
  }

  // For the last time: gives the mapping back, too.
  void close() {
    seal();
    unmap_run(&run_);
  }

  // The page is another process's (after fork): unmap, change nothing in it.
  void abandon() {
    if (diverted_) return;  // the code that the fork interrupted may be about to use it
    forget();
    unmap_run(&run_);
    sequence_ = 0;
  }

  // The page is another process's (after fork), and the code below us goes on in it: what it still writes is kept
  // nowhere.
  void divert() { diverted_ = divert_run(&run_); }

  // Time 0 of the page's events.
  uint64_t start_units() const { return (page_->base_ticks >> format::kTimeShift) - page_->lead_units; }

 private:
  unsigned char* payload() const { return reinterpret_cast<unsigned char*>(page_) + sizeof(format::PageHeader); }
  void forget() { end_ = nullptr, at_ = nullptr, page_ = nullptr; }

  unsigned char* at_;
  unsigned char* end_;
  format::PageHeader* page_;
  PageRun run_;
  uint32_t sequence_;
  bool diverted_;
};

}  // namespace memprof
