#include "gate/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "report/number_range.h"

namespace memprof {

namespace {

constexpr uint64_t kMostTextBytes = uint64_t{64} << 20;

// The number behind `name=`; nothing where the word is no limit.
struct Limit {
  std::optional<uint64_t> Budget::*which = nullptr;
  std::string text;
};
std::optional<Limit> as_limit(const std::string& word) {
  static constexpr std::pair<const char*, std::optional<uint64_t> Budget::*> kLimits[] = {
      {"bytes=", &Budget::bytes},
      {"blocks=", &Budget::blocks},
      {"peak=", &Budget::peak},
      {"allocations=", &Budget::allocations},
  };
  for (const auto& [prefix, which] : kLimits)
    if (word.starts_with(prefix)) return Limit{which, word.substr(std::string_view(prefix).size())};
  return std::nullopt;
}

Budget read_line(const std::string& path, uint32_t number, const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words[0] != "function" && words[0] != "module") throw GateFileError(path, number, "function or module", words[0]);
  Budget budget;
  budget.is_of_module = words[0] == "module";
  size_t count = words.size();
  for (; count > 1; --count) {
    const std::optional<Limit> limit = as_limit(words[count - 1]);
    if (!limit) break;
    if (budget.*(limit->which)) throw GateFileError(path, number, "each limit once", words[count - 1]);
    budget.*(limit->which) = parse_bytes(limit->text);
    if (!(budget.*(limit->which))) throw GateFileError(path, number, "a number, as 1000 or 10K", words[count - 1]);
  }
  if (count == words.size())
    throw GateFileError(path, number, "bytes=N, blocks=N, peak=N or allocations=N at its end", words.back());
  if (count == 1) throw GateFileError(path, number, fmt::format("a name behind {}", words[0]), words[1]);
  // A name may have spaces: "operator new(unsigned long)".
  const std::string name =
      fmt::format("{}", fmt::join(words.begin() + 1, words.begin() + static_cast<ptrdiff_t>(count), " "));
  std::string problem;
  budget.pattern = NamePattern::parse(name, problem);
  if (!problem.empty()) throw GateFileError(path, number, "a name or a pattern", fmt::format("{} ({})", name, problem));
  if (budget.pattern.is_negated()) throw GateFileError(path, number, "a name without !", name);
  return budget;
}

}  // namespace

GateFileError::GateFileError(const std::string& file, uint32_t line, const std::string& expected,
                             const std::string& found)
    : std::runtime_error(fmt::format("{}:{}: expected {}, found {}", file, line, expected, found)) {}

GateFileError::GateFileError(const std::string& file, const std::string& why)
    : std::runtime_error(fmt::format("{}: {}", file, why)) {}

std::string read_text_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw GateFileError(path, std::error_code(errno, std::generic_category()).message());
  std::string text;
  char buffer[1 << 16];
  while (stream.read(buffer, sizeof(buffer)) || stream.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(stream.gcount()));
    if (text.size() > kMostTextBytes) throw GateFileError(path, "larger than 64 MiB");
  }
  if (stream.bad()) throw GateFileError(path, "it cannot be read");
  return text;
}

std::vector<Budget> read_budgets(const std::string& path) {
  std::istringstream text(read_text_file(path));
  std::vector<Budget> budgets;
  uint32_t number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    line.resize(std::min(line.size(), line.find('#')));
    if (line.find_first_not_of(" \t\r") != std::string::npos) budgets.push_back(read_line(path, number, line));
  }
  return budgets;
}

BudgetSums::BudgetSums(const Trace& trace, const std::vector<Budget>& budgets, const DomainSet& domains,
                       FrameSource& source)
    : sums_(budgets.size()), domains_(domains) {
  if (budgets.empty()) return;
  source.prepare_all();
  const StackId limit = trace.nodes.id_limit();
  budgets_of_.resize(limit);
  // Parents have smaller ids in what the recorder writes; a trace may say otherwise, so each stack is looked at whole.
  for (StackId stack = 0; stack < limit; ++stack) {
    if (!trace.nodes.is_frame(stack) || trace.nodes.canonical(stack) != stack) continue;
    const std::vector<Frame> frames = source.frames(stack, StackNodes::kMaxFrames);
    for (uint32_t i = 0; i < budgets.size(); ++i) {
      const auto matches = [&](const Frame& frame) {
        return budgets[i].is_of_module ? budgets[i].pattern.matches_module(frame.module)
                                       : budgets[i].pattern.matches_function(frame.function);
      };
      if (std::any_of(frames.begin(), frames.end(), matches)) budgets_of_[stack].push_back(i);
    }
  }
}

void BudgetSums::changed(const SumChange& change) {
  if (!domains_.has(change.domain) || change.stack >= budgets_of_.size()) return;
  for (const uint32_t budget : budgets_of_[change.stack]) {
    Sums& sums = sums_[budget];
    if (change.is_more()) {
      sums.allocations += change.kind == SumChange::Kind::allocated;
      ++sums.blocks;
      sums.bytes += change.bytes;
      sums.peak = std::max(sums.peak, sums.bytes);
    } else {
      sums.blocks -= change.kind == SumChange::Kind::closed;
      sums.bytes -= change.bytes;
    }
  }
}

}  // namespace memprof
