#include <catch2/catch.hpp>

#include <regex>

#include "check_tools.h"
#include "check_verdicts.h"
#include "gate/junit.h"
#include "gate/memcheck_xml.h"
#include "gate/xml_writer.h"
#include "trace_opened.h"

using namespace memprof;
using namespace memprof::test;

namespace {

std::string junit_of(const Verdict& verdict) {
  return written_by([&](Output& out) { print_junit(verdict, out); });
}

std::string memcheck_of(const Verdict& verdict) {
  return written_by([&](Output& out) { print_memcheck_xml(verdict, out); });
}

std::vector<Verdict> read_verdicts() {
  Verdict stale = failing_verdict();
  stale.fails_on_stale = true;
  stale.unseen = {"trace.bin: 7 events were dropped"};
  return {Verdict{},
          passing_verdict(),
          failing_verdict(),
          stale,
          verdict_of_hostile_names(),
          verdict_of_unknown_names(),
          verdict_of_many(3000)};
}

const std::string kProtocol = std::string(MEMPROF_SOURCE_SCHEMAS) + "/memcheck_protocol4.rng";

bool has_xmllint() { return can_run("command -v xmllint", "no xmllint (libxml2-utils)"); }

ToolResult xmllint(const std::string& arguments, const std::string& document) {
  return run_tool("xmllint --noout " + arguments + " " + DocumentFile(document).path());
}

size_t count_of_text(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A project whose one test writes the document where CTest looks for memcheck's log, and what CTest makes of it.
std::string ctest_reading(const std::string& document) {
  const NewDirectory directory;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(directory.at(name), std::ios::binary) << text;
  };
  write("document", document);
  write("memcheck", "#!/bin/sh\nfor word; do case $word in --log-file=*) cp '" + directory.at("document") +
                        "' \"${word#--log-file=}\";; esac; done\n");
  write("CTestTestfile.cmake", "add_test(one /bin/true)\n");
  write("DartConfiguration.tcl", "BuildDirectory: " + directory.at("") + "\nSourceDirectory: " + directory.at("") +
                                     "\nMemoryCheckCommand: " + directory.at("memcheck") +
                                     "\nMemoryCheckType: Valgrind\nTimeOut: 60\n");
  return run_tool("cd " + directory.at("") + " && chmod +x memcheck && ctest -T memcheck").output;
}

}  // namespace

TEST_CASE("JUnit's XML has a case for each rule and each finding that counts", "[check]") {
  CHECK(junit_of(failing_verdict()) == R"_(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="memprof check" tests="9" failures="5" errors="0">
  <testsuite name="rules" tests="3" failures="2" errors="0" skipped="0">
    <testcase classname="memprof.check.rules" name="everything was seen"/>
    <testcase classname="memprof.check.rules" name="max-peak">
      <failure type="max-peak" message="max-peak: 12.00 MiB, over the limit of 10.00 MiB">
max-peak: 12.00 MiB, over the limit of 10.00 MiB
      </failure>
    </testcase>
    <testcase classname="memprof.check.rules" name="budget of *list* (blocks) [0123456789abcdef]">
      <failure type="budget" message="budget of *list* (blocks): 3, over the limit of 2">
new definite leak at make_node(int) (list.c:12): 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them
  #0  std::allocate&lt;int&gt;()  alloc.h:7  (app)
&gt; #1  make_node(int)  list.c:12  (app)
  #2  main  main.c:30  (app)
      </failure>
    </testcase>
  </testsuite>
  <testsuite name="findings" tests="6" failures="3" errors="0" skipped="1">
    <testcase classname="memprof.check.definite" name="make_node(int) [0123456789abcdef]">
      <failure type="definite leak" message="new definite leak: 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them">
new definite leak at make_node(int) (list.c:12): 1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them
  #0  std::allocate&lt;int&gt;()  alloc.h:7  (app)
&gt; #1  make_node(int)  list.c:12  (app)
  #2  main  main.c:30  (app)
      </failure>
    </testcase>
    <testcase classname="memprof.check.possible" name="grow(char const*) [0000000000000002]">
      <failure type="possible leak" message="grown possible leak: 1.20 KiB in 3 blocks (the baseline has 512 B in 1) from malloc">
grown possible leak at grow(char const*) (grow.c:5): 1.20 KiB in 3 blocks (the baseline has 512 B in 1) from malloc
&gt; #0  grow(char const*)  grow.c:5  (app)
      </failure>
    </testcase>
    <testcase classname="memprof.check.mismatched-free" name="grow(char const*) [0000000000000003]">
      <failure type="mismatched free" message="new mismatched free: 24 B in 1 block from new[], freed by free">
new mismatched free at grow(char const*) (grow.c:5): 24 B in 1 block from new[], freed by free
&gt; #0  grow(char const*)  grow.c:5  (app)
freed at
  #0  drop()  drop.c:8  (app)
      </failure>
    </testcase>
    <testcase classname="memprof.check.definite" name="make_node(int) [0000000000000004]"/>
    <testcase classname="memprof.check.reachable" name="grow(char const*) [0000000000000005]"/>
    <testcase classname="memprof.check.definite" name="make_node(int) [0000000000000006]">
      <skipped>suppressed by glibc-dlopen (/repo/known.supp:12)</skipped>
    </testcase>
  </testsuite>
</testsuites>
)_");
}

TEST_CASE("JUnit's XML of a gate that passes has cases that pass", "[check]") {
  CHECK(junit_of(passing_verdict()) == R"_(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="memprof check" tests="2" failures="0" errors="0">
  <testsuite name="rules" tests="2" failures="0" errors="0" skipped="0">
    <testcase classname="memprof.check.rules" name="everything was seen"/>
    <testcase classname="memprof.check.rules" name="all limits are kept"/>
  </testsuite>
</testsuites>
)_");
}

TEST_CASE("JUnit's XML says what was not seen and what is stale", "[check]") {
  const std::string text = junit_of(read_verdicts()[3]);
  CHECK_THAT(text, Catch::Contains(R"_(<failure type="unseen" message="trace.bin: 7 events were dropped">)_"));
  CHECK_THAT(
      text, Catch::Contains(R"_(<failure type="stale suppression" message="stale: old-leak (/repo/known.supp:40)">)_"));
}

TEST_CASE("names of JUnit's cases are the same in the next run, whatever the numbers are", "[check]") {
  const auto names = [](const Verdict& verdict) {
    const std::string text = junit_of(verdict);
    const std::regex name("<testcase classname=\"[^\"]*\" name=\"([^\"]*)\"");
    std::vector<std::string> all;
    for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) all.push_back((*it)[1]);
    return all;
  };
  Verdict other = failing_verdict();
  for (Finding& finding : other.findings) {
    finding.bytes += 1;
    finding.blocks += 1;
    for (FindingFrame& frame : finding.frames) frame.offset += ++frame.line;
  }
  for (BrokenLimit& limit : other.broken_limits) limit.found += 1;
  for (JudgedTrace& trace : other.traces) trace.pid = 1;
  REQUIRE(names(other).size() == 9);
  CHECK(names(other) == names(failing_verdict()));
}

TEST_CASE("JUnit's XML is valid against Jenkins' schema", "[check]") {
  const std::string schema = std::string(MEMPROF_SCHEMAS) + "/jenkins-junit.xsd";
  if (!has_xmllint() || !can_run("test -r " + schema, "no " + schema + " (scripts/test fetches it with npm)")) return;
  for (const Verdict& verdict : read_verdicts()) {
    const ToolResult result = xmllint("--schema " + schema, junit_of(verdict));
    INFO(result.output);
    CHECK(result.status == 0);
  }
  CHECK(xmllint("--schema " + schema, "<testsuites><testcase/></testsuites>").status != 0);
}

TEST_CASE("a reader of JUnit's XML counts what the gate counts", "[check]") {
  if (!can_run("/usr/bin/python3 -c 'import junitparser'", "no python3-junitparser")) return;
  const auto read = [](const Verdict& verdict) {
    const DocumentFile file(junit_of(verdict));
    return run_tool(
               "/usr/bin/python3 -c 'import junitparser, sys\n"
               "xml = junitparser.JUnitXml.fromfile(sys.argv[1])\n"
               "told = (xml.tests, xml.failures, xml.errors)\n"
               "xml.update_statistics()\n"
               "assert told == (xml.tests, xml.failures, xml.errors), told\n"
               "print(xml.tests, xml.failures, xml.errors, xml.skipped)' " +
               file.path())
        .output;
  };
  CHECK(read(passing_verdict()) == "2 0 0 0\n");
  CHECK(read(failing_verdict()) == "9 5 0 1\n");
  CHECK(read(verdict_of_hostile_names()) == "9 6 0 1\n");
  CHECK(read(verdict_of_many(3000)) == "3003 3002 0 0\n");
}

TEST_CASE("memcheck's XML has the failing findings as valgrind writes them", "[check]") {
  CHECK(memcheck_of(failing_verdict()) == R"_(<?xml version="1.0"?>
<valgrindoutput>
  <protocolversion>4</protocolversion>
  <protocoltool>memcheck</protocoltool>
  <preamble>
    <line>memprof, a heap profiler: the findings of memprof-analyze check</line>
    <line>2 traces; pid and arguments are those of the first</line>
    <line>Command: ./app --fast</line>
  </preamble>
  <pid>4242</pid>
  <ppid>4200</ppid>
  <tool>memcheck</tool>
  <args>
    <vargv>
      <exe>memprof-analyze</exe>
      <arg>check</arg>
    </vargv>
    <argv>
      <exe>./app</exe>
      <arg>--fast</arg>
    </argv>
  </args>
  <status>
    <state>RUNNING</state>
    <time>00:00:00:00.000 </time>
  </status>
  <error>
    <unique>0x0</unique>
    <tid>1</tid>
    <kind>MismatchedFree</kind>
    <what>Mismatched free() / delete / delete []</what>
    <stack>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>drop()</fn>
        <dir>/repo/src</dir>
        <file>drop.c</file>
        <line>8</line>
      </frame>
    </stack>
    <auxwhat>New: the baseline does not have it</auxwhat>
    <auxwhat>24 bytes in 1 blocks, allocated by new[] and freed by free, were alloc'd at</auxwhat>
    <stack>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>grow(char const*)</fn>
        <dir>/repo/src</dir>
        <file>grow.c</file>
        <line>5</line>
      </frame>
    </stack>
  </error>
  <status>
    <state>FINISHED</state>
    <time>00:00:00:01.500 </time>
  </status>
  <error>
    <unique>0x1</unique>
    <tid>1</tid>
    <kind>Leak_DefinitelyLost</kind>
    <xwhat>
      <text>1,296 (1,232 direct, 64 indirect) bytes in 3 blocks are definitely lost in loss record 1 of 2</text>
      <leakedbytes>1296</leakedbytes>
      <leakedblocks>3</leakedblocks>
    </xwhat>
    <stack>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>std::allocate&lt;int&gt;()</fn>
        <dir>/usr/include/c++/12/bits</dir>
        <file>alloc.h</file>
        <line>7</line>
      </frame>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>make_node(int)</fn>
        <dir>/repo/src</dir>
        <file>list.c</file>
        <line>12</line>
      </frame>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>main</fn>
        <dir>/repo/src</dir>
        <file>main.c</file>
        <line>30</line>
      </frame>
      <frame>
        <ip>0x99</ip>
        <obj>/lib/libc.so.6</obj>
        <fn>__libc_start_call_main</fn>
      </frame>
    </stack>
    <auxwhat>New: the baseline does not have it</auxwhat>
  </error>
  <error>
    <unique>0x2</unique>
    <tid>1</tid>
    <kind>Leak_PossiblyLost</kind>
    <xwhat>
      <text>1,232 bytes in 3 blocks are possibly lost in loss record 2 of 2</text>
      <leakedbytes>1232</leakedbytes>
      <leakedblocks>3</leakedblocks>
    </xwhat>
    <stack>
      <frame>
        <ip>0x1234</ip>
        <obj>/opt/app/bin/app</obj>
        <fn>grow(char const*)</fn>
        <dir>/repo/src</dir>
        <file>grow.c</file>
        <line>5</line>
      </frame>
    </stack>
    <auxwhat>Grown: the baseline has 512 bytes in 1 blocks</auxwhat>
  </error>
  <errorcounts>
    <pair>
      <count>1</count>
      <unique>0x0</unique>
    </pair>
  </errorcounts>
  <suppcounts>
    <pair>
      <count>1</count>
      <name>glibc-dlopen</name>
    </pair>
  </suppcounts>
</valgrindoutput>
<!-- for CTest
==4242== Mismatched free() / delete / delete []
==4242== 1,296 (1,232 direct, 64 indirect) bytes in 3 blocks are definitely lost in loss record 1 of 2
==4242== 1,232 bytes in 3 blocks are possibly lost in loss record 2 of 2
==4242== ERROR SUMMARY: 3 errors
 -->
)_");
}

TEST_CASE("memcheck's XML keeps protocol 4, as valgrind's own output does", "[check]") {
  if (!has_xmllint()) return;
  for (const Verdict& verdict : read_verdicts()) {
    const ToolResult result = xmllint("--relaxng " + kProtocol, memcheck_of(verdict));
    INFO(result.output);
    CHECK(result.status == 0);
  }
  std::string broken = memcheck_of(failing_verdict());
  broken.replace(broken.find("Leak_DefinitelyLost"), 19, "Leak_Somehow_______");
  CHECK(xmllint("--relaxng " + kProtocol, broken).status != 0);
}

TEST_CASE("the schema of protocol 4 takes what valgrind writes", "[check]") {
  if (!has_xmllint() || !can_run("command -v valgrind", "no valgrind")) return;
  const NewDirectory directory;
  const std::string out = directory.at("valgrind.xml");
  run_tool("valgrind --xml=yes --xml-file=" + out + " --leak-check=full --show-leak-kinds=all /bin/sh -c :");
  const ToolResult result = run_tool("xmllint --noout --relaxng " + kProtocol + " " + out);
  INFO(result.output);
  CHECK(result.status == 0);
}

TEST_CASE("CTest counts the findings of memcheck's XML", "[check]") {
  if (!can_run("command -v ctest", "no ctest (cmake)")) return;
  const std::string failing = ctest_reading(memcheck_of(failing_verdict()));
  INFO(failing);
  CHECK_THAT(failing, Catch::Contains("Memory Leak - 1\n"));
  CHECK_THAT(failing, Catch::Contains("Potential Memory Leak - 1\n"));
  CHECK_THAT(failing, Catch::Contains("Mismatched deallocation - 1\n"));
  const std::string many = ctest_reading(memcheck_of(verdict_of_many(300)));
  CHECK_THAT(many, Catch::Contains("Memory Leak - 300\n"));
  const std::string passing = ctest_reading(memcheck_of(passing_verdict()));
  INFO(passing);
  CHECK_THAT(passing, Catch::Contains("100% tests passed") && !Catch::Contains("Leak"));
}

TEST_CASE("any bytes are text of an XML document", "[check]") {
  CHECK(xml_text("a<b>&\"c]]>") == "a&lt;b&gt;&amp;&quot;c]]&gt;");
  CHECK(xml_text(std::string_view("\0\n\x1b\xff", 4)) == "\\x00\\x0a\\x1b\\xff");
  CHECK(xml_text("\xef\xbf\xbe \xef\xbf\xbf \xef\xbf\xbd") == "\\xef\\xbf\\xbe \\xef\\xbf\\xbf \xef\xbf\xbd");
  CHECK(count_of_text(memcheck_of(verdict_of_hostile_names()), "\n==") == 4);
}
