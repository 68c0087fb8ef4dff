// The executor: no allocation, lock or Python in an instruction. A called Program finds its arena
// and its frame in the workspace that lowering planned for the call.
#include "runtime/execute.h"

#include <new>

#include "mlxk/error.h"

namespace mlxk {

namespace {

std::string (*describe_source)(uint32_t source) = nullptr;

size_t line_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The data of a slot of each kind, then the instructions.
template <class InputAt, class OutputAt>
void run_in(const Program& program, void* memory, const InputAt& input_at,
            const OutputAt& output_at) {
  char* arena = static_cast<char*>(memory);
  const Frame frame = make_frame(program, arena + program.arena_bytes);
  for (size_t i = 0; i < program.slots.size(); ++i) {
    const Slot& slot = program.slots[i];
    switch (slot.kind) {
      case Slot::Kind::input: frame.bases[i] = input_at(slot.index); break;
      case Slot::Kind::constant: frame.bases[i] = program.constants[slot.index]->bytes; break;
      case Slot::Kind::output:
        frame.bases[i] = slot.storage == i ? output_at(slot.index) : frame.bases[slot.storage];
        break;
      case Slot::Kind::planned: frame.bases[i] = arena + slot.offset; break;
    }
  }
  const Instruction* at = nullptr;
  try {
    for (const Instruction& instruction : program.instructions) {
      at = &instruction;
      run_instruction(program, instruction, frame);
    }
  } catch (...) { std::rethrow_exception(located_error(at->source)); }
}

}  // namespace

void run_program(const Program& program, void* memory, void* const* inputs, void* const* outputs) {
  run_in(
      program, memory, [&](uint32_t i) { return inputs[i]; },
      [&](uint32_t i) { return outputs[i]; });
}

size_t frame_size(const Program& program) {
  return line_up(program.slots.size() * sizeof(void*)) +
         line_up(program.max_operands * sizeof(Tensor));
}

Frame make_frame(const Program& program, void* memory) {
  char* bytes = static_cast<char*>(memory);
  return {reinterpret_cast<void**>(bytes),
          reinterpret_cast<Tensor*>(bytes + line_up(program.slots.size() * sizeof(void*)))};
}

void run_instruction(const Program& program, const Instruction& instruction, const Frame& frame) {
  const Operand* operands = program.operands.data() + instruction.operands;
  const uint32_t count = instruction.input_count + instruction.output_count;
  Tensor* inputs = frame.tensors;
  for (uint32_t i = 0; i < count; ++i) {
    inputs[i] = operands[i].layout;
    inputs[i].data = static_cast<char*>(frame.bases[operands[i].slot]) + operands[i].offset;
  }
  const Tensor* outputs = inputs + instruction.input_count;
  void* workspace = instruction.workspace >= 0 ? frame.bases[instruction.workspace] : nullptr;
  switch (instruction.kind) {
    case Instruction::Kind::fused:
      if (outputs[0].size) fused_engine().run(instruction.code, inputs, outputs);
      break;
    case Instruction::Kind::kernel: {
      const KernelCall call{inputs,
                            outputs,
                            instruction.input_count,
                            instruction.output_count,
                            &program.params[instruction.index],
                            workspace};
      instruction.kernel->run(call);
      break;
    }
    case Instruction::Kind::copy:
      if (outputs[0].size) copy_tensor(inputs[0], outputs[0]);
      break;
    case Instruction::Kind::call:
      run_in(
          *program.programs[instruction.index], workspace,
          [&](uint32_t i) { return inputs[i].data; }, [&](uint32_t i) { return outputs[i].data; });
      break;
    case Instruction::Kind::control:
      run_control(program, instruction, inputs, outputs, workspace);
      break;
    case Instruction::Kind::record:
    case Instruction::Kind::wait: break;
  }
  if (program.checked) check_finite(program, instruction, inputs, outputs);
}

void set_source_names(std::string (*describe)(uint32_t source)) { describe_source = describe; }

std::exception_ptr located_error(uint32_t source) {
  try {
    throw;
  } catch (const Error& error) {
    if (error.located || !source || !describe_source) return std::current_exception();
    try {
      const std::string where = describe_source(source);
      if (where.empty()) return std::current_exception();
      return std::make_exception_ptr(Error(
          error.kind, std::string(error.what()) + " The array was made at " + where + ".", true));
    } catch (...) { return std::current_exception(); }
  } catch (const std::bad_alloc&) {
    return std::make_exception_ptr(Error(ErrorKind::memory, "[eval] out of memory."));
  } catch (...) { return std::current_exception(); }
}

void raise_interrupted() { raise(ErrorKind::runtime, "[eval] interrupted."); }

}  // namespace mlxk
