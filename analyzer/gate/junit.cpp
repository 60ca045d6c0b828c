#include "gate/junit.h"

#include <optional>
#include <string>
#include <vector>

#include "gate/finding_stack.h"
#include "gate/finding_text.h"
#include "gate/xml_writer.h"

namespace memprof {

namespace {

struct TestCase {
  std::string class_name, name;
  // Of one that fails: its kind, the line that lists show, and what is behind it.
  std::optional<std::string> failure_type = {};
  std::string message = {};
  std::vector<std::string> details = {};
  bool is_skipped = false;
};

std::vector<std::string> finding_details(const Finding& finding) {
  std::vector<std::string> lines = {describe_finding(finding)};
  const auto append = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  append(allocation_stack_lines(finding, {}));
  if (!finding.free_frames.empty()) {
    lines.emplace_back("freed at");
    append(free_stack_lines(finding, {}));
  }
  return lines;
}

std::vector<TestCase> finding_cases(const Verdict& verdict) {
  std::vector<TestCase> cases;
  for (const Finding& finding : verdict.findings) {
    if (!finding.counts() && !finding.suppression) continue;
    // Two places may have one name; not one fingerprint.
    TestCase test{std::string("memprof.check.") + finding_kind_name(finding.kind),
                  finding_function(finding) + " [" + fingerprint_text(finding) + "]"};
    if (finding.suppression) {
      test.is_skipped = true;
      if (*finding.suppression < verdict.suppressions.size())
        test.message = "suppressed by " + suppression_place(verdict.suppressions[*finding.suppression]);
    } else if (finding.fails) {
      test.failure_type = kind_noun(finding.kind);
      test.message = finding_title(finding) + ": " + finding_amount(finding);
      test.details = finding_details(finding);
    }
    cases.push_back(std::move(test));
  }
  return cases;
}

// There is always one: a reader takes a file without test cases for a run that broke.
std::vector<TestCase> rule_cases(const Verdict& verdict) {
  static const std::string kClass = "memprof.check.rules";
  std::vector<TestCase> cases;
  TestCase seen{kClass, "everything was seen"};
  if (!verdict.unseen.empty()) {
    seen.failure_type = "unseen";
    seen.message = verdict.unseen.front();
    seen.details = verdict.unseen;
  }
  cases.push_back(std::move(seen));

  if (verdict.broken_limits.empty()) cases.push_back({kClass, "all limits are kept"});
  for (const BrokenLimit& limit : verdict.broken_limits) {
    TestCase test{kClass, limit_name(limit), limit.rule, describe_limit(limit), {describe_limit(limit)}};
    if (limit.finding && *limit.finding < verdict.findings.size()) {
      const Finding& finding = verdict.findings[*limit.finding];
      test.name += " [" + fingerprint_text(finding) + "]";
      test.details = finding_details(finding);
    }
    cases.push_back(std::move(test));
  }

  if (verdict.fails_on_stale) {
    TestCase test{kClass, "all suppressions are used"};
    for (const SuppressionUse& use : verdict.suppressions)
      if (use.is_stale()) test.details.push_back(suppression_place(use));
    if (!test.details.empty()) {
      test.failure_type = "stale suppression";
      test.message = "stale: " + test.details.front();
      if (test.details.size() > 1) test.message += fmt::format(" and {} more", test.details.size() - 1);
    }
    cases.push_back(std::move(test));
  }
  return cases;
}

struct Counts {
  size_t tests = 0, failures = 0, skipped = 0;
};

Counts count(const std::vector<TestCase>& cases) {
  Counts counts{cases.size()};
  for (const TestCase& test : cases) {
    if (test.failure_type) ++counts.failures;
    if (test.is_skipped) ++counts.skipped;
  }
  return counts;
}

void write_suite(XmlWriter& xml, const char* name, const std::vector<TestCase>& cases) {
  const Counts counts = count(cases);
  xml.open("testsuite", {{"name", name},
                         {"tests", std::to_string(counts.tests)},
                         {"failures", std::to_string(counts.failures)},
                         {"errors", "0"},
                         {"skipped", std::to_string(counts.skipped)}});
  for (const TestCase& test : cases) {
    const XmlWriter::Attributes names = {{"classname", test.class_name}, {"name", test.name}};
    if (!test.failure_type && !test.is_skipped) {
      xml.element("testcase", "", names);
      continue;
    }
    xml.open("testcase", names);
    if (test.is_skipped) {
      // As text: older schemas of Jenkins allow no attribute.
      xml.element("skipped", test.message);
    } else {
      xml.open("failure", {{"type", *test.failure_type}, {"message", test.message}});
      xml.lines(test.details);
      xml.close();
    }
    xml.close();
  }
  xml.close();
}

}  // namespace

void print_junit(const Verdict& verdict, Output& out) {
  const std::vector<TestCase> findings = finding_cases(verdict), rules = rule_cases(verdict);
  const Counts all = {findings.size() + rules.size(), count(findings).failures + count(rules).failures};
  XmlWriter xml(out);
  xml.begin(R"(<?xml version="1.0" encoding="UTF-8"?>)");
  xml.open("testsuites", {{"name", "memprof check"},
                          {"tests", std::to_string(all.tests)},
                          {"failures", std::to_string(all.failures)},
                          {"errors", "0"}});
  write_suite(xml, "rules", rules);
  if (!findings.empty()) write_suite(xml, "findings", findings);
  xml.close();
}

}  // namespace memprof
