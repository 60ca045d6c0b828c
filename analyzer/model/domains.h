// What the tag of an event means: which domain it belongs to, which function it was, what that is called.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "memprof/trace_format.h"
#include "trace/metadata.h"

namespace memprof {

struct Domain {
  uint16_t number;  // format::Domain, or one that the trace defines
  std::string name;
  // Blocks are address ranges that may be unmapped in parts.
  bool is_mapping;
};

// Which domains a question is about: one, or several whose blocks are taken together.
class DomainSet {
 public:
  DomainSet(std::initializer_list<uint16_t> indices) {
    for (const uint16_t index : indices) add(index);
  }

  void add(uint16_t index) {
    if (index >= has_.size()) has_.resize(index + size_t{1});
    count_ += !has_[index];
    has_[index] = true;
  }
  bool has(uint16_t index) const { return index < has_.size() && has_[index]; }
  bool is_empty() const { return count_ == 0; }
  // Nothing when there are several.
  std::optional<uint16_t> only() const {
    if (count_ != 1) return std::nullopt;
    return static_cast<uint16_t>(std::find(has_.begin(), has_.end(), true) - has_.begin());
  }
  friend bool operator==(const DomainSet&, const DomainSet&) = default;

 private:
  std::vector<bool> has_;  // by index; the last is true
  size_t count_ = 0;
};

class Domains {
 public:
  static constexpr uint16_t kHeap = 0;  // index of the cpu domain

  // What the hot path wants of a tag, 4 bytes.
  struct TagEntry {
    uint16_t domain;  // index into all()
    format::Family family;
    bool is_known;
  };

  explicit Domains(const Metadata& metadata);

  const std::vector<Domain>& all() const { return domains_; }
  const TagEntry& tag(uint16_t tag) const { return tags_[tag]; }
  // "malloc", "new[]", a client's own name (raw bytes), or "tag 77".
  std::string tag_name(uint16_t tag) const;
  // The client's tag name of a defined tag, else empty: goes to `tags` of the chunks report.
  std::string user_tag(uint16_t tag) const;
  // Function name without user tag; raw bytes.
  std::string function_name(uint16_t tag) const;

 private:
  uint16_t index_of_domain(uint16_t number);
  format::Family family_of(uint16_t function) const;

  std::vector<Domain> domains_;
  std::vector<TagEntry> tags_;                           // all 65,536
  std::unordered_map<uint16_t, Metadata::Tag> defined_;  // by tag; the last definition counts
  std::unordered_map<uint16_t, std::string> functions_;  // by tag, that the trace defines
  std::unordered_map<uint16_t, uint16_t> index_;         // of a domain, by its number
};

inline bool are_mismatched(format::Family allocated, format::Family freed) {
  return allocated != freed && allocated != format::Family::none && freed != format::Family::none;
}

}  // namespace memprof
