// The invariants of a Program. A broken one is a bug of lowering, never of the user.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <map>

#include "mlxk/error.h"
#include "mlxk/op.h"
#include "mlxk/program.h"

namespace mlxk {

namespace {

class Verifier {
 public:
  explicit Verifier(const Program& program) : p_(program), written_(program.slots.size(), false) {}

  void run() {
    slots();
    for (uint32_t i = 0; i < p_.instructions.size(); ++i) instruction(i);
    results();
    storage();
    arena();
  }

 private:
  __attribute__((format(printf, 3, 4))) void check(bool holds, const char* format, ...) const {
    if (holds) return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    raise(ErrorKind::runtime, "[verify] %s.\n%s", text, print(p_).c_str());
  }

  void slots() {
    for (uint32_t i = 0; i < p_.slots.size(); ++i) {
      const Slot& slot = p_.slots[i];
      check(slot.storage <= i && p_.slots[slot.storage].storage == slot.storage,
            "slot %u has no storage", i);
      check(p_.slots[slot.storage].kind == slot.kind, "slot %u and its storage differ in kind", i);
      check(p_.slots[slot.storage].bytes == slot.bytes, "slot %u and its storage differ in size",
            i);
      switch (slot.kind) {
        case Slot::Kind::input:
          check(slot.index < p_.input_slots.size() && p_.input_slots[slot.index] == i,
                "input slot %u is not listed", i);
          written_[i] = true;
          break;
        case Slot::Kind::constant:
          check(slot.index < p_.constants.size() && p_.constants[slot.index],
                "constant slot %u has no buffer", i);
          written_[i] = true;
          break;
        case Slot::Kind::output:
          if (slot.storage != i) break;
          check(slot.index < p_.output_slots.size() && p_.output_slots[slot.index] == i,
                "output slot %u is not listed", i);
          break;
        case Slot::Kind::planned:
          check(slot.offset % 64 == 0 && slot.offset + slot.bytes <= p_.arena_bytes,
                "slot %u leaves the arena", i);
          check(!slot.escapes, "slot %u outlives the arena", i);
          break;
      }
    }
  }

  void operand(uint32_t index, const Operand& operand, bool output) const {
    check(operand.slot < p_.slots.size(), "instruction %u names slot %u", index, operand.slot);
    const Slot& slot = p_.slots[operand.slot];
    const Tensor& t = operand.layout;
    int64_t size = 1;
    int64_t lowest = operand.offset;
    int64_t highest = operand.offset;
    int64_t step = 1;
    bool row_major = true;
    for (int i = t.ndim; i-- > 0;) {
      size *= t.shape[i];
      if (t.shape[i] == 0) continue;
      const int64_t reach =
          (t.shape[i] - 1) * t.strides[i] * static_cast<int64_t>(itemsize(t.dtype));
      (reach < 0 ? lowest : highest) += reach;
      if (t.shape[i] != 1 && t.strides[i] != step) row_major = false;
      step *= t.shape[i];
    }
    check(size == t.size, "instruction %u: an operand's size is %lld, not %lld", index,
          static_cast<long long>(t.size), static_cast<long long>(size));
    if (size) {
      check(lowest >= 0 && highest + static_cast<int64_t>(itemsize(t.dtype)) <=
                               static_cast<int64_t>(slot.bytes),
            "instruction %u reaches outside of slot %u", index, operand.slot);
    }
    if (!output) {
      check(written_[operand.slot], "instruction %u reads slot %u before it is written", index,
            operand.slot);
      return;
    }
    check(slot.kind == Slot::Kind::planned || slot.kind == Slot::Kind::output,
          "instruction %u writes slot %u", index, operand.slot);
    check(slot.first == index && !written_[operand.slot], "slot %u is written twice", operand.slot);
    check((row_major || size == 0) && operand.offset == 0,
          "instruction %u: its output is not row-major", index);
  }

  // What of this stream's past another stream has waited for.
  bool sees(StreamId reader, const Slot& slot) const {
    if (slot.stream == reader || slot.kind == Slot::Kind::input ||
        slot.kind == Slot::Kind::constant)
      return true;
    const auto found = waited_.find({slot.stream, reader});
    return found != waited_.end() && found->second > slot.first;
  }

  void instruction(uint32_t index) {
    const Instruction& it = p_.instructions[index];
    if (it.kind == Instruction::Kind::record) {
      check(it.index < p_.event_count, "instruction %u records event %u", index, it.index);
      check(records_.emplace(it.index, std::pair(it.stream, index)).second,
            "event %u is recorded twice", it.index);
      return;
    }
    if (it.kind == Instruction::Kind::wait) {
      const auto found = records_.find(it.index);
      check(found != records_.end(), "instruction %u waits for event %u before its record", index,
            it.index);
      check(found->second.first != it.stream, "instruction %u waits for its own stream", index);
      waited_[{found->second.first, it.stream}] = found->second.second;
      return;
    }
    const Operand* inputs = p_.operands.data() + it.operands;
    const Operand* outputs = inputs + it.input_count;
    check(it.operands + it.input_count + it.output_count <= p_.operands.size(),
          "instruction %u has no operands", index);
    check(it.input_count + it.output_count <= p_.max_operands,
          "instruction %u has too many operands", index);
    for (uint32_t i = 0; i < it.input_count; ++i) {
      operand(index, inputs[i], false);
      check(sees(it.stream, p_.slots[inputs[i].slot]),
            "instruction %u reads slot %u of another stream without a wait", index, inputs[i].slot);
    }
    for (uint32_t i = 0; i < it.output_count; ++i) operand(index, outputs[i], true);
    for (uint32_t i = 0; i < it.output_count; ++i) {
      in_place(index, inputs, it.input_count, outputs[i]);
      written_[outputs[i].slot] = true;
    }
    if (it.kind == Instruction::Kind::fused && p_.keep_chains) chain(index, it);
    if (it.kind == Instruction::Kind::kernel)
      check(it.kernel && it.kernel->run, "instruction %u has no kernel", index);
    if (it.kind == Instruction::Kind::copy) {
      check(it.input_count == 1 && it.output_count == 1,
            "instruction %u copies other than one to one", index);
      check(inputs[0].layout.size == outputs[0].layout.size, "instruction %u copies between sizes",
            index);
    }
    if (it.kind == Instruction::Kind::control) control(index, it);
    if (it.kind == Instruction::Kind::call) {
      const Program& called = *p_.programs[it.index];
      check(called.inputs.size() == it.input_count && called.output_slots.size() == it.output_count,
            "instruction %u does not fit the Program it calls", index);
      const size_t frame = called.arena_bytes + called.frame_bytes;
      check(!frame || (it.workspace >= 0 && p_.slots[it.workspace].bytes >= frame),
            "instruction %u lacks a frame", index);
    }
  }

  void control(uint32_t index, const Instruction& it) const {
    check(it.index < p_.controls.size(), "instruction %u has no control", index);
    const Control& control = p_.controls[it.index];
    for (const Control::Part& part : control.parts) {
      check(part.program < p_.programs.size(), "instruction %u runs no Program", index);
      const Program& inside = *p_.programs[part.program];
      check(it.workspace >= 0 && part.memory + inside.arena_bytes + inside.frame_bytes <=
                                     p_.slots[it.workspace].bytes,
            "instruction %u lacks a frame", index);
      check(part.of.size() == inside.results.size(), "instruction %u leaves results", index);
      for (const Control::Result& result : part.of) {
        check(result.output < static_cast<int32_t>(inside.output_slots.size()),
              "instruction %u binds no output", index);
      }
    }
    if (control.form != Control::Form::scan) return;
    const std::vector<Control::Result>& of = control.parts[0].of;
    check(control.carries.size() + control.stacked.size() == it.output_count,
          "instruction %u does not give out what it stacks", index);
    for (uint32_t result : control.stacked) {
      check(result >= control.carries.size() && result < of.size(),
            "instruction %u stacks no result", index);
    }
    for (const Control::Carried& carried : control.carries) {
      check(carried.how != Control::Carry::stacked ||
                std::find(control.stacked.begin(), control.stacked.end(), carried.same) !=
                    control.stacked.end(),
            "instruction %u carries no row", index);
    }
  }

  // Memory that an output shares with an earlier slot must not be read again.
  void in_place(uint32_t index, const Operand* inputs, uint32_t input_count,
                const Operand& output) const {
    const Slot& slot = p_.slots[output.slot];
    for (uint32_t i = 0; i < input_count; ++i) {
      const Slot& from = p_.slots[inputs[i].slot];
      const bool donated =
          slot.kind == Slot::Kind::output && slot.donor == static_cast<int32_t>(inputs[i].slot);
      if (from.storage != slot.storage && !donated) continue;
      check(from.last <= index || from.storage == inputs[i].slot,
            "slot %u is overwritten before its last use", inputs[i].slot);
      check(!slot.exclusive && !from.exclusive,
            "slot %u is overwritten while another stream may read it", inputs[i].slot);
    }
  }

  void chain(uint32_t index, const Instruction& it) const {
    const ChainRecord& record = p_.chains[it.index];
    const FusedStep* steps = &p_.chain_steps[record.steps];
    const Operand* inputs = p_.operands.data() + it.operands;
    const Operand* outputs = inputs + it.input_count;
    check(record.step_count > 0 && record.step_count <= max_fused_steps,
          "chain of instruction %u has %u steps", index, record.step_count);
    check(record.input_count == it.input_count && record.input_count <= max_fused_inputs,
          "chain of instruction %u has other inputs", index);
    check(record.output_count == it.output_count && record.output_count > 0 &&
              record.output_count <= max_fused_outputs,
          "chain of instruction %u has other outputs", index);
    const Tensor& shape = outputs[0].layout;
    for (uint32_t i = 0; i < it.input_count + it.output_count; ++i) {
      const Tensor& t = inputs[i].layout;
      check(Dims(t.shape, t.ndim) == Dims(shape.shape, shape.ndim),
            "instruction %u: the shapes of the chain differ", index);
      check(t.dtype == p_.chain_dtypes[record.inputs + i],
            "instruction %u: dtypes of the chain differ", index);
    }
    std::vector<int> stored(record.output_count, 0);
    for (uint32_t s = 0; s < record.step_count; ++s) {
      const FusedStep& step = steps[s];
      for (uint32_t k = 0; k < step.arg_count; ++k) {
        const FusedArg& arg = step.args[k];
        Dtype dtype;
        if (arg.kind == FusedArg::step) {
          check(arg.index < s, "instruction %u: step %u reads a later one", index, s);
          dtype = steps[arg.index].dtype;
        } else if (arg.kind == FusedArg::input) {
          check(arg.index < record.input_count, "instruction %u: step %u reads no input", index, s);
          dtype = p_.chain_dtypes[record.inputs + arg.index];
        } else {
          check(arg.index < record.immediate_count, "instruction %u: step %u reads no immediate",
                index, s);
          dtype = p_.chain_immediates[record.immediates + arg.index].dtype;
        }
        const bool condition = step.arg_count == 3 && k == 0 && dtype == Dtype::bool_;
        check(dtype == step.input_dtype || condition, "instruction %u: step %u mixes dtypes", index,
              s);
      }
      if (step.output >= 0) {
        check(step.output < record.output_count, "instruction %u: step %u has no output", index, s);
        check(step.dtype == p_.chain_dtypes[record.outputs + step.output],
              "instruction %u: step %u is stored as another dtype", index, s);
        ++stored[step.output];
      }
    }
    for (int count : stored)
      check(count == 1, "instruction %u: an output is stored %d times", index, count);
  }

  void results() const {
    for (const ProgramResult& result : p_.results) {
      check(result.slot < p_.slots.size() && written_[result.slot], "a result lies in slot %u",
            result.slot);
      check(p_.slots[result.slot].kind != Slot::Kind::planned,
            "result slot %u does not outlive the run", result.slot);
    }
  }

  // Members of a storage follow one another.
  void storage() const {
    std::vector<uint32_t> member(p_.slots.size(), UINT32_MAX);
    for (uint32_t i = 0; i < p_.slots.size(); ++i) {
      const Slot& slot = p_.slots[i];
      if (slot.storage == i) {
        member[i] = i;
        continue;
      }
      const uint32_t before = member[slot.storage];
      // The first member's own last use was widened to the storage's.
      if (before != slot.storage)
        check(p_.slots[before].last <= slot.first, "slot %u is overwritten while it lives", before);
      check(!p_.slots[before].escapes || before == slot.storage,
            "slot %u escapes and is overwritten", before);
      member[slot.storage] = i;
    }
  }

  // No two ranges of the arena overlap while both live. An exclusive one lives for the whole run.
  void arena() const {
    if (p_.slots.size() > 4096) return;  // quadratic: large Programs are covered by the small ones
    for (uint32_t a = 0; a < p_.slots.size(); ++a) {
      const Slot& first = p_.slots[a];
      if (first.kind != Slot::Kind::planned || first.storage != a || first.bytes == 0) continue;
      for (uint32_t b = a + 1; b < p_.slots.size(); ++b) {
        const Slot& second = p_.slots[b];
        if (second.kind != Slot::Kind::planned || second.storage != b || second.bytes == 0)
          continue;
        const bool overlap = first.offset < second.offset + second.bytes &&
                             second.offset < first.offset + first.bytes;
        if (!overlap) continue;
        const bool together = first.exclusive || second.exclusive ||
                              (first.first <= second.last && second.first <= first.last);
        check(!together, "slots %u and %u share memory while both live", a, b);
        check(first.stream == second.stream, "slots %u and %u of two streams share memory", a, b);
      }
    }
  }

  const Program& p_;
  std::vector<bool> written_;
  std::map<uint32_t, std::pair<StreamId, uint32_t>> records_;
  std::map<std::pair<StreamId, StreamId>, uint32_t> waited_;
};

}  // namespace

void verify(const Program& program) { Verifier(program).run(); }

}  // namespace mlxk
