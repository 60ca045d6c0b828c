// XML that is well-formed whatever the names in it are.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "report/output.h"

namespace memprof {

// For text and attributes. What no XML document may hold, and what moves text on a terminal, becomes \xNN.
std::string xml_text(std::string_view bytes);

// Elements, indented by two blanks a level. Names of elements and attributes are the program's own.
class XmlWriter {
 public:
  struct Attribute {
    const char* name;
    std::string value;
  };
  using Attributes = std::initializer_list<Attribute>;

  explicit XmlWriter(Output& out) : out_(out) {}

  // `declaration`: "<?xml …?>"
  void begin(std::string_view declaration) { out_.print("{}\n", declaration); }
  void open(const char* name, Attributes attributes = {});
  void close();
  // <name>text</name>; empty text: <name attributes/>
  void element(const char* name, std::string_view text, Attributes attributes = {});
  // Text on lines of its own, not indented: for what is shown as it stands.
  void lines(const std::vector<std::string>& lines);
  // `text` is the program's own and has no "--".
  void comment(std::string_view text) { out_.print("<!-- {} -->\n", text); }

 private:
  void begin_tag(const char* name, Attributes attributes);

  Output& out_;
  std::vector<const char*> open_;
};

}  // namespace memprof
