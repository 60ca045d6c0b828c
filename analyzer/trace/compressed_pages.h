// Reads a compressed trace (compressed_trace.h) as if it were the trace file that was packed.
//
// The index is read at opening; of the groups, the last few that were unpacked are kept. Threads that want the same
// group wait for the first to unpack it; those that want others do not wait.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memprof/compressed_trace.h"
#include "trace/file_descriptor.h"
#include "trace/page_group.h"
#include "trace/page_source.h"

namespace memprof {

class CompressedPages : public PageSource {
 public:
  static bool is_compressed(int descriptor);
  // Throws TraceError.
  CompressedPages(FileDescriptor file, std::string name);
  ~CompressedPages() override;

  uint64_t size_bytes() const override { return original_bytes_; }
  uint64_t stored_bytes() const override { return stored_bytes_; }
  bool is_compressed() const override { return true; }
  // EBADMSG: the group that has the page is damaged.
  size_t read(uint64_t offset, std::span<std::byte> out, int& error) const override;
  uint64_t next_data(uint64_t offset) const override;

 private:
  struct Page {
    format::PageHeader head;
    uint32_t page, bytes;
    uint32_t group;
    uint32_t offset;  // in the group's payloads
  };
  struct Group {
    format::GroupEntry entry;
    uint32_t first_page;  // in `shapes_`
    uint32_t payload_bytes;
  };
  struct Unpacked;

  // Enough for the pages that a few hundred threads have open at one time, in the order in which they were claimed.
  static constexpr size_t kKeptGroups = 32;

  void read_header();
  std::vector<std::byte> read_index(format::CompressedFooter& footer) const;
  void read_groups(std::span<const std::byte> entries, uint64_t page_count, uint64_t end);
  void read_pages(std::span<const std::byte> planes);
  void read_part(uint64_t offset, std::span<std::byte> out) const;
  [[noreturn]] void fail(uint64_t offset, std::string expected, std::string found) const;
  const Page* find(uint64_t page) const;
  std::shared_ptr<const Unpacked> unpacked(uint32_t group) const;
  void unpack(uint32_t group, Unpacked& out) const;

  FileDescriptor file_;
  std::string name_;
  uint64_t stored_bytes_ = 0;
  uint64_t original_bytes_ = 0;
  format::FileHeader header_{};
  std::vector<Page> pages_;           // in the order of their numbers
  std::vector<PayloadShape> shapes_;  // of pages, in the order of the index
  std::vector<Group> groups_;

  mutable std::mutex mutex_;
  mutable std::array<std::shared_ptr<Unpacked>, kKeptGroups> kept_;  // the latest first
};

}  // namespace memprof
