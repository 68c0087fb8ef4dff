// The elementwise kernels: every fused chain, and so every single elementwise op, on the
// accumulator machine.
//
// elementwise/registers.h  blocks of values in registers
// elementwise/handlers.h   the machine's instructions
// elementwise/table.h      the instructions of every formula in scalar/*.def
// elementwise/compile.h    chains to instructions
// elementwise/run.h        instructions over tensors
#include "cpu/elementwise/run.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// One immediate in its compute type, spread over a block.
template <class T> void spread(T value, char* to) {
  for (int i = 0; i < block_size; i++) memcpy(to + i * sizeof(T), &value, sizeof(T));
}
void spread_immediate(const Immediate& immediate, char* to) {
  const unsigned char* from = immediate.bytes;
  if (immediate.dtype == Dtype::float16 || immediate.dtype == Dtype::bfloat16) {
    uint16_t half;
    memcpy(&half, from, 2);
    const float value = immediate.dtype == Dtype::bfloat16 ? sc::bf16_to_float<float>(half)
                                                           : sc::f16_to_float<float>(half);
    spread(value, to);
  } else if (immediate.dtype == Dtype::bool_) {
    spread<uint8_t>(from[0] != 0, to);
  } else if (itemsize(immediate.dtype) == 1) {
    spread(from[0], to);
  } else if (itemsize(immediate.dtype) == 2) {
    uint16_t value;
    memcpy(&value, from, 2);
    spread(value, to);
  } else if (itemsize(immediate.dtype) == 4) {
    uint32_t value;
    memcpy(&value, from, 4);
    spread(value, to);
  } else {
    uint64_t value;
    memcpy(&value, from, 8);
    spread(value, to);
  }
}

size_t immediate_stride(const FusedChain& chain) {
  size_t widest = 0;
  for (int j = 0; j < chain.immediate_count; j++) {
    const size_t size = itemsize(compute_dtype(chain.immediates[j].dtype));
    if (size > widest) widest = size;
  }
  return widest * block_size;
}

uint16_t* scratch_of(const FusedChain& chain, void* memory) {
  memset(memory, 0, Compiler::scratch_count(chain) * sizeof(uint16_t));
  return static_cast<uint16_t*>(memory);
}
#define MLXK_SCRATCH(chain) \
  scratch_of(chain, __builtin_alloca(Compiler::scratch_count(chain) * sizeof(uint16_t) + 2))

size_t chain_bytes(const FusedChain& chain) {
  Compiler compiler(chain, nullptr, MLXK_SCRATCH(chain));
  compiler.run();
  return sizeof(Compiled) + compiler.code_count() * sizeof(Code) +
         chain.immediate_count * immediate_stride(chain);
}

void compile_chain(const FusedChain& chain, void* memory) {
  if (chain.input_count > max_fused_inputs || chain.output_count > max_fused_outputs) {
    raise(ErrorKind::runtime, "[fuse] %d inputs and %d outputs pass the limits of %d and %d.",
          chain.input_count, chain.output_count, max_fused_inputs, max_fused_outputs);
  }
  Compiled* compiled = new (memory) Compiled{};
  Compiler compiler(chain, const_cast<Code*>(compiled->codes()), MLXK_SCRATCH(chain));
  compiler.run();
  compiled->code_count = compiler.code_count();
  compiled->input_count = chain.input_count;
  compiled->output_count = chain.output_count;
  compiled->immediate_count = chain.immediate_count;
  compiled->spill_count = compiler.spill_count();
  compiled->cost = compiler.cost();
  for (int k = 0; k < chain.input_count; k++) {
    compiled->input_size[k] = static_cast<uint8_t>(itemsize(chain.input_dtypes[k]));
    compiled->cost += 0.05f * static_cast<float>(compiled->input_size[k]);
  }
  for (int k = 0; k < chain.output_count; k++)
    compiled->output_size[k] = static_cast<uint8_t>(itemsize(chain.output_dtypes[k]));
  compiled->immediate_offset =
      static_cast<uint32_t>(sizeof(Compiled) + compiled->code_count * sizeof(Code));
  compiled->immediate_stride = static_cast<uint32_t>(immediate_stride(chain));
  for (int j = 0; j < chain.immediate_count; j++)
    spread_immediate(chain.immediates[j],
                     const_cast<char*>(compiled->immediates()) + j * compiled->immediate_stride);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(elementwise, ) {
  using namespace mlxk::cpu::MLXK_ISA;
  mlxk::set_fused_engine({chain_bytes, compile_chain, run_chain});
}
