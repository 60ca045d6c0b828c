// A compressed trace, version 1: the pages of a trace file (trace_format.h) packed by `memprof-analyze compress`, and
// still read page by page. The recorder never writes one. All integers are little-endian.
//
//     byte 0             32            608
//     +------------------+-------------+---------+---------+-----+-------+------------------+
//     | CompressedHeader | FileHeader  | group 1 | group 2 | ... | index | CompressedFooter |
//     | 32 bytes         | 576 bytes   |         |         |     |       | 40 bytes         |
//     +------------------+-------------+---------+---------+-----+-------+------------------+
//
// FileHeader is that of the trace, byte for byte, its own format_version included; the rest of page 0 means nothing. A
// group holds the payloads of some pages, the index their headers and where their group lies. So a reader opens a trace
// with the index alone, and to read a page it unpacks one group, at most kMostGroupBytes.
//
// A page that is not in the index was never written. Of a written page the PageHeader and `used` bytes of payload are
// kept as they were; bytes behind them mean nothing and are read as zeros. What does not look like a page (its magic or
// length is wrong) is kept whole: damage survives being packed, and is found again. original_bytes is the length of
// the trace file; a file that ends inside its last page stays like that.
//
// INDEX. The footer says where it is. It is stored as one zstd frame, or as it is where index_bytes says the same as
// index_raw_bytes; index_raw_bytes is at most kMostIndexRatio * index_bytes. Its content:
//
//     uint64 number of groups, uint64 number of pages
//     a GroupEntry for each group
//     an IndexedPage for each page: first byte 0 of every one of them, then byte 1 of every one, ..., then byte 71
//
// The first group's GroupEntry::pages pages belong to the first group, and so on; within a group the payloads follow
// each other in this order. A page is in the index once. Pages of events have groups of their own, so that a reader of
// one time unpacks what is of that time; pages are in the order of the file in them and in the other groups.
//
// GROUP. Its bytes are parted into columns, each packed for itself, as what is alike compresses best together:
//
//     byte number of columns
//     for each column, numbers rising: byte column number, varint raw bytes, varint stored bytes (LEB128)
//     the columns, stored as a zstd frame each, or as they are where raw bytes and stored bytes are the same
//     zeros, so that the payloads are at most kMostGroupRatio times as long as the group: bounds what a reader must
//     hold
//
// All columns together have at most twice as many raw bytes as the payloads, and 2 a page. Pages whose PageHeader::kind
// is not `events` lie in the column `plain`, one after the other. A page of events is taken apart record by record, by
// what the bytes of the "Event records" in trace_format.h say, without any predictor:
//
//     token     its byte goes to `tokens`, the low bits of the short forms (7, 6, 5 bits: dt) cleared. These low bits
//               are a byte of time[K][P], and where they are all ones, the pv behind them goes to rest[K = 2 ? 1 : 0]
//     pv        its first byte goes to the column of the field, its further bytes to the column that follows
//     dt        in the long forms a pv of time[K][P], further bytes in `time_more`
//     duration  `duration`, further bytes in `time_more`
//     ADDR      its first byte goes to `allocated` or `freed` (the first address of a realloc is a freed one, the
//     second
//               an allocated one). One further byte of the forms 110 and 1110: the next column. The bytes that follow
//               11110nnn and 11111000, 1 to 8 of them: the eight columns behind that, the first one to the first
//     stack     place in stacks[]: `places`; a pv: `stacks`, `stacks_more`
//     raw16     `tags`
//     size      a pv: `sizes`, `sizes_more`
//     00000010  the token, then in `plain` its type, its pv and so many bytes
//
// K is the form of the record (EventForm), P that of the record before it in the page, 0 for the first; extensions do
// not count. Where a record passes the end of the payload or its token is 0, 1 or 3, `tokens` has a 0, and all of the
// page from that token on lies in `plain`. Where `used` bytes are reached, the page ends without a mark.
//
//   Example: the two records 1f 05 24 01 00 20 f2 2a 60 55  0c 03 80 0c 00 of trace_format.h:
//     tokens 1f 0c; time[3][0] 05; time[4][3] 03; stacks 24; tags 01 00 0c 00; sizes 20; allocated f2, allocated + 2:
//     2a,
//     + 3: 60, + 4: 55; freed 80
//
// VERSIONS. A program that does not know this format refuses the file by its magic. `version` grows by one whenever a
// reader of the old version would misread the file; FileHeader::format_version goes on meaning the trace inside.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memprof/trace_format.h"

namespace memprof::format {

inline constexpr unsigned char kCompressedMagic[8] = {0x89, 'M', 'E', 'M', 'P', 'Z', 'S', 'T'};
inline constexpr unsigned char kFooterMagic[8] = {'M', 'E', 'M', 'P', 'Z', 'E', 'N', 'D'};
inline constexpr uint32_t kCompressedVersion = 1;
inline constexpr uint32_t kMostGroupBytes = 1u << 20;  // of payloads
inline constexpr uint32_t kMostGroupRatio = 32;
inline constexpr uint32_t kMostIndexRatio = 8;

struct CompressedHeader {
  unsigned char magic[8];   //  0
  uint32_t version;         //  8
  uint32_t reserved;        // 12
  uint64_t original_bytes;  // 16  of the trace file
  uint64_t checksum;        // 24  XXH3-64 of [0, 608) with this field zero
};
static_assert(sizeof(CompressedHeader) == 32);
static_assert(sizeof(CompressedHeader) + sizeof(FileHeader) == 608);

struct GroupEntry {
  uint64_t offset;        //  0  in the file
  uint32_t stored_bytes;  //  8
  uint32_t pages;         // 12  at least 1
  uint64_t checksum;      // 16  XXH3-64 of the stored bytes
};
static_assert(sizeof(GroupEntry) == 24);

struct IndexedPage {
  PageHeader head;  //  0
  uint32_t page;    // 64  its number in the file, from 1
  uint32_t bytes;   // 68  of payload: head.used, or all to the end of what is no page
};
static_assert(sizeof(IndexedPage) == 72);

// The last bytes of the file.
struct CompressedFooter {
  uint64_t index_offset;     //  0
  uint64_t index_bytes;      //  8
  uint64_t index_raw_bytes;  // 16
  uint64_t index_checksum;   // 24  XXH3-64 of the stored index
  unsigned char magic[8];    // 32  kFooterMagic
};
static_assert(sizeof(CompressedFooter) == 40);

enum class EventForm : uint8_t {
  predicted = 0,         // 1ttttttt
  alloc_of_context = 1,  // 01tttttt
  free_by_last = 2,      // 001ttttt
  alloc = 3,             // 0001SSZA
  free = 4,              // 00001TSZ
  realloc = 5,           // 000001SI
};
inline constexpr unsigned kEventForms = 6;

enum class Column : uint8_t {
  plain = 0,
  tokens = 1,
  tags = 2,
  places = 3,
  stacks = 4,
  stacks_more = 5,
  sizes = 6,
  sizes_more = 7,
  duration = 8,
  time_more = 9,
  rest = 10,       // 10 of the forms 0 and 1, further bytes in 11; 12 of form 2, further bytes in 13
  allocated = 14,  // to 23
  freed = 24,      // to 33
  time = 34,       // time[K][P] is 34 + 6 K + P
};
inline constexpr unsigned kColumns = 34 + kEventForms * kEventForms;

}  // namespace memprof::format
