#include "trace/event_columns.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace memprof {

using format::Column;
using format::EventForm;

namespace {

constexpr unsigned column_of(Column column) { return static_cast<unsigned>(column); }
constexpr unsigned time_column(EventForm form, EventForm before) {
  return column_of(Column::time) + format::kEventForms * static_cast<unsigned>(form) + static_cast<unsigned>(before);
}

constexpr uint8_t kExtension = 2;

// What a token says about the record.
struct TokenShape {
  bool is_record = false;  // else an extension, the end, or malformed
  EventForm form = EventForm::predicted;
  uint8_t time_mask = 0;  // the bits of the token that hold dt; 0: a pv follows
};

TokenShape shape_of(uint8_t token) {
  if (token & 0x80) return {true, EventForm::predicted, 0x7f};
  if (token & 0x40) return {true, EventForm::alloc_of_context, 0x3f};
  if (token & 0x20) return {true, EventForm::free_by_last, 0x1f};
  if (token & 0x10) return {true, EventForm::alloc, 0};
  if (token & 0x08) return {true, EventForm::free, 0};
  if (token & 0x04) return {true, EventForm::realloc, 0};
  return {};
}

// The grammar of records, once for both directions: a Mover takes the next byte of a column from where it is to where
// it belongs, and says what it was. Whether there was one, is asked at the end.
template <class Mover>
class RecordWalk {
 public:
  RecordWalk(Mover& mover, EventForm& before) : mover_(mover), before_(before) {}

  // The record after its token.
  void walk(uint8_t token, const TokenShape& shape) {
    walk_time(token, shape);
    switch (shape.form) {
      case EventForm::predicted: break;
      case EventForm::alloc_of_context: walk_address(Column::allocated); break;
      case EventForm::free_by_last: walk_address(Column::freed); break;
      case EventForm::alloc: walk_alloc(token); break;
      case EventForm::free: walk_free(token); break;
      case EventForm::realloc: walk_realloc(token); break;
    }
    before_ = shape.form;
  }

  void walk_extension() {
    move(column_of(Column::plain));
    uint64_t length = walk_number(column_of(Column::plain), column_of(Column::plain));
    for (; length > 0 && mover_.is_good(); --length) move(column_of(Column::plain));
  }

 private:
  uint8_t move(unsigned column) { return mover_.move(column); }

  uint64_t walk_number(unsigned column, unsigned more) {
    const uint8_t first = move(column);
    if (first < 0x80) return first;
    const int further = std::countl_one(first);
    uint64_t value = further < 7 ? first & (0x7fu >> further) : 0;
    for (int i = 0; i < further; ++i) value = value << 8 | move(more);
    return value;
  }
  void walk_number(Column column) { walk_number(column_of(column), column_of(column) + 1); }

  void walk_time(uint8_t token, const TokenShape& shape) {
    const unsigned column = time_column(shape.form, before_);
    if (shape.time_mask == 0) {
      walk_number(column, column_of(Column::time_more));
    } else if (mover_.move_time(column, token, shape.time_mask) == shape.time_mask) {
      const unsigned rest = column_of(Column::rest) + (shape.form == EventForm::free_by_last ? 2 : 0);
      walk_number(rest, rest + 1);
    }
  }

  void walk_address(Column first_column) {
    const unsigned column = column_of(first_column);
    const uint8_t first = move(column);
    if (first < 0xc0) return;
    if (first < 0xf0) {
      move(column + 1);
      return;
    }
    const unsigned count = first < 0xf8 ? (first & 7u) + 1 : 8;
    for (unsigned i = 0; i < count; ++i) move(column + 2 + i);
  }

  void walk_tag() {
    move(column_of(Column::tags));
    move(column_of(Column::tags));
  }

  void walk_alloc(uint8_t token) {
    const unsigned stack_form = token >> 2 & 3;
    if (stack_form == 1) move(column_of(Column::places));
    if (stack_form >= 2) walk_number(Column::stacks);
    if (stack_form == 3) walk_tag();
    if (token & 2) walk_number(Column::sizes);
    if (token & 1) walk_address(Column::allocated);
  }

  void walk_free(uint8_t token) {
    walk_address(Column::freed);
    if (token & 4) walk_tag();
    if (token & 1) walk_number(Column::stacks);
    if (token & 2) walk_number(Column::sizes);
  }

  void walk_realloc(uint8_t token) {
    walk_number(column_of(Column::duration), column_of(Column::time_more));
    walk_address(Column::freed);
    if (token & 2) {
      walk_number(Column::stacks);
      walk_tag();
    } else {
      move(column_of(Column::places));
    }
    walk_number(Column::sizes);
    if ((token & 1) == 0) walk_address(Column::allocated);
  }

  Mover& mover_;
  EventForm& before_;
};

// From a payload, which is long enough, to columns.
class Splitter {
 public:
  Splitter(std::span<const std::byte> bytes, EventColumns& columns) : bytes_(bytes), columns_(columns) {}
  bool is_good() const { return true; }
  uint8_t move(unsigned column) {
    columns_[column].push_back(bytes_[at_]);
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  uint8_t move_time(unsigned column, uint8_t token, uint8_t mask) {
    columns_[column].push_back(static_cast<std::byte>(token & mask));
    return token & mask;
  }
  size_t moved() const { return at_; }

 private:
  std::span<const std::byte> bytes_;
  EventColumns& columns_;
  size_t at_ = 0;
};

// Moves nothing: finds out whether a record is whole.
class Measurer {
 public:
  explicit Measurer(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool is_good() const { return is_good_; }
  uint8_t move(unsigned) {
    is_good_ = is_good_ && at_ < bytes_.size();
    return is_good_ ? static_cast<uint8_t>(bytes_[at_++]) : uint8_t{0};
  }
  uint8_t move_time(unsigned, uint8_t token, uint8_t mask) { return token & mask; }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  bool is_good_ = true;
};

// From columns to a payload. What is not there is read as zero, what finds no room is dropped, and neither is
// forgotten.
class Joiner {
 public:
  using Columns = std::array<std::span<const std::byte>, format::kColumns>;
  Joiner(Columns& columns, std::span<std::byte> out) : columns_(columns), out_(out) {}
  bool is_good() const { return is_good_; }
  size_t room() const { return out_.size() - at_; }
  uint8_t take(unsigned column) {
    std::span<const std::byte>& rest = columns_[column];
    if (rest.empty()) {
      is_good_ = false;
      return 0;
    }
    const auto value = static_cast<uint8_t>(rest.front());
    rest = rest.subspan(1);
    return value;
  }
  void put(uint8_t value) {
    if (at_ == out_.size()) {
      is_good_ = false;
      return;
    }
    out_[at_++] = static_cast<std::byte>(value);
  }
  uint8_t move(unsigned column) {
    const uint8_t value = take(column);
    put(value);
    return value;
  }
  // The token is put here, once its low bits are known.
  uint8_t move_time(unsigned column, uint8_t token, uint8_t mask) {
    const uint8_t value = take(column);
    if ((value & ~mask) != 0 || (token & mask) != 0) is_good_ = false;
    put(token | value);
    return value;
  }

 private:
  Columns& columns_;
  std::span<std::byte> out_;
  size_t at_ = 0;
  bool is_good_ = true;
};

// Whether the record or extension at the start of these bytes ends within them. Only near the end is that a question.
bool is_whole(std::span<const std::byte> bytes, uint8_t token, const TokenShape& shape) {
  constexpr size_t kLongest = 64;  // above any record, its numbers at their longest
  if (shape.is_record && bytes.size() >= kLongest) return true;
  Measurer measurer(bytes.subspan(1));
  EventForm before = EventForm::predicted;
  RecordWalk walk(measurer, before);
  shape.is_record ? walk.walk(token, shape) : walk.walk_extension();
  return measurer.is_good();
}

}  // namespace

void split_events(std::span<const std::byte> payload, EventColumns& columns) {
  auto& tokens = columns[column_of(Column::tokens)];
  EventForm before = EventForm::predicted;
  while (!payload.empty()) {
    const auto token = static_cast<uint8_t>(payload.front());
    const TokenShape shape = shape_of(token);
    if ((!shape.is_record && token != kExtension) || !is_whole(payload, token, shape)) {
      tokens.push_back(std::byte{0});
      auto& plain = columns[column_of(Column::plain)];
      plain.insert(plain.end(), payload.begin(), payload.end());
      return;
    }
    tokens.push_back(static_cast<std::byte>(token & ~shape.time_mask));
    Splitter splitter(payload.subspan(1), columns);
    RecordWalk walk(splitter, before);
    shape.is_record ? walk.walk(token, shape) : walk.walk_extension();
    payload = payload.subspan(1 + splitter.moved());
  }
}

EventJoiner::EventJoiner(const EventColumns& columns) { std::copy(columns.begin(), columns.end(), rest_.begin()); }

bool EventJoiner::join(std::span<std::byte> payload) {
  Joiner joiner(rest_, payload);
  EventForm before = EventForm::predicted;
  RecordWalk walk(joiner, before);
  while (joiner.room() > 0) {
    const uint8_t token = joiner.take(column_of(Column::tokens));
    const TokenShape shape = shape_of(token);
    if (!joiner.is_good()) return false;
    if (!shape.is_record && token != kExtension) return token == 0 && take_plain(payload.last(joiner.room()));
    if (shape.time_mask == 0) joiner.put(token);
    shape.is_record ? walk.walk(token, shape) : walk.walk_extension();
    if (!joiner.is_good()) return false;
  }
  return true;
}

bool EventJoiner::take_plain(std::span<std::byte> payload) {
  std::span<const std::byte>& plain = rest_[column_of(Column::plain)];
  if (plain.size() < payload.size()) return false;
  std::copy_n(plain.begin(), payload.size(), payload.begin());
  plain = plain.subspan(payload.size());
  return true;
}

bool EventJoiner::is_done() const {
  return std::all_of(rest_.begin(), rest_.end(), [](std::span<const std::byte> rest) { return rest.empty(); });
}

}  // namespace memprof
