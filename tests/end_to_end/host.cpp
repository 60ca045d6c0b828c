#include "host.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "paths.h"

namespace memprof::tests {

std::string host_path(const std::string& name) { return std::string(paths::kHosts) + "/" + name; }

// Small and the same in both runs: nothing of the environment of whoever runs the tests.
std::vector<std::string> plain_environment() {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/"};
}

std::vector<std::string> recording_environment(const std::vector<std::string>& settings) {
  std::vector<std::string> environment = plain_environment();
  environment.push_back(std::string("LD_PRELOAD=") + paths::kLibrary);
  environment.insert(environment.end(), settings.begin(), settings.end());
  return environment;
}

HostRun::HostRun(const std::vector<std::string>& command, const std::vector<std::string>& settings) {
  std::filesystem::create_directory(directory_ / "native");
  std::filesystem::create_directory(directory_ / "record");
  std::vector<std::string> arguments = command;
  if (arguments.at(0).find('/') == std::string::npos) arguments[0] = host_path(arguments[0]);
  native_ = run({arguments, plain_environment(), directory_ / "native", "", {}});
  recorded_ = run({arguments, recording_environment(settings), directory_ / "record", "", {}});
  INFO("command: " << arguments[0] << (arguments.size() > 1 ? " " + arguments[1] : ""));
  CHECK(recorded_.out == native_.out);
  CHECK(recorded_.err == native_.err);
  CHECK(recorded_.exit_status == native_.exit_status);
  CHECK(recorded_.signal == native_.signal);
}

std::vector<Trace> HostRun::traces() const { return traces_in(directory()); }

std::vector<Trace> HostRun::traces_of_children(const std::vector<std::string>& options) const {
  std::vector<Trace> all = traces_in(directory(), options);
  all.erase(all.begin());
  return all;
}

namespace {

struct Expectation {
  std::string key;
  uint64_t value;
};

std::vector<Expectation> expectations(const Outcome& outcome) {
  std::vector<Expectation> all;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("expect ")) continue;
    const size_t space = line.rfind(' ');
    all.push_back({line.substr(7, space - 7), std::stoull(line.substr(space + 1))});
  }
  return all;
}

struct Totals {
  uint64_t allocations, frees, bytes, open, open_bytes;
};

// With a trace of many events only its open blocks are looked at one by one: what a runtime keeps, it keeps open.
Totals totals(const Trace& trace, Runtime runtime, const std::vector<Json>& chunks) {
  Totals sum{trace.allocations(), trace.frees(), trace.bytes_allocated(), trace.open_chunks(), trace.open_bytes()};
  if (runtime == Runtime::none) return sum;
  for (const Json& chunk : chunks) {
    if (!belongs_to_runtime(chunk)) continue;
    const uint64_t size = chunk.at("size");
    --sum.allocations;
    sum.bytes -= size;
    if (chunk.at("state") == "open") {
      --sum.open;
      sum.open_bytes -= size;
    } else {
      --sum.frees;
    }
  }
  return sum;
}

// The part of `key` behind `prefix`, in `rest`.
bool splits(const std::string& key, const std::string& prefix, std::string* rest) {
  if (!key.starts_with(prefix)) return false;
  *rest = key.substr(prefix.size());
  return true;
}

uint64_t found_in_chunks(const std::string& key, const std::vector<Json>& chunks) {
  std::string rest;
  if (splits(key, "by.", &rest)) return count_if(chunks, [&](const Json& c) { return c.at("allocator") == rest; });
  if (splits(key, "freed_by.", &rest)) {
    return count_if(chunks, [&](const Json& c) { return c.at("free_function") == rest; });
  }
  if (splits(key, "called_from.", &rest)) {
    return count_if(chunks, [&](const Json& c) {
      const std::string function = caller(c);
      return function == rest || function.starts_with(rest + "(");
    });
  }
  if (splits(key, "sized.", &rest)) {
    return count_if(chunks, [&](const Json& c) { return c.at("size") == std::stoull(rest); });
  }
  if (splits(key, "open_sized.", &rest)) {
    return count_if(chunks,
                    [&](const Json& c) { return c.at("size") == std::stoull(rest) && c.at("state") == "open"; });
  }
  throw std::runtime_error("a host expects something unknown: " + key);
}

constexpr uint64_t kManyEvents = 200'000;

}  // namespace

uint64_t expected(const Outcome& outcome, const std::string& key) {
  for (const Expectation& expectation : expectations(outcome)) {
    if (expectation.key == key) return expectation.value;
  }
  throw std::runtime_error("the host did not print: expect " + key);
}

bool says(const Outcome& outcome, const std::string& key) {
  for (const Expectation& expectation : expectations(outcome)) {
    if (expectation.key == key) return true;
  }
  return false;
}

void check_trace(const Trace& trace, const Outcome& outcome, Runtime runtime) {
  const bool many = trace.summary().at("trace").at("events").get<uint64_t>() > kManyEvents;
  std::vector<Json> chunks = trace.chunks(many ? "open" : "");
  const Totals sum = totals(trace, runtime, chunks);
  std::erase_if(chunks, [](const Json& chunk) { return chunk.at("domain") != "cpu"; });
  if (runtime != Runtime::none) std::erase_if(chunks, belongs_to_runtime);
  for (const Expectation& expectation : expectations(outcome)) {
    const std::string& key = expectation.key;
    uint64_t found = 0;
    if (key == "allocations") {
      found = sum.allocations;
    } else if (key == "frees") {
      found = sum.frees;
    } else if (key == "bytes") {
      found = sum.bytes;
    } else if (key == "open") {
      found = sum.open;
    } else if (key == "open_bytes") {
      found = sum.open_bytes;
    } else if (key == "orphans") {
      found = trace.orphans();
    } else if (key == "mismatched") {
      found = trace.summary().at("mismatched_frees");
    } else if (key == "threads") {
      found = trace.summary().at("trace").at("threads");
    } else if (key == "mmap.open_bytes") {
      found = trace.summary().at("domains").at("mmap").at("open").at("bytes");
    } else {
      if (many && !key.starts_with("open_sized.")) throw std::runtime_error("too many events to look for " + key);
      found = found_in_chunks(key, chunks);
    }
    INFO("trace " << trace.path() << ", expect " << key);
    CHECK(found == expectation.value);
  }
  CHECK(trace.summary().at("double_allocations") == 0);
  CHECK(trace.dropped() == 0);
  CHECK(trace.complete());
}

Outcome without_names(Outcome outcome) {
  std::istringstream lines(std::exchange(outcome.out, ""));
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("expect by.")) outcome.out += line + "\n";
  return outcome;
}

std::vector<Trace> traces_in(const std::filesystem::path& directory, const std::vector<std::string>& options) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("trace.") && name != "trace.bin") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<Trace> traces = {Trace(directory / "trace.bin", options)};
  for (const std::filesystem::path& path : found) traces.emplace_back(path, options);
  return traces;
}

void check_verified(const std::vector<Trace>& traces, uint64_t least_checked) {
  uint64_t checked = 0;
  for (const Trace& trace : traces) {
    INFO("trace " << trace.path() << " of " << trace.summary().at("trace").at("executable"));
    const Json& verify = trace.summary().at("verify");
    checked += verify.at("checked").get<uint64_t>();
    CHECK(verify.at("mismatches") == 0);
  }
  CHECK(checked >= least_checked);
}

}  // namespace memprof::tests
