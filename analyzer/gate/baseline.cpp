#include "gate/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "gate/budget.h"
#include "model/fingerprint.h"
#include "model/fingerprint_match.h"
#include "report/escape.h"

namespace memprof {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kSchema = "memprof.baseline/1";

const Json& member(const Json& object, const char* name, Json::value_t type, const std::string& where) {
  const auto found = object.find(name);
  const auto is_type = [&] {
    return found->type() == type || (type == Json::value_t::number_unsigned && found->is_number_unsigned());
  };
  if (found == object.end() || !is_type())
    throw GateFileError(where, fmt::format("expected \"{}\", a {}, found {}", name, Json(type).type_name(),
                                           found == object.end() ? "nothing" : found->type_name()));
  return *found;
}

double mean_size(uint64_t bytes, uint64_t blocks) {
  return blocks == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(blocks);
}

template <class Thing>
auto identity(const Thing& thing) {
  return std::tie(thing.kind, thing.fingerprint, thing.allocator, thing.free_function);
}

}  // namespace

Baseline Baseline::read(const std::string& path) {
  const std::string text = read_text_file(path);
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object())
    throw GateFileError(path, fmt::format("expected a baseline ({}), found no JSON object", kSchema));
  const std::string schema = document.value("schema", std::string());
  if (schema != kSchema)
    throw GateFileError(path, fmt::format("expected \"schema\": \"{}\", found \"{}\"", kSchema, schema));
  const int version = document.value("fingerprint_version", 0);
  if (version != kFingerprintVersion)
    throw GateFileError(path,
                        fmt::format("its fingerprints are of version {}, this program's of version {}: write it anew "
                                    "with --write-baseline",
                                    version, kFingerprintVersion));
  Baseline baseline;
  size_t number = 0;
  for (const Json& entry : member(document, "findings", Json::value_t::array, path)) {
    const std::string where = fmt::format("{}: finding {}", path, ++number);
    if (!entry.is_object()) throw GateFileError(where, "expected an object");
    Entry& added = baseline.entries_.emplace_back();
    const std::string kind = member(entry, "kind", Json::value_t::string, where);
    const auto parsed = parse_finding_kind(kind);
    if (!parsed) throw GateFileError(where, fmt::format("expected a kind, as \"definite\", found \"{}\"", kind));
    added.kind = *parsed;
    added.allocator = member(entry, "allocator", Json::value_t::string, where);
    added.free_function = entry.value("free_function", std::string());
    added.blocks = member(entry, "blocks", Json::value_t::number_unsigned, where);
    added.bytes = member(entry, "bytes", Json::value_t::number_unsigned, where);
    for (const Json& function : member(entry, "functions", Json::value_t::array, where)) {
      if (!function.is_string()) throw GateFileError(where, "expected names of functions");
      added.functions.push_back(function);
    }
    // The names are what counts: whoever edits them need not know how they are hashed.
    Fingerprinter names;
    added.fingerprint = names.of_names(added.functions).hash;
  }
  return baseline;
}

void Baseline::compare(std::vector<Finding>& findings) const {
  std::vector<const Entry*> olds;
  for (const Entry& entry : entries_) olds.push_back(&entry);
  const auto by_identity = [](const auto* a, const auto* b) { return identity(*a) < identity(*b); };
  std::sort(olds.begin(), olds.end(), by_identity);
  std::vector<const Entry*> match_of(findings.size(), nullptr);
  std::vector<bool> is_met(olds.size(), false);
  for (size_t i = 0; i < findings.size(); ++i) {
    const auto found =
        std::lower_bound(olds.begin(), olds.end(), findings[i],
                         [](const Entry* old, const Finding& finding) { return identity(*old) < identity(finding); });
    if (found == olds.end() || identity(**found) != identity(findings[i])) continue;
    match_of[i] = *found;
    is_met[static_cast<size_t>(found - olds.begin())] = true;
  }

  // Another build may have lost a frame: what is left on both sides is compared by likeness, kind by kind.
  for (size_t kind = 0; kind < kFindingKinds; ++kind) {
    Fingerprinter names;
    std::vector<Fingerprint> old_prints, new_prints;
    std::vector<size_t> old_indices, new_indices;
    for (size_t i = 0; i < olds.size(); ++i) {
      if (is_met[i] || static_cast<size_t>(olds[i]->kind) != kind) continue;
      old_prints.push_back(names.of_names(olds[i]->functions));
      old_indices.push_back(i);
    }
    for (size_t i = 0; i < findings.size(); ++i) {
      if (match_of[i] || static_cast<size_t>(findings[i].kind) != kind) continue;
      new_prints.push_back(names.of_names(findings[i].names));
      new_indices.push_back(i);
    }
    std::vector<MatchCandidate> old_candidates, new_candidates;
    for (size_t i = 0; i < old_prints.size(); ++i)
      old_candidates.push_back({&old_prints[i], mean_size(olds[old_indices[i]]->bytes, olds[old_indices[i]]->blocks)});
    for (size_t i = 0; i < new_prints.size(); ++i)
      new_candidates.push_back(
          {&new_prints[i], mean_size(findings[new_indices[i]].bytes, findings[new_indices[i]].blocks)});
    bool is_complete = true;
    for (const WeakMatch& match : match_weakly(old_candidates, new_candidates, &is_complete)) {
      match_of[new_indices[match.new_index]] = olds[old_indices[match.old_index]];
      is_met[old_indices[match.old_index]] = true;
    }
  }

  for (size_t i = 0; i < findings.size(); ++i) {
    Finding& finding = findings[i];
    finding.status = FindingStatus::added;
    if (!match_of[i]) continue;
    finding.baseline_blocks = match_of[i]->blocks;
    finding.baseline_bytes = match_of[i]->bytes;
    const bool is_more = finding.blocks > match_of[i]->blocks || finding.bytes > match_of[i]->bytes;
    finding.status = is_more ? FindingStatus::grown : FindingStatus::known;
  }
  for (size_t i = 0; i < olds.size(); ++i) {
    if (is_met[i]) continue;
    Finding& fixed = findings.emplace_back();
    fixed.kind = olds[i]->kind;
    fixed.fingerprint = olds[i]->fingerprint;
    fixed.names = olds[i]->functions;
    fixed.allocator = olds[i]->allocator;
    fixed.free_function = olds[i]->free_function;
    fixed.baseline_blocks = olds[i]->blocks;
    fixed.baseline_bytes = olds[i]->bytes;
    fixed.status = FindingStatus::fixed;
  }
}

std::string baseline_text(const std::vector<Finding>& findings, bool with_reachable) {
  std::vector<const Finding*> kept;
  for (const Finding& finding : findings)
    if (finding.counts() && (with_reachable || finding.kind != FindingKind::reachable)) kept.push_back(&finding);
  std::sort(kept.begin(), kept.end(), [](const Finding* a, const Finding* b) {
    return std::tie(a->kind, a->names, a->allocator, a->free_function) <
           std::tie(b->kind, b->names, b->allocator, b->free_function);
  });
  std::string text =
      fmt::format("{{\"schema\": \"{}\", \"fingerprint_version\": {}, \"findings\": [", kSchema, kFingerprintVersion);
  for (const Finding* finding : kept) {
    Json functions = Json::array();
    for (const std::string& name : finding->names) functions.push_back(to_utf8(name));
    Json entry = {{"kind", finding_kind_name(finding->kind)}, {"allocator", to_utf8(finding->allocator)}};
    if (!finding->free_function.empty()) entry["free_function"] = to_utf8(finding->free_function);
    entry["blocks"] = finding->blocks;
    entry["bytes"] = finding->bytes;
    entry["functions"] = std::move(functions);
    entry["fingerprint"] = fingerprint_text(finding->fingerprint);
    text += finding == kept.front() ? "\n" : ",\n";
    text += entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text + "\n]}\n";
}

}  // namespace memprof
