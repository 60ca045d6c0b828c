// Tables as RFC 4180 has them: a header line, CRLF, quotes where a field needs them. Numbers are raw: bytes and ns.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/output.h"

namespace memprof {

// Names from the trace are escaped as for a terminal, so that a row is always one line.
std::string csv_field(std::string_view bytes);

class CsvTable {
 public:
  CsvTable(Output& out, const std::vector<std::string>& header) : out_(out) {
    for (const std::string& name : header) field(name);
    end_row();
  }

  template <class... Fields>
  void row(const Fields&... fields) {
    (field(fields), ...);
    end_row();
  }
  void field(std::string_view text) {
    separate();
    out_.write(csv_field(text));
  }
  void field(const std::string& text) { field(std::string_view(text)); }
  void field(const char* text) { field(std::string_view(text)); }
  template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
  void field(Number number) {
    separate();
    out_.print("{}", number);
  }
  void field(bool truth) { field(truth ? "true" : "false"); }
  // Unknown, or not asked for.
  void empty_field() { separate(); }
  void end_row() {
    out_.write("\r\n");
    is_first_ = true;
  }

 private:
  void separate() {
    if (!is_first_) out_.write(",");
    is_first_ = false;
  }

  Output& out_;
  bool is_first_ = true;
};

}  // namespace memprof
