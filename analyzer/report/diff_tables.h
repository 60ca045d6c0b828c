// The comparison of two traces for programs.
#pragma once

#include "report/diff_sites.h"
#include "report/output.h"

namespace memprof {

void print_diff_json(const Diff& diff, const ReportOptions& options, Output& out);
// One line a place, RFC 4180, with a header.
void print_diff_csv(const Diff& diff, const ReportOptions& options, Output& out);

}  // namespace memprof
