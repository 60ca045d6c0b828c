// What pairing knows between two events, as bytes (checkpoints.h). Ids are the trace's own, numbers LEB128.
//
//   last_ticks; per thread: its latest event
//   count of accounts, each: its domain
//     count of live blocks, each: address, chunk
//     count of displaced blocks, the same
//     of a domain of mappings: Mappings::save()
//     count of hand-overs of the last moment, each: chunk, release
//   chunk: size, how long ago it was allocated, stack, thread, stream, tag
#include <algorithm>
#include <optional>

#include "model/pairing.h"
#include "trace/byte_reader.h"
#include "trace/byte_writer.h"

namespace memprof {

namespace {

// An address and the six numbers of its chunk.
constexpr size_t kLeastBlockBytes = 7;

// A chunk between pairing and bytes; numbers are given anew.
class ChunkCodec {
 public:
  ChunkCodec(uint64_t last_ticks, size_t threads, size_t streams)
      : last_ticks_(last_ticks), threads_(threads), streams_(streams) {}

  void put(ByteWriter& out, const Chunk& chunk) const {
    out.put_varint(chunk.size);
    out.put_varint(last_ticks_ - chunk.alloc_ticks);
    out.put_varint(chunk.stack);
    out.put_varint(chunk.thread);
    out.put_varint(chunk.stream);
    out.put_varint(chunk.tag);
  }

  bool get(ByteReader& in, Chunk& chunk) {
    uint64_t age, stack, thread, stream, tag;
    if (!in.read_varint(chunk.size) || !in.read_varint(age) || !in.read_varint(stack) || !in.read_varint(thread) ||
        !in.read_varint(stream) || !in.read_varint(tag))
      return false;
    if (age > last_ticks_ || stack >= kNotChosen || thread >= threads_ || stream >= streams_ || tag > UINT16_MAX)
      return false;
    chunk.alloc_ticks = last_ticks_ - age;
    chunk.thread = static_cast<uint32_t>(thread);
    chunk.stream = static_cast<uint32_t>(stream);
    chunk.tag = static_cast<uint16_t>(tag);
    chunk.stack = static_cast<StackId>(stack);
    chunk.number = count_++;
    return true;
  }

  uint64_t count() const { return count_; }

 private:
  const uint64_t last_ticks_;
  const size_t threads_, streams_;
  uint64_t count_ = 0;
};

}  // namespace

bool Pairing::save(ByteWriter& out) const {
  for (const auto& account : accounts_)
    if (account && (!account->disputes.empty() || !account->pending.empty())) return false;
  const ChunkCodec codec(last_ticks_, config_.thread_count, config_.stream_count);
  out.put_varint(last_ticks_);
  for (const LatestEvent& latest : latest_) {
    out.put_varint(latest.address);
    out.put_varint(latest.domain);
    out.put_varint(latest.is_allocation);
  }
  out.put_varint(static_cast<uint64_t>(
      std::count_if(accounts_.begin(), accounts_.end(), [](const auto& account) { return account != nullptr; })));
  for (size_t domain = 0; domain < accounts_.size(); ++domain) {
    if (!accounts_[domain]) continue;
    const Account& account = *accounts_[domain];
    out.put_varint(domain);
    out.put_varint(account.live.size());
    account.live.visit([&](uint64_t address, const Chunk& chunk) {
      out.put_varint(address);
      codec.put(out, chunk);
    });
    out.put_varint(account.displaced.size());
    for (const DisplacedBlock& block : account.displaced) {
      out.put_varint(block.address);
      codec.put(out, block.chunk);
    }
    if (account.mappings) account.mappings->save(out, [&](const Chunk& chunk) { codec.put(out, chunk); });
    std::vector<const HandOvers::HandOver*> recent;
    for (const std::optional<HandOvers::HandOver>& place : account.hand_overs.all())
      if (place && last_ticks_ - place->release.event.ticks <= config_.window_ticks) recent.push_back(&*place);
    out.put_varint(recent.size());
    for (const HandOvers::HandOver* hand_over : recent) {
      codec.put(out, hand_over->chunk);
      out.put(hand_over->release);
    }
  }
  return true;
}

uint64_t Pairing::least_state_bytes() const {
  uint64_t bytes = 0;
  for (const auto& account : accounts_)
    if (account) bytes += account->live.size() * kLeastBlockBytes;
  return bytes;
}

std::optional<uint64_t> Pairing::restore(ByteReader& in) {
  if (!in.read_varint(last_ticks_)) return std::nullopt;
  for (LatestEvent& latest : latest_) {
    uint64_t domain, is_allocation;
    if (!in.read_varint(latest.address) || !in.read_varint(domain) || !in.read_varint(is_allocation))
      return std::nullopt;
    latest.domain = static_cast<uint16_t>(domain);
    latest.is_allocation = is_allocation != 0;
  }
  ChunkCodec codec(last_ticks_, config_.thread_count, config_.stream_count);
  uint64_t accounts, domain, count, address;
  if (!in.read_varint(accounts)) return std::nullopt;
  for (; accounts != 0; --accounts) {
    if (!in.read_varint(domain) || domain >= accounts_.size() || accounts_[domain]) return std::nullopt;
    Account& account = add_account(static_cast<uint16_t>(domain));
    const auto get_chunk = [&](Chunk& chunk) { return codec.get(in, chunk); };
    if (!in.read_varint(count)) return std::nullopt;
    // What the count promises has to be in the bytes.
    account.live.reserve(std::min<uint64_t>(count, in.remaining() / kLeastBlockBytes));
    Chunk chunk;
    for (; count != 0; --count) {
      if (!in.read_varint(address) || !get_chunk(chunk)) return std::nullopt;
      account.live.set(address, chunk);
    }
    if (!in.read_varint(count)) return std::nullopt;
    for (; count != 0; --count) {
      if (!in.read_varint(address) || !get_chunk(chunk)) return std::nullopt;
      account.displaced.push_back({address, chunk});
    }
    if (account.mappings && !account.mappings->restore(in, get_chunk)) return std::nullopt;
    if (!in.read_varint(count)) return std::nullopt;
    for (; count != 0; --count) {
      StreamEvent release;
      if (!get_chunk(chunk) || !in.read(release)) return std::nullopt;
      if (release.stream >= config_.stream_count || release.thread >= config_.thread_count) return std::nullopt;
      account.hand_overs.place_of(release.event.address) = {chunk, release, false};
    }
  }
  return codec.count();
}

}  // namespace memprof
