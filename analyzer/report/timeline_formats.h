// The three forms of the timeline, one file each.
#pragma once

#include <string_view>

#include "report/output.h"
#include "report/report_options.h"
#include "report/timeline_series.h"

namespace memprof {

void print_timeline_text(const Timeline& timeline, const ReportOptions& options, Output& out);
void print_timeline_json(const Timeline& timeline, const ReportOptions& options, Output& out);
void print_timeline_csv(const Timeline& timeline, const ReportOptions& options, Output& out);

// Raw bytes; empty: it has none.
std::string_view thread_name(const Trace& trace, uint32_t serial);

}  // namespace memprof
