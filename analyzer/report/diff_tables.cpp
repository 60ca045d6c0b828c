#include "report/diff_tables.h"

#include <nlohmann/json.hpp>

#include "report/csv.h"
#include "report/escape.h"
#include "report/frame_text.h"
#include "report/selection_text.h"
#include "report/site_list.h"

namespace memprof {

namespace {

const char* per_name(DiffPer per) { return per == DiffPer::second ? "second" : "allocation"; }

Json amount_json(const DiffAmount& amount, RankBy by) {
  return {{"bytes", rank_has_bytes(by) ? Json(amount.bytes) : Json()},
          {"blocks", rank_has_blocks(by) ? Json(amount.blocks) : Json()}};
}

Json side_json(const DiffSide& side, RankBy by) {
  Json command = Json::array();
  for (const std::string& argument : side.trace->metadata.command) command.push_back(to_utf8(argument));
  Json json = {{"trace", to_utf8(side.trace->file.name())}, {"command", command},
               {"complete", side.trace->file.complete()},   {"duration_ns", side.duration_ns},
               {"allocations", side.allocations},           {"stacks", side.stacks},
               {"total", amount_json(side.total, by)}};
  if (!side.window.is_null()) json["window"] = side.window;
  return json;
}

Json side_of_site_json(const std::optional<DiffGroup>& group, double value, const ReportOptions& options) {
  if (!group) return Json();
  Json result = amount_json(group->amount, options.by);
  result["value"] = value;
  result["stacks"] = group->stacks;
  if (options.group == GroupBy::stack) result["fingerprint"] = fingerprint_text(group->fingerprint.hash);
  return result;
}

Json names_json(const Diff& diff, const Fingerprint& fingerprint) {
  Json names = Json::array();
  for (const uint32_t number : fingerprint.names) names.push_back(to_utf8(diff.names.name(number)));
  return names;
}

const char* match_name(const DiffEntry& entry) {
  if (!entry.before || !entry.after) return "none";
  return entry.similarity < 1 ? "weak" : "exact";
}

}  // namespace

void print_diff_json(const Diff& diff, const ReportOptions& options, Output& out) {
  Json document = {{"schema", "memprof.diff/1"},
                   {"by", rank_info(options.by).name},
                   {"group", group_name(options.group)},
                   {"domain", to_utf8(options.domain)},
                   {"per", options.per == DiffPer::nothing ? Json() : Json(per_name(options.per))},
                   {"fingerprint_version", kFingerprintVersion},
                   {"old", side_json(diff.before, options.by)},
                   {"new", side_json(diff.after, options.by)}};
  if (Json filters = filters_json(options); !filters.empty()) document["filters"] = std::move(filters);
  Json& counts = document["counts"];
  for (const DiffStatus status :
       {DiffStatus::added, DiffStatus::gone, DiffStatus::grown, DiffStatus::shrunk, DiffStatus::same})
    counts[diff_status_name(status)] = diff.count(status);
  counts["hidden"] = diff.hidden;
  document["weak_matches_complete"] = diff.compared_all_weakly;
  Json& list = document["sites"] = Json::array();
  for (const DiffEntry& entry : diff.entries) {
    if (list.size() == options.top.value_or(SIZE_MAX)) break;
    const DiffSide& side = entry.after ? diff.after : diff.before;
    Json site = {{"status", diff_status_name(entry.status)},
                 {"match", match_name(entry)},
                 {"similarity", entry.before && entry.after ? Json(entry.similarity) : Json()},
                 {"allocator", to_utf8(side.trace->domains.tag_name(entry.shown().tag))},
                 {"change", entry.change()},
                 {"old", side_of_site_json(entry.before, entry.old_value, options)},
                 {"new", side_of_site_json(entry.after, entry.new_value, options)}};
    if (options.group == GroupBy::stack) {
      site["fingerprint"] = fingerprint_text(entry.shown().fingerprint.hash);
      site["names"] = names_json(diff, entry.shown().fingerprint);
      put_stack(site, "stack", *side.source, entry.shown().stack, options);
    } else {
      site["group"] = name_json(options.group, entry.shown().name);
    }
    if (entry.similarity < 1) {
      site["old_names"] = names_json(diff, entry.before->fingerprint);
      put_stack(site, "old_stack", *diff.before.source, entry.before->stack, options);
    }
    list.push_back(std::move(site));
  }
  print_json(out, document);
}

void print_diff_csv(const Diff& diff, const ReportOptions& options, Output& out) {
  out.write(
      "status,match,similarity,fingerprint,old_bytes,new_bytes,old_blocks,new_blocks,old_value,new_value,change,"
      "allocator,names,group,module\r\n");
  size_t left = options.top.value_or(SIZE_MAX);
  for (const DiffEntry& entry : diff.entries) {
    if (left-- == 0) break;
    const DiffAmount before = entry.before ? entry.before->amount : DiffAmount{};
    const DiffAmount after = entry.after ? entry.after->amount : DiffAmount{};
    const auto number = [](bool is_there, uint64_t value) { return is_there ? std::to_string(value) : std::string(); };
    const bool bytes = rank_has_bytes(options.by), blocks = rank_has_blocks(options.by);
    const DiffSide& side = entry.after ? diff.after : diff.before;
    const bool is_by_name = options.group != GroupBy::stack;
    out.print("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", diff_status_name(entry.status), match_name(entry),
              entry.before && entry.after ? fmt::format("{}", entry.similarity) : "",
              is_by_name ? "" : fingerprint_text(entry.shown().fingerprint.hash), number(bytes, before.bytes),
              number(bytes, after.bytes), number(blocks, before.blocks), number(blocks, after.blocks), entry.old_value,
              entry.new_value, entry.change(), csv_field(side.trace->domains.tag_name(entry.shown().tag)),
              is_by_name ? "" : csv_field(diff.names.text_of(entry.shown().fingerprint, ";")),
              csv_field(entry.shown().name.name), csv_field(entry.shown().name.module));
  }
}

}  // namespace memprof
