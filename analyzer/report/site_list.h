// What `stacks` and `leaks` have in common: the sites of some domains in some order, each with its whole stack.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/analysis.h"
#include "report/csv.h"
#include "report/domain_choice.h"
#include "report/frame_text.h"
#include "report/output.h"
#include "report/report_options.h"
#include "report/site_extras.h"

namespace memprof {

// "3 stacks", "1 function"; with `what`, "3 more stacks"
std::string count_sites(uint64_t count, GroupBy by, const char* what = "");

// Raw bytes of "function;function", innermost first; at the end "(3 frames hidden)" where there are such.
std::string joined_stack(FrameSource& source, StackId stack, const ReportOptions& options);
// "group": {"by", "name", "module"}
Json name_json(GroupBy by, const BlockGroups::Name& name);
Json group_json(const Analysis& analysis, const SiteGroups& groups, StackId site);
// As it is in a list: with its stack, or what group it is.
Json listed_site_json(const Analysis& analysis, const SiteGroups* groups, FrameSource& source, const Site& site,
                      const ReportOptions& options);
// "name  (module)", escaped, in at most `columns`.
std::string name_line(const BlockGroups::Name& name, size_t columns);
std::string group_line(const Analysis& analysis, const SiteGroups& groups, StackId site, size_t columns);

// `schema`: "memprof.stacks/1".
void print_sites_json(const Analysis& analysis, const Account* account, const ReportOptions& options,
                      const SiteExtras& extras, const char* schema, Output& out);
// Every site of the list unless --top says less.
void print_sites_csv(const Analysis& analysis, const Account* account, const ReportOptions& options,
                     const SiteExtras& extras, Output& out);
// What goes before the stack of each site. Nothing for an empty list.
void print_sites_text(const Analysis& analysis, const Account& account, const ReportOptions& options,
                      const SiteExtras& extras, Output& out);

}  // namespace memprof
