// The executor: no allocation, lock or Python in an instruction. A called Program finds its arena
// and its frame in the workspace that lowering planned for the call.
#include "runtime/execute.h"

#include <new>

#include "mlxk/error.h"

namespace mlxk {

namespace {

std::string (*describe_source)(uint32_t source) = nullptr;

size_t line_up(size_t bytes) { return (bytes + 63) / 64 * 64; }

void run_program(const Program& program, const Tensor* inputs, const Tensor* outputs,
                 void* workspace) {
  char* arena = static_cast<char*>(workspace);
  const Frame frame = make_frame(program, arena + program.arena_bytes);
  for (size_t i = 0; i < program.slots.size(); ++i) {
    const Slot& slot = program.slots[i];
    switch (slot.kind) {
      case Slot::Kind::input: frame.bases[i] = inputs[slot.index].data; break;
      case Slot::Kind::constant: frame.bases[i] = program.constants[slot.index]->bytes; break;
      case Slot::Kind::output:
        frame.bases[i] = slot.storage == i ? outputs[slot.index].data : frame.bases[slot.storage];
        break;
      case Slot::Kind::planned: frame.bases[i] = arena + slot.offset; break;
    }
  }
  for (const Instruction& instruction : program.instructions)
    run_instruction(program, instruction, frame);
}

}  // namespace

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
      run_program(*program.programs[instruction.index], inputs, outputs, workspace);
      break;
    case Instruction::Kind::record:
    case Instruction::Kind::wait: break;
  }
}

void set_source_names(std::string (*describe)(uint32_t source)) { describe_source = describe; }

std::exception_ptr located_error(uint32_t source) {
  try {
    throw;
  } catch (const Error& error) {
    if (!source || !describe_source) return std::current_exception();
    try {
      const std::string where = describe_source(source);
      if (where.empty()) return std::current_exception();
      return std::make_exception_ptr(
          Error(error.kind, std::string(error.what()) + " The array was made at " + where + "."));
    } catch (...) { return std::current_exception(); }
  } catch (const std::bad_alloc&) {
    return std::make_exception_ptr(Error(ErrorKind::memory, "[eval] out of memory."));
  } catch (...) { return std::current_exception(); }
}

void raise_interrupted() { raise(ErrorKind::runtime, "[eval] interrupted."); }

}  // namespace mlxk
