#include "gate/judged_blocks.h"

#include <fmt/format.h>

#include "report/domain_choice.h"
#include "report/nearest_word.h"
#include "report/selection_builder.h"

namespace memprof {

JudgedBlocks::JudgedBlocks(const Trace& trace, const Rules& rules) {
  if (!rules.chooses_blocks()) return;
  const Domains& all = trace.domains;
  if (!rules.domain.empty()) {
    NamedDomains named = named_domains(trace, rules.domain);
    domains_ = std::move(named.domains);
    std::vector<std::string> known;
    for (const Domain& domain : all.all()) known.push_back(domain.name);
    for (const std::string& name : named.unknown)
      unknown_.insert({"--domain " + name, fmt::format("the trace has no domain {}{}; it has: {} (all: every one)",
                                                       name, did_you_mean(name, known), fmt::join(known, ", "))});
  }
  FilterTexts texts;
  texts.tags = rules.tags;
  const BuiltSelection built = build_selection(trace, texts, {}, nullptr);
  for (const BuiltSelection::Unknown& word : built.unknown) unknown_.insert({word.what, word.message});
  for (size_t tag = 0; tag <= UINT16_MAX; ++tag) {
    const auto number = static_cast<uint16_t>(tag);
    // Without --domain wrong frees of every domain are judged.
    const bool is_in_domain = rules.domain.empty() || domains_.has(all.tag(number).domain);
    has_.push_back(is_in_domain && (!built.selection.tag || built.selection.tag(number)));
  }
}

std::string judged_blocks_text(const Rules& rules) {
  std::string text;
  for (const std::string& tag : rules.tags) text += (text.empty() ? "--tag " : " --tag ") + tag;
  if (!rules.domain.empty()) text += (text.empty() ? "--domain " : " --domain ") + rules.domain;
  return text;
}

}  // namespace memprof
