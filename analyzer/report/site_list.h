// What `stacks` and `leaks` have in common: the sites of one domain in some order, each with its whole stack.
#pragma once

#include <optional>
#include <string_view>

#include "model/analysis.h"
#include "report/output.h"
#include "report/report_options.h"

namespace memprof {

// nullopt: the trace has no such domain.
std::optional<uint16_t> find_domain(const Trace& trace, std::string_view name);

// `schema`: "memprof.stacks/1".
void print_sites_json(const Analysis& analysis, const Account* account, const ReportOptions& options,
                      const char* schema, Output& out);
// What goes before the stack of each site. Nothing for an empty list.
void print_sites_text(const Analysis& analysis, const Account& account, const ReportOptions& options, Output& out);

}  // namespace memprof
