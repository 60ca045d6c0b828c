#include "unwind/instruction_x86_64.h"

namespace memprof::x86_64 {
namespace {

// In a register field; r12 and r13 with the prefix's extension bit.
constexpr unsigned kSp = 4, kBp = 5;
constexpr unsigned kLongest = 15;

// A set of opcodes: bit n of word n / 32.
struct OpcodeSet {
  uint32_t words[8];
  constexpr bool holds(uint8_t opcode) const { return (words[opcode / 32] >> opcode % 32 & 1) != 0; }
};
struct OpcodeRange {
  uint8_t first, last;
};
template <unsigned count>
constexpr OpcodeSet opcodes(const OpcodeRange (&ranges)[count]) {
  OpcodeSet set{};
  for (const OpcodeRange& range : ranges) {
    for (unsigned opcode = range.first; opcode <= range.last; ++opcode) set.words[opcode / 32] |= 1u << opcode % 32;
  }
  return set;
}

// The one-byte map. Those below 0x40 are regular and not listed.
constexpr OpcodeSet kModRm = opcodes({{0x63, 0x63},
                                      {0x69, 0x69},
                                      {0x6b, 0x6b},
                                      {0x80, 0x8f},
                                      {0xc0, 0xc1},
                                      {0xc6, 0xc7},
                                      {0xd0, 0xd3},
                                      {0xd8, 0xdf},
                                      {0xf6, 0xf7},
                                      {0xfe, 0xff}});
constexpr OpcodeSet kByteOperand = opcodes({{0x6a, 0x6b},
                                            {0x70, 0x7f},
                                            {0x80, 0x80},
                                            {0x83, 0x83},
                                            {0xa8, 0xa8},
                                            {0xb0, 0xb7},
                                            {0xc0, 0xc1},
                                            {0xc6, 0xc6},
                                            {0xe0, 0xe3},
                                            {0xeb, 0xeb}});
constexpr OpcodeSet kWideOperand =
    opcodes({{0x68, 0x69}, {0x81, 0x81}, {0xa9, 0xa9}, {0xb8, 0xbf}, {0xc7, 0xc7}, {0xe8, 0xe9}});
// Invalid, prefixes of other maps, or never in a function's body: enter, far calls, int, iret, in and out.
constexpr OpcodeSet kRefused = opcodes(
    {{0x06, 0x07}, {0x0e, 0x0e}, {0x16, 0x17}, {0x1e, 0x1f}, {0x27, 0x27}, {0x2f, 0x2f}, {0x37, 0x37}, {0x3f, 0x3f},
     {0x60, 0x62}, {0x6c, 0x6f}, {0x82, 0x82}, {0x8e, 0x8e}, {0x9a, 0x9a}, {0xa0, 0xa3}, {0xc4, 0xc5}, {0xc8, 0xc8},
     {0xca, 0xcb}, {0xcd, 0xcf}, {0xd4, 0xd6}, {0xe4, 0xe7}, {0xea, 0xea}, {0xec, 0xef}, {0xf1, 0xf1}, {0xfa, 0xfb}});

// The two-byte map (0f).
constexpr OpcodeSet kRefused0f = opcodes({{0x02, 0x04},
                                          {0x06, 0x0a},
                                          {0x0c, 0x0c},
                                          {0x0e, 0x0f},
                                          {0x20, 0x27},
                                          {0x30, 0x30},
                                          {0x32, 0x32},
                                          {0x34, 0x37},
                                          {0x39, 0x39},
                                          {0x3b, 0x3f},
                                          {0x78, 0x7b},
                                          {0xa6, 0xa7},
                                          {0xaa, 0xaa},
                                          {0xb9, 0xb9},
                                          {0xff, 0xff}});
constexpr OpcodeSet kNoModRm0f = opcodes({{0x05, 0x05},
                                          {0x0b, 0x0b},
                                          {0x31, 0x31},
                                          {0x33, 0x33},
                                          {0x77, 0x77},
                                          {0x80, 0x8f},
                                          {0xa0, 0xa2},
                                          {0xa8, 0xa9},
                                          {0xc8, 0xcf}});
constexpr OpcodeSet kByteOperand0f =
    opcodes({{0x70, 0x73}, {0xa4, 0xa4}, {0xac, 0xac}, {0xba, 0xba}, {0xc2, 0xc2}, {0xc4, 0xc6}});
// The register field is a vector register or a part of the opcode; the other operand is no register that is written.
constexpr OpcodeSet kVector0f = opcodes({{0x0d, 0x0d},
                                         {0x10, 0x1f},
                                         {0x28, 0x2b},
                                         {0x2e, 0x2f},
                                         {0x51, 0x76},
                                         {0x7c, 0x7d},
                                         {0x7f, 0x7f},
                                         {0xa3, 0xa3},
                                         {0xc2, 0xc4},
                                         {0xc6, 0xc6},
                                         {0xd0, 0xd6},
                                         {0xd8, 0xfe}});

class Decoder {
 public:
  explicit Decoder(ByteReader code) : start_(code.at()), in_(code) {}

  Instruction decode() {
    const bool understood = read_prefixes() && read_instruction();
    const auto length = static_cast<uint64_t>(in_.at() - start_);
    if (!understood || !in_.ok() || length > kLongest) return {};
    result_.length = static_cast<uint8_t>(length);
    return result_;
  }

 private:
  bool extends_reg() const { return (rex_ & 4) != 0; }
  bool extends_rm() const { return (rex_ & 1) != 0; }
  bool is_wide() const { return (rex_ & 8) != 0; }
  bool reg_is(unsigned which) const { return (modrm_ >> 3 & 7) == which && !extends_reg(); }
  bool rm_is(unsigned which) const { return modrm_ >> 6 == 3 && (modrm_ & 7) == which && !extends_rm(); }
  bool opcode_names(unsigned which) const { return (opcode_ & 7) == which && !extends_rm(); }
  unsigned extension() const { return modrm_ >> 3 & 7; }

  static bool is_prefix(uint8_t byte) {
    switch (byte) {
      case 0x66:
      case 0x67:
      case 0xf2:
      case 0xf3:
      case 0xf0:
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65: return true;
      default: return byte >> 4 == 4;
    }
  }

  bool read_prefixes() {
    for (;;) {
      opcode_ = in_.byte();
      if (!in_.ok()) return false;
      is_16_bit_ = is_16_bit_ || opcode_ == 0x66;
      if (is_prefix(opcode_) && opcode_ >> 4 != 4) continue;  // addresses of 32 bits change the length of a0-a3 alone
      if (!is_prefix(opcode_)) return true;
      rex_ = opcode_;
      opcode_ = in_.byte();
      return in_.ok() && !is_prefix(opcode_);  // after REX comes the opcode
    }
  }

  // The operand that ModRM describes: the byte itself is read here.
  void read_modrm() {
    modrm_ = in_.byte();
    const unsigned mode = modrm_ >> 6, rm = modrm_ & 7;
    if (mode == 3) return;
    unsigned displacement = mode == 1 ? 1 : mode == 2 ? 4 : 0;
    if (rm == 4) {
      const unsigned base = in_.byte() & 7;
      if (mode == 0 && base == 5) displacement = 4;
    } else if (mode == 0 && rm == 5) {
      displacement = 4;  // from the program counter
      result_.displacement_at = static_cast<uint8_t>(in_.at() - start_);
    }
    in_.skip(displacement);
  }

  bool read_instruction() {
    switch (opcode_) {
      case 0x0f: return read_0f();
      case 0xc4: {
        const uint8_t map = in_.byte(), rest = in_.byte();
        return read_vector(map & 31, ~rest >> 3 & 15, (map & 0x80) == 0, (map & 0x20) == 0);
      }
      case 0xc5: {
        const uint8_t rest = in_.byte();
        return read_vector(1, ~rest >> 3 & 15, (rest & 0x80) == 0, false);
      }
      case 0x62: {
        const uint8_t map = in_.byte(), rest = in_.byte();
        in_.skip(1);
        return read_vector(map & 7, ~rest >> 3 & 15, (map & 0x80) == 0, (map & 0x20) == 0);
      }
      default: return read_one_byte();
    }
  }

  bool read_one_byte() {
    if (kRefused.holds(opcode_)) return false;
    const unsigned kind = opcode_ & 7;
    const bool is_regular = opcode_ < 0x40;  // add, or, adc, sbb, and, sub, xor, cmp
    if (is_regular ? kind < 4 : kModRm.holds(opcode_)) read_modrm();
    if (is_regular ? kind == 4 : kByteOperand.holds(opcode_)) operand(1);
    if (is_regular ? kind == 5 : kWideOperand.holds(opcode_)) operand(wide_operand_bytes());
    if (opcode_ == 0xc2) in_.skip(2);
    // Other extensions of these are other instructions: transactions, AMD's XOP.
    if ((opcode_ == 0x8f || opcode_ == 0xc6 || opcode_ == 0xc7) && extension() != 0) return false;
    if ((opcode_ == 0xf6 || opcode_ == 0xf7) && extension() < 2) in_.skip(opcode_ == 0xf6 ? 1 : wide_operand_bytes());
    note_writes([this](unsigned which) { return one_byte_may_write(which); });
    result_.is_padding = (opcode_ == 0x90 && rex_ == 0) || opcode_ == 0xcc;
    return find_flow();
  }

  unsigned wide_operand_bytes() const {
    if (opcode_ >= 0xb8 && opcode_ <= 0xbf && is_wide()) return 8;
    return is_16_bit_ && !is_wide() ? 2 : 4;
  }

  template <typename Writes>
  void note_writes(const Writes& writes) {
    result_.may_write_bp = writes(kBp);
    result_.may_write_sp = writes(kSp);
  }

  void operand(unsigned bytes) {
    switch (bytes) {
      case 1: operand_ = static_cast<int8_t>(in_.byte()); break;
      case 4: operand_ = static_cast<int32_t>(in_.fixed<uint32_t>()); break;
      default: in_.skip(bytes);
    }
  }

  bool one_byte_may_write(unsigned which) const {
    const unsigned group = opcode_ >> 3, kind = opcode_ & 7;
    if (opcode_ < 0x40) return group != 7 && (kind < 2 ? rm_is(which) : kind < 4 && reg_is(which));
    switch (opcode_) {
      case 0x63:
      case 0x69:
      case 0x6b:
      case 0x8a:
      case 0x8b:
      case 0x8d: return reg_is(which);
      case 0x80:
      case 0x81:
      case 0x83: return extension() != 7 && rm_is(which);
      case 0x86:
      case 0x87: return reg_is(which) || rm_is(which);
      case 0xf6:
      case 0xf7: return (extension() == 2 || extension() == 3) && rm_is(which);
      case 0xfe:
      case 0xff: return extension() < 2 && rm_is(which);
      case 0x84:
      case 0x85: return false;
      case 0xc9: return which == kBp;  // leave; it loads rsp from rbp
      default: break;
    }
    if (opcode_ >> 3 == 0x58 >> 3 || opcode_ >> 3 == 0x90 >> 3 || opcode_ >> 4 == 0xb) return opcode_names(which);
    if (opcode_ >= 0xd8 && opcode_ <= 0xdf) return false;
    return kModRm.holds(opcode_) && rm_is(which);
  }

  bool find_flow() {
    switch (opcode_) {
      case 0xe8: return go(Flow::call);
      case 0xe9:
      case 0xeb: return go(Flow::jump);
      case 0xc2:
      case 0xc3: result_.flow = Flow::leaves; return true;
      case 0xff:
        if (extension() == 3 || extension() == 5 || extension() == 7) return false;  // far, or invalid
        if (extension() == 2) result_.flow = Flow::call;
        if (extension() == 4) result_.flow = Flow::indirect_jump;
        return true;
      default: break;
    }
    return opcode_ >> 4 == 7 || (opcode_ >= 0xe0 && opcode_ <= 0xe3) ? go(Flow::branch) : true;
  }

  // Where 16-bit operands are asked for, makers of processors disagree.
  bool go(Flow flow) {
    if (is_16_bit_ && !is_wide()) return false;
    result_.flow = flow;
    result_.has_target = true;
    result_.target = operand_;
    return true;
  }

  bool read_0f() {
    opcode_ = in_.byte();
    if (opcode_ == 0x38 || opcode_ == 0x3a) return read_three_byte(opcode_ == 0x3a);
    if (kRefused0f.holds(opcode_)) return false;
    if (opcode_ >> 4 == 8) {
      operand(4);
      return go(Flow::branch);
    }
    if (kNoModRm0f.holds(opcode_)) {
      note_writes([this](unsigned which) { return opcode_ >> 3 == 0xc8 >> 3 && opcode_names(which); });  // bswap
      return true;
    }
    read_modrm();
    if (kByteOperand0f.holds(opcode_)) in_.skip(1);
    const bool reg_is_opcode = opcode_ <= 0x01 || opcode_ == 0xae || opcode_ == 0xba || opcode_ == 0xc7;
    const bool reads_shadow_stack = opcode_ == 0x1e && modrm_ >> 6 == 3;  // rdssp
    note_writes([&](unsigned which) {
      return (!kVector0f.holds(opcode_) && ((!reg_is_opcode && reg_is(which)) || rm_is(which))) ||
             (reads_shadow_stack && rm_is(which));
    });
    result_.is_padding = opcode_ == 0x1f;
    return true;
  }

  bool read_three_byte(bool has_operand) {
    opcode_ = in_.byte();
    read_modrm();
    if (has_operand) in_.skip(1);
    const bool is_vector = !has_operand && opcode_ < 0xf0;
    note_writes([&](unsigned which) { return !is_vector && (reg_is(which) || rm_is(which)); });
    return true;
  }

  // VEX and EVEX. Which operands are general registers is not looked up: all count.
  bool read_vector(unsigned map, unsigned second_register, bool extends_reg, bool extends_rm) {
    if (rex_ != 0 || is_16_bit_ || map == 0 || map > 6 || map == 4) return false;
    rex_ = static_cast<uint8_t>((extends_reg ? 4 : 0) | (extends_rm ? 1 : 0));
    opcode_ = in_.byte();
    if (map == 1 && opcode_ == 0x77) return true;  // vzeroupper
    read_modrm();
    if (map == 3 || (map == 1 && kByteOperand0f.holds(opcode_))) in_.skip(1);
    note_writes([&](unsigned which) { return reg_is(which) || rm_is(which) || second_register == which; });
    return true;
  }

  const uint8_t* start_;
  ByteReader in_;
  Instruction result_{};
  uint8_t opcode_ = 0, modrm_ = 0, rex_ = 0;
  bool is_16_bit_ = false;
  int32_t operand_ = 0;
};

}  // namespace

Instruction decode(ByteReader code) { return Decoder(code).decode(); }

}  // namespace memprof::x86_64
