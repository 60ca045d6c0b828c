#include "gate/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <tuple>

#include "gate/budget.h"
#include "memprof/trace_format.h"
#include "model/fingerprint.h"
#include "model/fingerprint_match.h"
#include "report/escape.h"

namespace memprof {

namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kSchema = "memprof.baseline/1";
// What is nested is freed and printed by functions that call themselves. A baseline needs four.
constexpr int kDeepest = 64;

// Of a value that is not what was expected: on one line, of a long one the begin.
std::string found_text(const Json& value) {
  constexpr size_t kMost = 60;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kMost) text.replace(kMost, text.npos, "...");
  return text;
}

// Null: there is none.
const Json* find_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json& member(const Json& object, const char* name, bool (Json::*is_right)() const noexcept, const char* type,
                   const std::string& where) {
  const Json* const found = find_member(object, name);
  if (!found || !(found->*is_right)())
    throw GateFileError(
        where, fmt::format("expected \"{}\", {}, found {}", name, type, found ? found_text(*found) : "nothing"));
  return *found;
}

const Json& text_member(const Json& object, const char* name, const std::string& where) {
  return member(object, name, &Json::is_string, "a string", where);
}
const Json& number_member(const Json& object, const char* name, const std::string& where) {
  return member(object, name, &Json::is_number_unsigned, "a whole number", where);
}
const Json& array_member(const Json& object, const char* name, const std::string& where) {
  return member(object, name, &Json::is_array, "an array", where);
}

Json parse_document(const std::string& path, const std::string& text) {
  const auto is_shallow = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest)
      throw GateFileError(path, fmt::format("expected a baseline, found JSON nested more than {} deep", kDeepest));
    return true;
  };
  try {
    return Json::parse(text, is_shallow);
  } catch (const Json::out_of_range&) {
    throw GateFileError(path, "expected JSON, found a number that is too large");
  } catch (const Json::parse_error& error) {
    // The last byte that was read, from 1.
    const size_t at = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const auto line = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
    const std::string rest = text.substr(at, std::min<size_t>(text.find('\n', at) - at, 30));
    throw GateFileError(path, static_cast<uint32_t>(line + 1), "JSON",
                        at == text.size() ? "the end of the file" : rest);
  }
}

double mean_size(uint64_t bytes, uint64_t blocks) {
  return blocks == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(blocks);
}

// Of an allocating or freeing function by its name; nothing of those that the program has named itself.
std::optional<format::Family> family_of(std::string_view function) {
  for (const format::FunctionInfo& info : format::kFunctions)
    if (function == info.name) return info.family;
  return std::nullopt;
}

bool are_of_one_family(std::string_view a, std::string_view b) {
  return a == b || (family_of(a) && family_of(a) == family_of(b));
}

bool is_subsequence(const std::vector<uint32_t>& part, const std::vector<uint32_t>& whole) {
  size_t met = 0;
  for (const uint32_t name : whole)
    if (met < part.size() && part[met] == name) ++met;
  return met == part.size();
}

// Whether one stack is the other with frames left out: inlined in a build that does not tell, or calls that became
// jumps. A function that took the place of another is another place.
bool may_be_one_place(const Fingerprinter& names, const Fingerprint& a, const Fingerprint& b) {
  const std::vector<uint32_t> x = names.names_of_program(a), y = names.names_of_program(b);
  return !x.empty() && !y.empty() && (x.size() < y.size() ? is_subsequence(x, y) : is_subsequence(y, x));
}

template <class Thing>
auto identity(const Thing& thing) {
  return std::tie(thing.kind, thing.fingerprint, thing.allocator, thing.free_function);
}

std::vector<std::string> written_names(const Finding& finding) {
  std::vector<std::string> names;
  for (const std::string& name : finding.names) names.push_back(to_utf8(name));
  return names;
}

// A finding as the file has it: there are no broken bytes in that.
struct WrittenIdentity {
  FindingKind kind;
  uint64_t fingerprint;
  std::string allocator, free_function;

  explicit WrittenIdentity(const Finding& finding)
      : kind(finding.kind),
        fingerprint(finding.fingerprint),
        allocator(to_utf8(finding.allocator)),
        free_function(to_utf8(finding.free_function)) {
    if (const auto names = written_names(finding); names != finding.names)
      fingerprint = Fingerprinter().of_names(names).hash;
  }
};

}  // namespace

Baseline Baseline::read(const std::string& path) {
  const Json document = parse_document(path, read_text_file(path));
  if (!document.is_object())
    throw GateFileError(path, fmt::format("expected a baseline ({}), found no JSON object", kSchema));
  const Json* const schema = find_member(document, "schema");
  if (!schema || *schema != kSchema)
    throw GateFileError(
        path, fmt::format("expected \"schema\": \"{}\", found {}", kSchema, schema ? found_text(*schema) : "nothing"));
  const uint64_t version = number_member(document, "fingerprint_version", path);
  if (version != uint64_t{kFingerprintVersion})
    throw GateFileError(path,
                        fmt::format("its fingerprints are of version {}, this program's of version {}: write it anew "
                                    "with --write-baseline",
                                    version, kFingerprintVersion));
  Baseline baseline;
  size_t number = 0;
  for (const Json& entry : array_member(document, "findings", path)) {
    const std::string where = fmt::format("{}: finding {}", path, ++number);
    if (!entry.is_object()) throw GateFileError(where, "expected an object, found " + found_text(entry));
    Entry& added = baseline.entries_.emplace_back();
    const Json& kind = text_member(entry, "kind", where);
    const auto parsed = parse_finding_kind(kind.get_ref<const std::string&>());
    if (!parsed) throw GateFileError(where, "expected a kind, as \"definite\", found " + found_text(kind));
    added.kind = *parsed;
    added.allocator = text_member(entry, "allocator", where);
    if (entry.contains("free_function")) added.free_function = text_member(entry, "free_function", where);
    added.blocks = number_member(entry, "blocks", where);
    added.bytes = number_member(entry, "bytes", where);
    for (const Json& function : array_member(entry, "functions", where)) {
      if (!function.is_string())
        throw GateFileError(where, "expected names of functions, found " + found_text(function));
      added.functions.push_back(function);
    }
    // The names are what counts: whoever edits them need not know how they are hashed.
    added.fingerprint = Fingerprinter().of_names(added.functions).hash;
  }
  baseline.join_entries();
  return baseline;
}

// A merge of branches may leave two entries for one place: what either allows is allowed.
void Baseline::join_entries() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return identity(a) < identity(b); });
  const auto joins = [](Entry& kept, const Entry& next) {
    if (identity(kept) != identity(next)) return false;
    kept.blocks = std::max(kept.blocks, next.blocks);
    kept.bytes = std::max(kept.bytes, next.bytes);
    return true;
  };
  size_t count = 0;
  for (Entry& entry : entries_) {
    if (count != 0 && joins(entries_[count - 1], entry)) continue;
    if (&entries_[count] != &entry) entries_[count] = std::move(entry);
    ++count;
  }
  entries_.resize(count);
}

void Baseline::compare(std::vector<Finding>& findings) const {
  std::vector<const Entry*> olds;
  for (const Entry& entry : entries_) olds.push_back(&entry);
  std::vector<const Entry*> match_of(findings.size(), nullptr);
  std::vector<bool> is_met(olds.size(), false);
  for (size_t i = 0; i < findings.size(); ++i) {
    const WrittenIdentity wanted(findings[i]);
    const auto found =
        std::lower_bound(olds.begin(), olds.end(), wanted,
                         [](const Entry* old, const WrittenIdentity& one) { return identity(*old) < identity(one); });
    if (found == olds.end() || identity(**found) != identity(wanted)) continue;
    match_of[i] = *found;
    is_met[static_cast<size_t>(found - olds.begin())] = true;
  }

  // Another build may have lost a frame: what is left on both sides is compared by likeness, kind by kind. Each match
  // lets a leak through, so it must not be a guess.
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
      new_prints.push_back(names.of_names(written_names(findings[i])));
      new_indices.push_back(i);
    }
    std::vector<MatchCandidate> old_candidates, new_candidates;
    for (size_t i = 0; i < old_prints.size(); ++i)
      old_candidates.push_back({&old_prints[i], mean_size(olds[old_indices[i]]->bytes, olds[old_indices[i]]->blocks)});
    for (size_t i = 0; i < new_prints.size(); ++i)
      new_candidates.push_back(
          {&new_prints[i], mean_size(findings[new_indices[i]].bytes, findings[new_indices[i]].blocks)});
    bool is_complete = true;
    const auto may_pair = [&](size_t i, size_t j) {
      const Entry& old = *olds[old_indices[i]];
      const Finding& finding = findings[new_indices[j]];
      return are_of_one_family(old.allocator, to_utf8(finding.allocator)) &&
             are_of_one_family(old.free_function, to_utf8(finding.free_function)) &&
             may_be_one_place(names, old_prints[i], new_prints[j]);
    };
    for (const WeakMatch& match : match_weakly(old_candidates, new_candidates, &is_complete, may_pair)) {
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
    Json functions = written_names(*finding);
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
