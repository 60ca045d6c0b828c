#include "trace.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "paths.h"

namespace memprof::tests {

Outcome analyze(const std::vector<std::string>& arguments) {
  Command command;
  command.arguments = {paths::kAnalyzer};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  // What one test has looked up in libc's debug information the next need not.
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                         "MEMPROF_CACHE=" + std::string(paths::kBuild) + "/symbol-cache"};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) command.environment.push_back(std::string(name) + "=" + value);
  }
  command.directory = "/";
  return run(command);
}

namespace {

std::string output_of(const std::vector<std::string>& arguments) {
  const Outcome outcome = analyze(arguments);
  if (outcome.exit_status == 0) return outcome.out;
  std::string line = "memprof-analyze";
  for (const std::string& argument : arguments) line += " " + argument;
  throw std::runtime_error(line + ": exit status " + std::to_string(outcome.exit_status) + ", signal " +
                           std::to_string(outcome.signal) + "\n" + outcome.err);
}

}  // namespace

Trace::Trace(const std::filesystem::path& path, const std::vector<std::string>& options) : path_(path) {
  std::vector<std::string> arguments = {"summary", "--json", path.string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  summary_ = Json::parse(output_of(arguments));
}

std::vector<Json> Trace::chunks(const std::string& state) const {
  // Chunk by chunk is for what a test can look through; a defect may leave millions where a handful is expected.
  constexpr uint64_t kMost = 300'000;
  const uint64_t count = state == "open" ? open_chunks() : allocations() + orphans();
  if (count > kMost)
    throw std::runtime_error(std::to_string(count) + " chunks are too many to look at: " + path_.string());
  std::vector<std::string> arguments = {"chunks", path_.string()};
  if (!state.empty()) arguments.insert(arguments.begin() + 1, {"--state", state});
  std::istringstream lines(output_of(arguments));
  std::vector<Json> chunks;
  for (std::string line; std::getline(lines, line);) chunks.push_back(Json::parse(line));
  return chunks;
}

std::string caller(const Json& chunk) {
  const Json& stack = chunk.at("stack");
  if (stack.empty() || !stack[0].at("function").is_string()) return "";
  return stack[0].at("function");
}

bool stack_names(const Json& chunk, const std::string& function) {
  for (const Json& frame : chunk.at("stack")) {
    if (frame.at("function").is_string() && frame.at("function").get<std::string>().find(function) != std::string::npos)
      return true;
  }
  return false;
}

uint64_t count_if(const std::vector<Json>& chunks, const std::function<bool(const Json&)>& holds) {
  uint64_t count = 0;
  for (const Json& chunk : chunks) count += holds(chunk) ? 1 : 0;
  return count;
}

bool belongs_to_runtime(const Json& chunk) {
  const bool exception_pool = chunk.at("size") == 72704 || chunk.at("size") == 73728;
  if (exception_pool && chunk.at("allocator") == "malloc") return true;
  // tcmalloc makes some objects by operator new, which comes to us.
  const Json& stack = chunk.at("stack");
  if (!stack.empty() && stack[0].at("module").is_string() &&
      stack[0].at("module").get<std::string>().find("/libtcmalloc") != std::string::npos)
    return true;
  if (caller(chunk).starts_with("TCMallocGuard::") || caller(chunk).starts_with("MallocExtension::")) return true;
  return stack_names(chunk, "pthread_create") || stack_names(chunk, "allocate_tls");
}

}  // namespace memprof::tests
