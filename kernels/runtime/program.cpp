// Program's own memory, and its stable text.
#include <cstdio>
#include <cstring>

#include "mlxk/op.h"
#include "mlxk/program.h"

namespace mlxk {

namespace {

constexpr size_t first_block = size_t{8} << 10;
constexpr size_t largest_block = size_t{1} << 20;
constexpr size_t kept_entries = size_t{1} << 16;

template <class T> void empty(std::vector<T>* list) {
  list->clear();
  if (list->capacity() > kept_entries) list->shrink_to_fit();
}

std::string number(uint64_t value) { return std::to_string(value); }

std::string immediate_text(const Immediate& immediate) {
  uint64_t bits = 0;
  std::memcpy(&bits, immediate.bytes, itemsize(immediate.dtype));
  char text[64];
  switch (immediate.dtype) {
    case Dtype::float32: {
      float value;
      std::memcpy(&value, immediate.bytes, sizeof value);
      std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
      return text;
    }
    case Dtype::float64: {
      double value;
      std::memcpy(&value, immediate.bytes, sizeof value);
      std::snprintf(text, sizeof text, "%.17g", value);
      return text;
    }
    case Dtype::float16:
    case Dtype::bfloat16:
    case Dtype::complex64:
      std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(bits));
      return text;
    default:
      if (is_signed_int(immediate.dtype)) {
        const int shift = 64 - 8 * static_cast<int>(itemsize(immediate.dtype));
        return std::to_string(static_cast<int64_t>(bits << shift) >> shift);
      }
      return number(bits);
  }
}

class Printer {
 public:
  explicit Printer(const Program& program) : p_(program) {}

  std::string text() {
    out_ = "program: inputs " + number(p_.input_slots.size()) + ", outputs " +
           number(p_.output_slots.size()) + ", arena " + number(p_.arena_bytes) + "\n";
    for (uint32_t i = 0; i < p_.slots.size(); ++i) slot(i);
    for (uint32_t i = 0; i < p_.instructions.size(); ++i) instruction(i);
    for (const ProgramResult& result : p_.results) {
      out_ += "return %" + number(result.slot) +
              layout(result.layout.shape.begin(), result.layout.strides.begin(),
                     result.layout.shape.size(), result.layout.dtype, result.layout.offset) +
              "\n";
    }
    return std::move(out_);
  }

 private:
  void slot(uint32_t index) {
    const Slot& slot = p_.slots[index];
    constexpr const char* kinds[] = {"input", "constant", "planned", "output"};
    out_ += "%" + number(index) + " " + kinds[static_cast<int>(slot.kind)];
    if (slot.kind == Slot::Kind::planned && slot.storage == index) {
      out_ += " " + number(slot.bytes) + " at " + number(slot.offset);
    } else if (slot.storage != index) {
      out_ += " " + number(slot.bytes) + " in place of %" + number(slot.storage);
    } else {
      out_ += " " + number(slot.index);
      if (slot.kind == Slot::Kind::output) out_ += " " + number(slot.bytes);
    }
    if (slot.kind == Slot::Kind::output && slot.donor >= 0)
      out_ += " from %" + number(static_cast<uint64_t>(slot.donor));
    if (slot.exclusive) out_ += " exclusive";
    out_ += "\n";
  }

  static std::string layout(const int64_t* shape, const int64_t* strides, size_t ndim, Dtype dtype,
                            int64_t offset) {
    std::string text = std::string(":") + name(dtype) + Dims(shape, ndim).str();
    bool row_major = true;
    int64_t step = 1;
    for (size_t i = ndim; i-- > 0;) {
      if (shape[i] != 1 && strides[i] != step) row_major = false;
      step *= shape[i];
    }
    if (!row_major) text += "/" + Dims(strides, ndim).str();
    if (offset) text += "+" + std::to_string(offset);
    return text;
  }

  void operands(uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const Operand& operand = p_.operands[first + i];
      const Tensor& t = operand.layout;
      out_ += (i ? ", %" : "%") + number(operand.slot) +
              layout(t.shape, t.strides, t.ndim, t.dtype, operand.offset);
    }
  }

  void chain(const ChainRecord& record) {
    for (uint32_t i = 0; i < record.step_count; ++i) {
      const FusedStep& step = p_.chain_steps[record.steps + i];
      out_ += "    s" + number(i) + ":" + name(step.dtype) + " = ";
      if (step.formula == fused_cast) {
        out_ += "cast";
      } else if (step.formula == fused_copy) {
        out_ += "copy";
      } else {
        out_ += scalar_formula(step.formula).name;
      }
      for (uint32_t k = 0; k < step.arg_count; ++k) {
        const FusedArg& arg = step.args[k];
        out_ += k ? ", " : " ";
        if (arg.kind == FusedArg::step) out_ += "s" + number(arg.index);
        if (arg.kind == FusedArg::input) out_ += "i" + number(arg.index);
        if (arg.kind == FusedArg::immediate) {
          out_ += immediate_text(p_.chain_immediates[record.immediates + arg.index]);
        }
      }
      if (step.output >= 0) out_ += " -> o" + number(static_cast<uint64_t>(step.output));
      out_ += "\n";
    }
  }

  void control(const Control& control) {
    if (control.form == Control::Form::scan) {
      out_ += "    " + number(static_cast<uint64_t>(control.length)) + " steps";
      out_ += control.reverse ? " from the last\n" : "\n";
    }
    constexpr const char* ways[] = {"kept", "in place", "alternating", "stacked"};
    for (size_t i = 0; i < control.carries.size(); ++i)
      out_ +=
          "    carry " + number(i) + " " + ways[static_cast<int>(control.carries[i].how)] + "\n";
    for (uint32_t result : control.stacked)
      out_ += "    result " + number(static_cast<uint64_t>(result)) + " stacked\n";
    for (const Control::Part& part : control.parts) {
      std::string inside = print(*p_.programs[part.program]);
      for (size_t at = 0; at < inside.size();) {
        const size_t end = inside.find('\n', at) + 1;
        out_ += "    " + inside.substr(at, end - at);
        at = end;
      }
    }
  }

  void instruction(uint32_t index) {
    const Instruction& it = p_.instructions[index];
    constexpr const char* kinds[] = {"fused",   "kernel", "copy", "call",
                                     "control", "record", "wait"};
    out_ += number(index) + ": ";
    if (p_.streams.size() > 1) {
      // Streams are named by their order of appearance: ids depend on what ran before.
      for (size_t i = 0; i < p_.streams.size(); ++i) {
        if (p_.streams[i] == it.stream) out_ += "[" + number(i) + "] ";
      }
    }
    out_ += kinds[static_cast<int>(it.kind)];
    if (it.kind == Instruction::Kind::record || it.kind == Instruction::Kind::wait) {
      out_ += " event " + number(it.index) + "\n";
      return;
    }
    if (it.kind == Instruction::Kind::kernel) {
      out_ += " " + op(it.op).name;
      const Params& params = p_.params[it.index];
      for (size_t i = 0; i < params.size(); ++i) out_ += (i ? ", " : "(") + params[i].str();
      if (params.size()) out_ += ")";
    }
    if (it.kind == Instruction::Kind::control) out_ += " " + op(it.op).name;
    out_ += " ";
    operands(it.operands + it.input_count, it.output_count);
    out_ += " <- ";
    operands(it.operands, it.input_count);
    if (it.workspace >= 0) out_ += " workspace %" + number(static_cast<uint64_t>(it.workspace));
    out_ += "\n";
    if (it.kind == Instruction::Kind::fused && p_.keep_chains) chain(p_.chains[it.index]);
    if (it.kind == Instruction::Kind::control) control(p_.controls[it.index]);
  }

  const Program& p_;
  std::string out_;
};

}  // namespace

void* CodeMemory::take(size_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  if (blocks_.empty() || used_ + bytes > blocks_.back().size) {
    size_t size = blocks_.empty() ? first_block : blocks_.back().size * 2;
    if (size > largest_block) size = largest_block;
    if (size < bytes) size = bytes;
    Block block;
    block.bytes.reset(
        new unsigned char[size + 64]);  // left as it is: pages that no chain reaches stay untouched
    block.size = size;
    blocks_.push_back(std::move(block));
    used_ = 0;
  }
  const uintptr_t start = reinterpret_cast<uintptr_t>(blocks_.back().bytes.get());
  void* out = reinterpret_cast<void*>((start + 63) / 64 * 64 + used_);
  used_ += bytes;
  return out;
}

void CodeMemory::clear() {
  if (blocks_.size() > 1) blocks_.resize(1);
  used_ = 0;
}

size_t CodeMemory::capacity() const {
  size_t sum = 0;
  for (const Block& block : blocks_) sum += block.size;
  return sum;
}

void Program::clear() {
  empty(&slots);
  empty(&operands);
  empty(&instructions);
  empty(&inputs);
  empty(&input_slots);
  empty(&output_slots);
  empty(&constants);
  empty(&results);
  empty(&dims);
  empty(&params);
  empty(&programs);
  empty(&controls);
  empty(&streams);
  empty(&chains);
  empty(&chain_steps);
  empty(&chain_dtypes);
  empty(&chain_immediates);
  code.clear();
  arena_bytes = frame_bytes = 0;
  max_operands = event_count = 0;
  blocking = lasting = keep_chains = checked = false;
}

std::string print(const Program& program) { return Printer(program).text(); }

}  // namespace mlxk
