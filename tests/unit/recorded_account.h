// What a summary must say of the heap in a window, counted from the chunks lines of the whole trace and nothing else.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace memprof::test {

struct RecordedQuestion {
  uint64_t from_ns = 0, to_ns = UINT64_MAX;
  uint64_t least_size = 0;
  std::optional<uint64_t> thread;
  std::optional<bool> temporary;
};

// The stamps of a block that was handed over in an instant may be the wrong way round: whether it lies before or behind
// a time between the two, nobody can say.
inline bool is_between_stamps(const std::vector<nlohmann::json>& chunks, uint64_t ns) {
  for (const nlohmann::json& chunk : chunks)
    if (chunk["state"] == "closed" && chunk["free_time_ns"] < ns && chunk["alloc_time_ns"] >= ns) return true;
  return false;
}

// At times at which something happens, and beside them.
inline RecordedQuestion random_question(const std::vector<nlohmann::json>& chunks, std::mt19937_64& random) {
  const auto time = [&] {
    for (;;) {
      const nlohmann::json& chunk = chunks[random() % chunks.size()];
      const nlohmann::json& at = chunk[random() % 2 == 0 ? "alloc_time_ns" : "free_time_ns"];
      if (at.is_null()) continue;
      const uint64_t ns = at.get<uint64_t>() + random() % 2;
      if (!is_between_stamps(chunks, ns)) return ns;
    }
  };
  RecordedQuestion question;
  if (random() % 4 != 0) question.from_ns = time();
  if (random() % 4 != 0) question.to_ns = time();
  if (question.to_ns < question.from_ns) std::swap(question.from_ns, question.to_ns);
  const nlohmann::json& chunk = chunks[random() % chunks.size()];
  if (random() % 3 == 0 && !chunk["size"].is_null()) question.least_size = chunk["size"];
  if (random() % 3 == 0 && !chunk["thread"].is_null()) question.thread = chunk["thread"];
  if (random() % 3 == 0) question.temporary = random() % 2 == 0;
  return question;
}

inline nlohmann::json recorded_account(const std::vector<nlohmann::json>& chunks, const RecordedQuestion& question) {
  uint64_t allocations = 0, bytes = 0, carried = 0, temporary = 0, orphans = 0;
  uint64_t open = 0, open_bytes = 0, closed = 0, closed_bytes = 0;
  for (const nlohmann::json& chunk : chunks) {
    if (chunk["domain"] != "cpu") continue;
    const bool has_end = !chunk["free_time_ns"].is_null();
    const uint64_t end = has_end ? chunk["free_time_ns"].get<uint64_t>() : UINT64_MAX;
    const bool is_closed = has_end && end < question.to_ns;
    if (chunk["state"] == "orphaned") {
      const bool asks_for_block = question.least_size != 0 || question.temporary;
      const bool is_thread = !question.thread || chunk["free_thread"] == *question.thread;
      orphans += is_closed && end >= question.from_ns && is_thread && !asks_for_block;
      continue;
    }
    const uint64_t born = chunk["alloc_time_ns"], size = chunk["size"];
    const bool is_temporary = is_closed && chunk["temporary"] == true;
    if (born >= question.to_ns || (has_end && end < question.from_ns)) continue;
    if (size < question.least_size || (question.thread && chunk["thread"] != *question.thread)) continue;
    if (question.temporary && is_temporary != *question.temporary) continue;
    const bool is_carried = born < question.from_ns;
    carried += is_carried;
    allocations += !is_carried;
    bytes += is_carried ? 0 : size;
    temporary += is_temporary;
    (is_closed ? closed : open) += 1;
    (is_closed ? closed_bytes : open_bytes) += size;
  }
  return {{"allocations", allocations},
          {"bytes_allocated", bytes},
          {"frees", closed + orphans},
          {"temporary", temporary},
          {"open", {{"chunks", open}, {"bytes", open_bytes}}},
          {"closed", {{"chunks", closed}, {"bytes", closed_bytes}}},
          {"orphans", orphans},
          {"carried", carried}};
}

// The same of a summary.
inline nlohmann::json account_of_summary(const nlohmann::json& summary) {
  nlohmann::json account;
  for (const char* const key : {"allocations", "bytes_allocated", "frees", "temporary", "open", "closed"})
    account[key] = summary.at(key);
  account["orphans"] = summary.at("orphaned").at("chunks");
  const uint64_t open = account["open"]["chunks"], closed = account["closed"]["chunks"],
                 allocations = account["allocations"];
  account["carried"] = open + closed - allocations;
  return account;
}

}  // namespace memprof::test
