#include "report/domain_choice.h"

#include "report/escape.h"

namespace memprof {

namespace {

std::optional<uint16_t> index_of(const Trace& trace, std::string_view name) {
  const auto& all = trace.domains.all();
  for (size_t index = 0; index < all.size(); ++index)
    if (all[index].name == name) return static_cast<uint16_t>(index);
  return std::nullopt;
}

}  // namespace

NamedDomains named_domains(const Trace& trace, std::string_view names) {
  NamedDomains named{{}, {}};
  if (names == kAllDomains) {
    for (size_t index = 0; index < trace.domains.all().size(); ++index) named.domains.add(static_cast<uint16_t>(index));
    return named;
  }
  if (const auto index = index_of(trace, names)) {
    named.domains.add(*index);
    return named;
  }
  for (size_t begin = 0, end = 0; end != names.npos; begin = end + 1) {
    end = names.find(',', begin);
    const std::string_view name = names.substr(begin, end - begin);
    if (const auto index = index_of(trace, name))
      named.domains.add(*index);
    else
      named.unknown.emplace_back(name);
  }
  return named;
}

std::optional<DomainSet> find_domains(const Trace& trace, std::string_view names) {
  NamedDomains named = named_domains(trace, names);
  return named.unknown.empty() ? std::optional(std::move(named.domains)) : std::nullopt;
}

void choose_domains(Trace& trace, const DomainSet& domains) {
  trace.together = domains.only() ? std::nullopt : std::optional(domains);
}

std::string domains_text(std::string_view names) {
  const char* const what = names == kAllDomains ? "" : names.find(',') == names.npos ? "domain " : "domains ";
  return what + domains_title(names);
}

std::string domains_title(std::string_view names) { return names == kAllDomains ? "all domains" : escape_text(names); }

}  // namespace memprof
