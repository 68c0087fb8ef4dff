// What a kernel is: a function over Tensors, found by (device, op name); and the table of scalar
// formulas.
//
// A CPU stem cpu/<stem>.cpp is compiled once per instruction set into namespace mlxk::cpu::MLXK_ISA
// and ends with
//     MLXK_STEM(softmax, kernels) { kernels.add("softmax", {.run = softmax}); }
// Everything else in it has internal linkage. At load, device.cpp calls the entry of the best
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "mlxk/dtype.h"
#include "mlxk/value.h"

#ifndef MLXK_ISA
#define MLXK_ISA baseline
#endif

namespace mlxk {

// One operand as a kernel sees it. Strides are in elements and may be zero or negative.
struct Tensor {
  void* data = nullptr;  // the first element
  const int64_t* shape = nullptr;
  const int64_t* strides = nullptr;
  int64_t size = 0;
  int32_t ndim = 0;
  Dtype dtype = Dtype::float32;
};

struct KernelCall {
  const Tensor* inputs;
  const Tensor* outputs;  // row-major contiguous, allocated, never overlapping an input unless the
                          // entry allows it
  uint32_t input_count, output_count;
  const Params* params;
  void* workspace;  // as many bytes as the entry's workspace() asked for, 64-byte aligned
};

enum class Accepts : uint8_t {
  strided,     // any strides
  rows,        // last axis has stride 1 (or size <= 1), the others any strides
  contiguous,  // row-major
};

struct Kernel {
  void (*run)(const KernelCall& call) = nullptr;
  // Asked at lowering, with data pointers null. No kernel allocates while it runs.
  size_t (*workspace)(const KernelCall& call) = nullptr;
  Accepts accepts =
      Accepts::strided;  // lowering plans a private copy of an input that does not fit
  // The outputs are the first inputs: lowering hands these on, and nothing runs.
  bool forwards = false;
  int8_t donates = -1;  // input whose buffer may become output 0 (same bytes, row-major), or -1
};

class KernelTable {
 public:
  virtual void add(const char* op, Kernel kernel) = 0;
  virtual const Kernel* find(const char* op) const = 0;
  virtual ~KernelTable() = default;
};
enum class DeviceKind : uint8_t { cpu, gpu };
KernelTable& kernels(DeviceKind device);

#define MLXK_STEM(stem, table)                      \
  namespace mlxk::cpu::MLXK_ISA {                   \
  void register_##stem(::mlxk::KernelTable& table); \
  }                                                 \
  void mlxk::cpu::MLXK_ISA::register_##stem(::mlxk::KernelTable& table)

// ---- scalar formulas -------------------------------------------------------------------------------------------

// One line of scalar/{unary,binary,ternary}.def. The index of a formula is its place in the three
// files taken in that order (cast and the load instructions are not formulas).
struct ScalarFormula {
  const char* name;
  uint8_t arity;
  const char* classes;  // subset of "BIUFC"
  const char* result;   // "same", "bool_", "real"
};
uint16_t scalar_formula(const char* name);  // 0xffff where there is none
const ScalarFormula& scalar_formula(uint16_t index);

// ---- fused chains ----------------------------------------------------------------------------------------------

// A group of elementwise nodes over one iteration shape, in order. A single op is a chain of one.
// The graph writes it; each device's elementwise stem runs it (CPU), or writes source from it
// (CUDA, Metal).
struct FusedArg {
  enum Kind : uint8_t { step, input, immediate };
  Kind kind;
  uint16_t index;  // earlier step, chain input, or immediate
};
constexpr uint16_t fused_cast = 0xfffe;  // a step that only converts to its dtype
constexpr uint16_t fused_copy = 0xfffd;  // a step that only forwards (an input stored as it is)
struct FusedStep {
  uint16_t formula;  // or fused_cast, fused_copy
  uint8_t arg_count;
  Dtype dtype;        // declared dtype of the result: the step rounds to it
  Dtype input_dtype;  // common dtype of the formula's arguments (they have it already; for where:
                      // of the last two)
  FusedArg args[3];
  int16_t output;  // index of the chain output that stores this value, or -1
};
struct Immediate {
  Dtype dtype;
  alignas(8) unsigned char bytes[8];
};
struct FusedChain {
  const FusedStep* steps;
  const Dtype* input_dtypes;
  const Dtype* output_dtypes;
  const Immediate* immediates;
  uint16_t step_count, input_count, output_count, immediate_count;
};
constexpr int max_fused_steps = 64;
constexpr int max_fused_inputs = 16;
constexpr int max_fused_outputs = 8;

// The CPU's elementwise stem. compile() writes into memory of fused_bytes() bytes and allocates
// nothing; the compiled form holds no pointers to data or to itself (it may be moved) and may be
// run by several threads at once. Inputs have the iteration shape with any strides (0 where
// broadcast); outputs are row-major. An output may alias an input of the same itemsize and layout.
struct FusedEngine {
  size_t (*bytes)(const FusedChain& chain);
  void (*compile)(const FusedChain& chain, void* memory);
  void (*run)(const void* compiled, const Tensor* inputs, const Tensor* outputs);
};
void set_fused_engine(const FusedEngine& engine);  // called by MLXK_STEM(elementwise, ...)
const FusedEngine& fused_engine();

// Copies with conversion between any layouts: the one that lowering, from_buffer and the host use.
// CPU stem `copy`.
void copy_tensor(const Tensor& input, const Tensor& output);
void set_copy(void (*copy)(const Tensor& input,
                           const Tensor& output));  // called by MLXK_STEM(copy, ...)

}  // namespace mlxk
