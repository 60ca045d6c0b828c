// --domain: which domains of a trace a report is about, and how it says so.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/analysis.h"

namespace memprof {

// Those of a text, as typed: "cpu", "cpu,gpu", "all". A name may have commas in it.
struct NamedDomains {
  DomainSet domains;                 // that the trace has
  std::vector<std::string> unknown;  // names that it has not
};
NamedDomains named_domains(const Trace& trace, std::string_view names);
// nullopt: the trace lacks one of them.
std::optional<DomainSet> find_domains(const Trace& trace, std::string_view names);

// Before an analysis, of what a report will be about: several domains that are named get an account together.
void choose_domains(Trace& trace, const DomainSet& domains);

inline constexpr const char* kAllDomains = "all";
// "domain cpu", "domains cpu,gpu", "all domains"; escaped.
std::string domains_text(std::string_view names);
// "cpu", "cpu,gpu", "all domains"; escaped.
std::string domains_title(std::string_view names);

}  // namespace memprof
