#include "model/domains.h"

#include <fmt/format.h>

#include <iterator>

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
    domains_[index_of_domain(number)] = {number, format::kDomainNames[number],
                                         number == static_cast<uint16_t>(format::Domain::mmap)};
  for (const Metadata::Domain& defined : metadata.domains) {
    const uint16_t index = index_of_domain(defined.domain);
    if (!defined.name.empty()) domains_[index].name = defined.name;
  }
  for (const FunctionInfo& info : format::kFunctions)
    tags_[static_cast<uint16_t>(info.function)] = {index_of_domain(static_cast<uint16_t>(info.domain)), info.family,
                                                   true};
  for (const Metadata::Tag& defined : metadata.tags) {
    const FunctionInfo* function = find_function(defined.function);
    tags_[defined.tag] = {index_of_domain(defined.domain), function ? function->family : Family::none, true};
    defined_.insert_or_assign(defined.tag, defined);
  }
}

uint16_t Domains::index_of_domain(uint16_t number) {
  const auto [found, is_new] = index_.try_emplace(number, static_cast<uint16_t>(domains_.size()));
  if (is_new) domains_.push_back({number, fmt::format("domain {}", number), false});
  return found->second;
}

std::string Domains::function_name(uint16_t tag) const {
  const auto defined = defined_.find(tag);
  const uint16_t number = defined == defined_.end() ? tag : defined->second.function;
  if (const FunctionInfo* info = find_function(number)) return info->name;
  return fmt::format("tag {}", tag);
}

std::string Domains::user_tag(uint16_t tag) const {
  const auto defined = defined_.find(tag);
  return defined == defined_.end() ? std::string() : defined->second.name;
}

std::string Domains::tag_name(uint16_t tag) const {
  const std::string user = user_tag(tag);
  return user.empty() ? function_name(tag) : fmt::format("{} {}", function_name(tag), user);
}

}  // namespace memprof
