// Running the instructions of a Program over bound memory.
#pragma once

#include <cstddef>

#include "mlxk/program.h"
#include "runtime/internal.h"

namespace mlxk {

// What one thread needs to run a Program's instructions. Its memory is counted by frame_size().
struct Frame {
  void** bases;     // of each slot
  Tensor* tensors;  // room for the operands of one instruction
};
size_t frame_size(const Program& program);
Frame make_frame(const Program& program, void* memory);

// Runs all instructions of a Program inside of an instruction, in memory of arena_bytes and
// frame_bytes: its inputs and outputs lie where these lists say.
void run_program(const Program& program, void* memory, void* const* inputs, void* const* outputs);

// From which interrupt on loops on this thread end, while it holds one of these.
class Interruptible {
 public:
  explicit Interruptible(Interrupt least);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;

 private:
  const Interrupt former_;
};
void look_for_interrupt();  // raises if there is one and it may be delivered

// Raises a floating-point error where an instruction made a NaN or an infinity that none of its
// inputs had.
void check_finite(const Program& program, const Instruction& instruction, const Tensor* inputs,
                  const Tensor* outputs);

void run_control(const Program& program, const Instruction& instruction, const Tensor* inputs,
                 const Tensor* outputs, void* workspace);

void run_instruction(const Program& program, const Instruction& instruction, const Frame& frame);

[[noreturn]] void raise_interrupted();

}  // namespace mlxk
