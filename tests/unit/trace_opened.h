// A built trace, opened by the analyzer.
#pragma once

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "model/analysis.h"
#include "report/output.h"
#include "trace_builder.h"

namespace memprof::test {

inline TraceFile open_bytes(const Bytes& bytes) { return TraceFile::from_descriptor(memory_file(bytes), "test.trace"); }

// The trace and what became of its blocks.
struct Analysed {
  explicit Analysed(const Bytes& bytes) : trace(open_bytes(bytes)), result(analyse(trace)) {}
  explicit Analysed(TraceBuilder& builder) : Analysed(builder.build()) {}

  Trace trace;
  Analysis result;

  const Account& heap() const { return *result.heap(); }
  const Account* domain(std::string_view name) const {
    const auto& all = trace.domains.all();
    for (uint16_t i = 0; i < all.size(); ++i)
      if (all[i].name == name) return result.pairing.account(i);
    return nullptr;
  }
};

// What a report writes.
template <class Report>
std::string written_by(Report&& report) {
  const int descriptor = memory_file({});
  Output out(descriptor);
  report(out);
  out.flush();
  std::string text(static_cast<size_t>(::lseek(descriptor, 0, SEEK_END)), '\0');
  if (::pread(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) text.clear();
  ::close(descriptor);
  return text;
}

}  // namespace memprof::test
