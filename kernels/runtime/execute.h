// Running the instructions of a Program over bound memory.
#pragma once

#include <cstddef>

#include "mlxk/program.h"

namespace mlxk {

// What one thread needs to run a Program's instructions. Its memory is counted by frame_size().
struct Frame {
  void** bases;     // of each slot
  Tensor* tensors;  // room for the operands of one instruction
};
size_t frame_size(const Program& program);
Frame make_frame(const Program& program, void* memory);

void run_instruction(const Program& program, const Instruction& instruction, const Frame& frame);

[[noreturn]] void raise_interrupted();

}  // namespace mlxk
