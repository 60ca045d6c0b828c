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
  for (const Metadata::Function& defined : metadata.functions) {
    tags_[defined.tag] = {index_of_domain(defined.domain), static_cast<Family>(defined.family), true};
    functions_.insert_or_assign(defined.tag, defined.name);
  }
  for (const Metadata::Tag& defined : metadata.tags) {
    tags_[defined.tag] = {index_of_domain(defined.domain), family_of(defined.function), true};
    defined_.insert_or_assign(defined.tag, defined);
  }
}

uint16_t Domains::index_of_domain(uint16_t number) {
  const auto [found, is_new] = index_.try_emplace(number, static_cast<uint16_t>(domains_.size()));
  if (is_new) domains_.push_back({number, fmt::format("domain {}", number), false});
  return found->second;
}

Family Domains::family_of(uint16_t function) const {
  if (const FunctionInfo* info = find_function(function)) return info->family;
  return functions_.count(function) != 0 ? tags_[function].family : Family::none;
}

std::string Domains::function_name(uint16_t tag) const {
  const auto defined = defined_.find(tag);
  const uint16_t number = defined == defined_.end() ? tag : defined->second.function;
  if (const FunctionInfo* info = find_function(number)) return info->name;
  if (const auto function = functions_.find(number); function != functions_.end()) return function->second;
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
