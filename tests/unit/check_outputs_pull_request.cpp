#include <catch2/catch.hpp>

#include <algorithm>
#include <regex>
#include <sstream>

#include "check_tools.h"
#include "check_verdicts.h"
#include "gate/check_markdown.h"
#include "gate/github_annotations.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

std::string annotations_of(const Verdict& verdict) {
  return written_by([&](Output& out) { print_github_annotations(verdict, {"/repo"}, out); });
}

std::string markdown_of(const Verdict& verdict, size_t max_bytes = 65536) {
  return written_by([&](Output& out) { print_check_markdown(verdict, {"/repo", max_bytes}, out); });
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("annotations stand at the blamed lines", "[check]") {
  CHECK(annotations_of(failing_verdict()) ==
        R"_(::error title=limit broken%3A max-peak::max-peak: 12.00 MiB, over the limit of 10.00 MiB
::error file=src/list.c,line=12,title=limit broken%3A budget of *list* (blocks)::budget of *list* (blocks): 3, over the limit of 2
::error file=src/list.c,line=12,title=new definite leak::new definite leak at make_node(int) (list.c:12): 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them%0A  #0  std::allocate<int>()  alloc.h:7  (app)%0A> #1  make_node(int)  list.c:12  (app)%0A  #2  main  main.c:30  (app)
::error file=src/grow.c,line=5,title=grown possible leak::grown possible leak at grow(char const*) (grow.c:5): 1.20 KiB in 3 blocks (the baseline has 512 B in 1) from malloc%0A> #0  grow(char const*)  grow.c:5  (app)
::error file=src/grow.c,line=5,title=new mismatched free::new mismatched free at grow(char const*) (grow.c:5): 24 B in 1 block from new[], freed by free%0A> #0  grow(char const*)  grow.c:5  (app)
::warning file=known.supp,line=40,title=stale suppression::old-leak (/repo/known.supp:40) matches nothing any more
)_");
}

TEST_CASE("a gate that passes has no annotations but for stale suppressions", "[check]") {
  CHECK(annotations_of(passing_verdict()).empty());
  Verdict verdict = passing_verdict();
  verdict.suppressions = {{"old-leak", "/repo/known.supp", 40}};
  CHECK(annotations_of(verdict) ==
        "::warning file=known.supp,line=40,title=stale suppression::old-leak (/repo/known.supp:40) matches nothing any "
        "more\n");
  verdict.fails_on_stale = true;
  CHECK_THAT(annotations_of(verdict), Catch::StartsWith("::error file=known.supp,line=40,"));
}

TEST_CASE("no more annotations than GitHub shows, and the last says how many there are", "[check]") {
  Verdict verdict = verdict_of_many(10);
  verdict.broken_limits.clear();
  verdict.suppressions.clear();
  CHECK(lines_of(annotations_of(verdict)).size() == 10);
  CHECK_THAT(annotations_of(verdict), !Catch::Contains("not shown"));
  verdict = verdict_of_many(5000);
  verdict.broken_limits.clear();
  verdict.suppressions.clear();
  REQUIRE(lines_of(annotations_of(verdict)).size() == 10);
  CHECK(lines_of(annotations_of(verdict)).back() ==
        "::error title=memprof check::4,991 more, not shown here: see the log of this step%0AFAILED: 5,000 new leaks "
        "(5.87 MiB in 15,000 blocks)");
}

TEST_CASE("no name ends an annotation or begins another", "[check]") {
  // As the runner reads a command: properties end at the second "::".
  const std::regex command("::(error|warning) ((file|line|title)=[^:,]*,)*title=[^:,]*::[^\\x00-\\x1f\\x7f]*");
  const std::vector<std::string> lines = lines_of(annotations_of(verdict_of_hostile_names()));
  REQUIRE(lines.size() == 8);
  for (const std::string& line : lines) {
    INFO(line);
    CHECK(std::regex_match(line, command));
    CHECK(line.find("\u202e") == std::string::npos);
    // Each percent sign is one of an escape.
    CHECK(std::regex_match(line, std::regex("([^%]|%(25|0A|0D|3A|2C))*")));
  }
  CHECK(lines_of(annotations_of(verdict_of_unknown_names())).size() == 6);
}

TEST_CASE("the Markdown has a row and a stack for each finding that fails", "[check]") {
  CHECK(markdown_of(failing_verdict()) == R"_(### memprof check failed

1 new leak (1.20 KiB in 3 blocks); 1 grown leak (1.20 KiB in 3 blocks); 1 mismatched free; max-peak: 12.00 MiB, over the limit of 10.00 MiB; budget of &#42;list&#42; (blocks): 3, over the limit of 2

Limits broken:

* max-peak: 12.00 MiB, over the limit of 10.00 MiB
* budget of &#42;list&#42; (blocks): 3, over the limit of 2

| finding | size | blocks | where |
|---|---:|---:|---|
| new definite leak | 1.20 KiB | 3 | <code>make&#95;node(int)</code><br>src/list.c:12 |
| grown possible leak | 1.20 KiB<br>was 512 B | 3<br>was 1 | <code>grow(char const&#42;)</code><br>src/grow.c:5 |
| new mismatched free | 24 B | 1 | <code>grow(char const&#42;)</code><br>src/grow.c:5 |

<details><summary>new definite leak: 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them</summary>

<pre>
  #0  std::allocate&lt;int&gt;()  alloc.h:7  (app)
&gt; #1  make_node(int)  list.c:12  (app)
  #2  main  main.c:30  (app)
</pre>
</details>

<details><summary>grown possible leak: 1.20 KiB in 3 blocks (the baseline has 512 B in 1) from malloc</summary>

<pre>
&gt; #0  grow(char const*)  grow.c:5  (app)
</pre>
</details>

<details><summary>new mismatched free: 24 B in 1 block from new&#91;&#93;, freed by free</summary>

<pre>
&gt; #0  grow(char const*)  grow.c:5  (app)
freed at
  #0  drop()  drop.c:8  (app)
</pre>
</details>


Stale suppressions:

* old-leak (/repo/known.supp&#58;40)

1 known to the baseline (1.20 KiB in 3 blocks), 1 suppressed (1.20 KiB in 3 blocks), 1 elsewhere (1.20 KiB in 3 blocks), 1 fixed since the baseline (100 B in 2 blocks)
)_");
}

TEST_CASE("the Markdown of a gate that passes is short", "[check]") {
  CHECK(markdown_of(passing_verdict()) == "### memprof check passed\n\nno leaks\n");
}

TEST_CASE("a comment is no longer than GitHub takes", "[check]") {
  Verdict verdict = verdict_of_many(5000);
  for (Finding& finding : verdict.findings) finding.frames.assign(200, finding.frames[1]);
  for (int i = 0; i < 500; ++i) {
    verdict.broken_limits.push_back({"budget", std::string(1000, '*'), "blocks", 1, 2, {}});
    verdict.unseen.emplace_back(1000, '|');
    verdict.suppressions.push_back({std::string(1000, '<'), "x.supp", 1});
  }
  for (const size_t most : {size_t{4096}, size_t{20'000}, size_t{65536}}) {
    const std::string text = markdown_of(verdict, most);
    CHECK(text.size() <= most);
    CHECK(text.size() > most / 8);
    CHECK_THAT(text, Catch::Contains(" more"));
    // Nothing is cut in the middle.
    const auto count = [&](const char* part) {
      size_t found = 0;
      for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
      return found;
    };
    CHECK(count("<details>") == count("</details>"));
    CHECK(count("<pre>") == count("</pre>"));
    CHECK(count("<code>") == count("</code>"));
  }
  CHECK_THAT(markdown_of(verdict_of_many(5000)), Catch::Contains("\n4,975 more that fail: see the log.\n"));
}

TEST_CASE("what GitHub's Markdown makes of hostile names is text", "[check]") {
  if (!can_run("command -v cmark-gfm", "no cmark-gfm")) return;
  // Raw HTML stays in: GitHub's filter of it is another line of defence.
  const std::string render = "cmark-gfm --unsafe -e table -e autolink -e strikethrough -t html ";
  const DocumentFile file(markdown_of(verdict_of_hostile_names()));
  const ToolResult result = run_tool(render + file.path());
  REQUIRE(result.status == 0);
  const std::regex tag("<(/?[a-zA-Z!][a-zA-Z0-9]*)");
  const std::vector<std::string> allowed = {"h3", "p",  "code", "ul", "li",      "table",   "thead", "tbody",
                                            "tr", "th", "td",   "br", "details", "summary", "pre"};
  for (std::sregex_iterator it(result.output.begin(), result.output.end(), tag), end; it != end; ++it) {
    std::string name = (*it)[1];
    if (name.starts_with('/')) name.erase(0, 1);
    INFO(name);
    CHECK(std::find(allowed.begin(), allowed.end(), name) != allowed.end());
  }
  // A mention outside of code would send a mail.
  const std::string prose = std::regex_replace(result.output, std::regex("<(code|pre)>[^<]*</(code|pre)>"), "");
  CHECK_THAT(prose, !Catch::Contains("@"));
  CHECK_THAT(result.output, Catch::Contains("&lt;script&gt;alert(1)"));
  // Three rows, of five cells each.
  const DocumentFile plain(markdown_of(failing_verdict()));
  const std::string table = run_tool(render + plain.path()).output;
  CHECK_THAT(table, Catch::Contains("<code>make_node(int)</code><br>src/list.c:12</td>"));
  CHECK(std::count(table.begin(), table.end(), '<') > 20);
}
