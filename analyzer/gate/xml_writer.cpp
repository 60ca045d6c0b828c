#include "gate/xml_writer.h"

#include "report/escape.h"

namespace memprof {

std::string xml_text(std::string_view bytes) {
  std::string text;
  const std::string safe = escape_text(bytes);
  for (size_t i = 0; i < safe.size(); ++i) {
    switch (safe[i]) {
      case '&': text += "&amp;"; break;
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '"': text += "&quot;"; break;
      case '\xef':
        // U+FFFE and U+FFFF are UTF-8 and no characters of XML.
        if (safe.compare(i, 3, "\xef\xbf\xbe") == 0 || safe.compare(i, 3, "\xef\xbf\xbf") == 0) {
          text += safe[i + 2] == '\xbe' ? "\\xef\\xbf\\xbe" : "\\xef\\xbf\\xbf";
          i += 2;
          break;
        }
        [[fallthrough]];
      default: text += safe[i];
    }
  }
  return text;
}

void XmlWriter::begin_tag(const char* name, Attributes attributes) {
  out_.print("{:{}}<{}", "", 2 * open_.size(), name);
  for (const Attribute& attribute : attributes) out_.print(" {}=\"{}\"", attribute.name, xml_text(attribute.value));
}

void XmlWriter::open(const char* name, Attributes attributes) {
  begin_tag(name, attributes);
  out_.write(">\n");
  open_.push_back(name);
}

void XmlWriter::close() {
  const char* name = open_.back();
  open_.pop_back();
  out_.print("{:{}}</{}>\n", "", 2 * open_.size(), name);
}

void XmlWriter::element(const char* name, std::string_view text, Attributes attributes) {
  begin_tag(name, attributes);
  if (text.empty())
    out_.write("/>\n");
  else
    out_.print(">{}</{}>\n", xml_text(text), name);
}

void XmlWriter::lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) out_.print("{}\n", xml_text(line));
}

}  // namespace memprof
