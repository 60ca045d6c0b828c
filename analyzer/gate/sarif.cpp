#include "gate/sarif.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "gate/finding_text.h"
#include "gate/source_path.h"
#include "report/escape.h"
#include "report/frame_text.h"

namespace memprof {

namespace {

constexpr const char* kStaleRule = "stale-suppression";

struct KindRule {
  const char* id;
  const char* what;
};
constexpr KindRule kKindRules[kFindingKinds] = {
    {"definite-leak", "Memory was not freed, and nothing points to it."},
    {"indirect-leak", "Memory was not freed, and only leaked memory points to it."},
    {"possible-leak", "Memory was not freed, and only pointers into its middle lead to it."},
    {"reachable-leak", "Memory was not freed at the end, though the program could still reach it."},
    {"mismatched-free", "Memory was freed by a function that does not belong to the one that allocated it."},
    {"double-free", "Memory was freed a second time."},
};

// {"text": ...}. Braces would be placeholders (3.11.5), "](" an embedded link (3.11.6).
Json message(std::string_view bytes) {
  std::string text;
  for (const char c : to_utf8(bytes)) {
    if (c == '(' && text.ends_with(']')) text += ' ';
    text += c;
    if (c == '{' || c == '}') text += c;
  }
  return {{"text", text}};
}

class SarifDocument {
 public:
  SarifDocument(const Verdict& verdict, const SarifOptions& options) : verdict_(verdict), options_(options) {
    for (const KindRule& rule : kKindRules) add_rule(rule.id, rule.what);
    for (const BrokenLimit& limit : verdict.broken_limits)
      add_rule(limit.rule, fmt::format("A number is larger than {} allows.", limit.rule));
    if (verdict.fails_on_stale) add_rule(kStaleRule, "A suppression matches nothing any more.");
  }

  Json document() {
    Json results = Json::array();
    for (const Finding& finding : verdict_.findings)
      if (!finding.is_elsewhere) results.push_back(finding_result(finding));
    for (const BrokenLimit& limit : verdict_.broken_limits) results.push_back(limit_result(limit));
    if (verdict_.fails_on_stale)
      for (const SuppressionUse& use : verdict_.suppressions)
        if (use.is_stale()) results.push_back(stale_result(use));
    Json driver = {{"name", "memprof"}, {"rules", rules_}};
    if (!options_.tool_version.empty()) driver["version"] = options_.tool_version;
    return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
            {"version", "2.1.0"},
            {"runs",
             {{{"tool", {{"driver", driver}}},
               {"invocations", {invocation()}},
               // Without a URI: where the sources are is another place on every machine (3.14.14).
               {"originalUriBaseIds", {{"SRCROOT", {{"description", {{"text", "The root of the sources."}}}}}}},
               {"results", results}}}}};
  }

 private:
  void add_rule(const std::string& id, const std::string& what) {
    const std::string name = to_utf8(id);
    if (std::find(rule_ids_.begin(), rule_ids_.end(), name) != rule_ids_.end()) return;
    rule_ids_.push_back(name);
    rules_.push_back(
        {{"id", name}, {"shortDescription", message(what)}, {"defaultConfiguration", {{"level", "error"}}}});
  }

  Json invocation() const {
    Json notifications = Json::array();
    for (const std::string& line : verdict_.unseen)
      notifications.push_back({{"level", "error"}, {"message", message(line)}});
    return {{"executionSuccessful", verdict_.unseen.empty()},
            {"exitCode", verdict_.passed() ? 0 : 1},
            {"exitCodeDescription", to_utf8(verdict_text(verdict_))},
            {"toolExecutionNotifications", notifications}};
  }

  Json artifact(std::string_view path) const {
    const std::string relative = path_in_repository(path, options_.source_root);
    Json location = {{"uri", path_as_uri(relative)}};
    if (!relative.starts_with('/')) location["uriBaseId"] = "SRCROOT";
    return location;
  }

  // Code scanning refuses a file with a result that has no physical location: where no source is known it is the object
  // that holds the code, by its name alone as the rest of the path may be another one on every machine.
  Json program() const {
    std::string name;
    if (!verdict_.traces.empty()) {
      const JudgedTrace& trace = verdict_.traces.front();
      name = trace.executable.empty() && !trace.command.empty() ? trace.command.front() : trace.executable;
    }
    return {{"artifactLocation", artifact(name.empty() ? "program" : base_name(name))}};
  }

  Json location(const FindingFrame& frame) const {
    Json physical;
    if (!frame.file.empty()) {
      physical = {{"artifactLocation", artifact(frame.file)}};
      if (frame.line != 0) physical["region"] = {{"startLine", frame.line}};
    } else {
      physical = frame.module.empty() ? program() : Json({{"artifactLocation", artifact(base_name(frame.module))}});
    }
    Json result = {{"physicalLocation", physical}};
    if (!frame.function.empty()) {
      Json function = {{"fullyQualifiedName", to_utf8(frame.function)}, {"kind", "function"}};
      if (!frame.linkage_name.empty()) function["decoratedName"] = to_utf8(frame.linkage_name);
      result["logicalLocations"] = {function};
    }
    return result;
  }

  Json finding_location(const Finding& finding) const {
    if (const FindingFrame* frame = blamed_frame(finding)) return location(*frame);
    Json result = {{"physicalLocation", program()}};
    if (!finding.names.empty())
      result["logicalLocations"] = {{{"fullyQualifiedName", to_utf8(finding.names.front())}, {"kind", "function"}}};
    return result;
  }

  Json stack(const char* title, const std::vector<FindingFrame>& frames) const {
    Json array = Json::array();
    for (const FindingFrame& frame : frames) {
      Json where = location(frame);
      where["message"] = message(frame_place(frame));
      Json entry = {{"location", where}};
      if (!frame.module.empty()) entry["module"] = to_utf8(base_name(frame.module));
      array.push_back(entry);
    }
    return {{"message", {{"text", title}}}, {"frames", array}};
  }

  // Code scanning takes no result without a line either.
  static Json with_line(Json where) {
    Json& physical = where["physicalLocation"];
    if (!physical.contains("region")) physical["region"] = {{"startLine", 1}};
    return where;
  }

  Json result(const std::string& rule, const char* level, const std::string& text, const Json& where,
              const std::string& identity, const char* baseline_state) const {
    const std::string id = to_utf8(rule);
    Json result = {{"ruleId", id},
                   {"ruleIndex", std::find(rule_ids_.begin(), rule_ids_.end(), id) - rule_ids_.begin()},
                   {"level", level},
                   {"message", message(text)},
                   {"locations", {with_line(where)}},
                   {"partialFingerprints", {{"memprof/v1", to_utf8(identity)}}},
                   // All results of a run have it or none (3.27.23).
                   {"suppressions", Json::array()}};
    if (verdict_.has_baseline) result["baselineState"] = baseline_state;
    return result;
  }

  static const char* baseline_state(FindingStatus status) {
    switch (status) {
      case FindingStatus::grown: return "updated";
      case FindingStatus::known: return "unchanged";
      case FindingStatus::fixed: return "absent";
      default: return "new";
    }
  }

  Json suppression(const SuppressionUse& use) const {
    Json json = {{"kind", use.file.empty() ? "inSource" : "external"},
                 {"status", "accepted"},
                 {"justification", to_utf8(suppression_place(use))}};
    if (!use.file.empty() && !use.is_built_in()) json["location"] = suppression_location(use);
    return json;
  }

  Json suppression_location(const SuppressionUse& use) const {
    if (use.file.empty()) return {{"physicalLocation", program()}};
    Json physical = {{"artifactLocation", artifact(use.file)}};
    if (use.line != 0) physical["region"] = {{"startLine", use.line}};
    return {{"physicalLocation", physical}};
  }

  Json finding_result(const Finding& finding) const {
    Json json = result(kKindRules[static_cast<size_t>(finding.kind)].id, finding.fails ? "error" : "note",
                       describe_finding(finding), finding_location(finding), fingerprint_text(finding),
                       baseline_state(finding.status));
    Json stacks = Json::array();
    if (!finding.frames.empty()) stacks.push_back(stack("Allocated here", finding.frames));
    if (!finding.free_frames.empty()) stacks.push_back(stack("Freed here", finding.free_frames));
    if (!stacks.empty()) json["stacks"] = stacks;
    if (finding.blocks != 0) json["occurrenceCount"] = finding.blocks;
    if (finding.suppression && *finding.suppression < verdict_.suppressions.size())
      json["suppressions"].push_back(suppression(verdict_.suppressions[*finding.suppression]));
    json["properties"] = {{"bytes", finding.bytes},
                          {"blocks", finding.blocks},
                          {"indirectBytes", finding.indirect_bytes},
                          {"indirectBlocks", finding.indirect_blocks},
                          {"truncatedStack", finding.is_truncated}};
    if (verdict_.has_baseline)
      json["properties"].update(
          {{"baselineBytes", finding.baseline_bytes}, {"baselineBlocks", finding.baseline_blocks}});
    return json;
  }

  Json limit_result(const BrokenLimit& limit) const {
    const bool has_finding = limit.finding && *limit.finding < verdict_.findings.size();
    std::string identity = fmt::format("{}:{}:{}", limit.rule, limit.quantity, limit.subject);
    if (has_finding) identity += ":" + fingerprint_text(verdict_.findings[*limit.finding]);
    Json json = result(
        limit.rule, "error", describe_limit(limit),
        has_finding ? finding_location(verdict_.findings[*limit.finding]) : Json({{"physicalLocation", program()}}),
        identity, "new");
    json["properties"] = {{"limit", limit.limit}, {"found", limit.found}};
    return json;
  }

  Json stale_result(const SuppressionUse& use) const {
    return result(kStaleRule, "error", "stale suppression " + suppression_place(use), suppression_location(use),
                  use.file + ":" + use.name, "new");
  }

  const Verdict& verdict_;
  const SarifOptions& options_;
  std::vector<std::string> rule_ids_;
  Json rules_ = Json::array();
};

}  // namespace

void print_sarif(const Verdict& verdict, const SarifOptions& options, Output& out) {
  print_json(out, SarifDocument(verdict, options).document());
}

}  // namespace memprof
