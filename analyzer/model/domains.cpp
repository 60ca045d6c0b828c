#include "model/domains.h"

#include <fmt/format.h>

#include <algorithm>

namespace memprof {

using format::Family;
using format::FunctionInfo;

namespace {

// The table is ordered by number today; the search does not depend on it.
const FunctionInfo* find_function(uint16_t number) {
  for (const FunctionInfo& info : format::kFunctions)
    if (static_cast<uint16_t>(info.function) == number) return &info;
  return nullptr;
}

}  // namespace

Domains::Domains(const Metadata& metadata) : tags_(size_t{UINT16_MAX} + 1, TagEntry{kHeap, Family::none, false}) {
  for (uint16_t number = 0; number < std::size(format::kDomainNames); ++number)
    domains_.push_back({number, format::kDomainNames[number], number == static_cast<uint16_t>(format::Domain::mmap)});
  for (const Metadata::Domain& defined : metadata.domains) {
    const uint16_t index = index_of_domain(defined.domain);
    if (!defined.name.empty()) domains_[index].name = defined.name;
  }
  for (const FunctionInfo& info : format::kFunctions)
    tags_[static_cast<uint16_t>(info.function)] = {index_of_domain(static_cast<uint16_t>(info.domain)), info.family, true};
  for (const Metadata::Tag& defined : metadata.tags) {
    const FunctionInfo* function = find_function(defined.function);
    tags_[defined.tag] = {index_of_domain(defined.domain), function ? function->family : Family::none, true};
    defined_.push_back(defined);
  }
}

uint16_t Domains::index_of_domain(uint16_t number) {
  const auto found = std::find_if(domains_.begin(), domains_.end(), [&](const Domain& d) { return d.number == number; });
  if (found != domains_.end()) return static_cast<uint16_t>(found - domains_.begin());
  domains_.push_back({number, fmt::format("domain {}", number), false});
  return static_cast<uint16_t>(domains_.size() - 1);
}

std::string Domains::function_name(uint16_t tag) const {
  uint16_t number = tag;
  for (const Metadata::Tag& defined : defined_)
    if (defined.tag == tag) number = defined.function;
  if (const FunctionInfo* info = find_function(number)) return info->name;
  return fmt::format("tag {}", tag);
}

std::string Domains::user_tag(uint16_t tag) const {
  for (const Metadata::Tag& defined : defined_)
    if (defined.tag == tag) return defined.name;
  return {};
}

std::string Domains::tag_name(uint16_t tag) const {
  const std::string user = user_tag(tag);
  return user.empty() ? function_name(tag) : fmt::format("{} {}", function_name(tag), user);
}

bool are_mismatched(Family allocated, Family freed) {
  return allocated != freed && allocated != Family::none && freed != Family::none;
}

}  // namespace memprof
