// Programs that were built with a sanitizer: the same verdict as alone, and a word where nothing can be recorded.
#include <catch2/catch.hpp>

#include "host.h"
#include "paths.h"
#include "skip.h"

using namespace memprof::tests;

namespace {

const std::string kSource = std::string(paths::kSource) + "/tests/hosts/sanitized.c";
const std::string kScript = std::string(paths::kSource) + "/scripts/memprof";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Program {
 public:
  Program(const std::string& compiler, const std::string& sanitizer) : name_(compiler + " -fsanitize=" + sanitizer) {
    const Outcome outcome =
        run({{compiler, "-g", "-O1", "-fno-builtin", "-pthread", "-fsanitize=" + sanitizer, "-o", path(), kSource},
             plain_environment(),
             directory_.path(),
             "",
             {}});
    is_built_ = outcome.exit_status == 0;
    if (!is_built_) skip(name_ + " does not work here");
  }
  bool is_built() const { return is_built_; }
  const std::string& name() const { return name_; }
  std::string path() const { return (directory_ / "program").string(); }
  std::filesystem::path trace() const { return directory_ / "trace.bin"; }

  Outcome alone(const std::string& mode) const {
    return run({{path(), mode}, plain_environment(), directory_.path(), "", {}});
  }
  Outcome preloaded(const std::string& mode) const {
    return run({{path(), mode}, recording_environment(), directory_.path(), "", {}});
  }
  Outcome by_script(const std::string& mode) const {
    return run({{kScript, "--build-dir", paths::kBuild, path(), mode}, plain_environment(), directory_.path(), "", {}});
  }

 private:
  FreshDirectory directory_;
  std::string name_;
  bool is_built_ = false;
};

void check_verdict(const Outcome& native, const Outcome& recorded) {
  CHECK(recorded.out == native.out);
  CHECK(recorded.exit_status == native.exit_status);
  CHECK(recorded.signal == native.signal);
}

}  // namespace

TEST_CASE("sanitizers whose malloc comes behind memprof's, or that have none", "[hosts][sanitizers]") {
  for (const auto& [compiler, sanitizer] : {std::pair{"gcc", "undefined"}, std::pair{"clang", "undefined"},
                                            std::pair{"gcc", "thread"}, std::pair{"gcc", "leak"}}) {
    const Program program(compiler, sanitizer);
    if (!program.is_built()) continue;
    for (const char* mode : {"clean", "leak"}) {
      INFO(program.name() << " " << mode);
      const Outcome native = program.alone(mode);
      const Outcome recorded = program.preloaded(mode);
      check_verdict(native, recorded);
      // A report of a leak names the functions on the way to malloc, of which memprof's is one.
      if (native.exit_status == 3) CHECK(recorded.err == native.err);
      CHECK(native.exit_status == (std::string(sanitizer + std::string(mode)) == "leakleak" ? 23 : 3));
      // The runtimes of the sanitizers allocate, too.
      const Trace trace(program.trace());
      const std::vector<Json> chunks = trace.chunks();
      const auto called_from = [&](const char* function) {
        return count_if(chunks, [&](const Json& chunk) { return caller(chunk) == function; });
      };
      CHECK(called_from("work") == 2000);
      CHECK(called_from("main") == 1);
      CHECK(called_from("leak") == (std::string(mode) == "leak" ? 1 : 0));
      // ThreadSanitizer begins when memprof's constructor first calls it, and looks up what is not there: the messages
      // of two look-ups are freed when recording has begun.
      CHECK(trace.orphans() <= (std::string(sanitizer) == "thread" ? 2 : 0));
      CHECK(trace.dropped() == 0);
      CHECK(trace.summary().at("double_allocations") == 0);
      std::filesystem::remove(program.trace());
    }
  }
}

TEST_CASE("sanitizers that clang puts into the program, with their malloc", "[hosts][sanitizers]") {
  for (const char* sanitizer : {"address", "thread", "memory", "leak"}) {
    const Program program("clang", sanitizer);
    if (!program.is_built()) continue;
    for (const char* mode : {"clean", "leak"}) {
      INFO(program.name() << " " << mode);
      const Outcome native = program.alone(mode);
      const Outcome recorded = program.preloaded(mode);
      check_verdict(native, recorded);
      // A leak that is found ends the program before memprof's last word.
      if (native.exit_status == 3) {
        CHECK(has(recorded.err, "memprof: malloc of " + program.path() + " is called instead of memprof's"));
      }
      CHECK(Trace(program.trace()).allocations() == 0);
    }
    CHECK(has(program.by_script("clean").err, "sanitizer that brings its own allocator"));
  }
}

TEST_CASE("GCC's AddressSanitizer wants to be the first library", "[hosts][sanitizers]") {
  const Program program("gcc", "address");
  if (!program.is_built()) return;
  // It says so itself, whichever library is preloaded.
  const Outcome refused = program.preloaded("clean");
  CHECK(refused.exit_status == 1);
  CHECK(has(refused.err, "ASan runtime does not come first"));
  for (const char* mode : {"clean", "leak"}) {
    const Outcome native = program.alone(mode);
    const Outcome outcome = program.by_script(mode);
    INFO(outcome.err);
    check_verdict(native, outcome);
    CHECK(has(outcome.err, "AddressSanitizer"));
    CHECK(has(outcome.err, "it runs unrecorded"));
  }
}
