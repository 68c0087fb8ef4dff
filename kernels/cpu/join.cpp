// Ops that only move whole inputs: "concatenate", "pad", "depends", "custom_function".
#include "mlxk/kernel.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_dims = 32;

char* at(const Tensor& tensor, int64_t elements) {
  return static_cast<char*>(tensor.data) + elements * static_cast<int64_t>(itemsize(tensor.dtype));
}

// The part of `out` that has the shape of `part` and begins at `start` elements.
Tensor window(const Tensor& out, const Tensor& part, int64_t start) {
  Tensor made = out;
  made.data = at(out, start);
  made.shape = part.shape;
  made.size = part.size;
  return made;
}

// inputs: n arrays of one dtype; params: axis.
void concatenate(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const int64_t axis = (*call.params)[0].integer();
  int64_t start = 0;
  for (uint32_t i = 0; i < call.input_count; ++i) {
    const Tensor& part = call.inputs[i];
    if (part.size) copy_tensor(part, window(out, part, start * out.strides[axis]));
    start += part.shape[axis];
  }
}

// inputs: x, value (0-d); params: low, high. The borders are filled axis by axis, each element
// once.
void pad(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const int64_t* low = (*call.params)[0].dims().data();
  int64_t zero_strides[max_dims] = {};
  int64_t shape[max_dims];
  int64_t start = 0;
  for (int i = 0; i < out.ndim; ++i) shape[i] = out.shape[i];
  Tensor value = call.inputs[1];
  value.shape = shape;
  value.strides = zero_strides;
  value.ndim = out.ndim;
  // What axis i leaves to fill: axes before it are inside x, axes after it are whole.
  for (int i = 0; i < out.ndim; ++i) {
    const int64_t high = out.shape[i] - low[i] - x.shape[i];
    const auto fill = [&](int64_t first, int64_t count) {
      shape[i] = count;
      value.size = 1;
      for (int j = 0; j < out.ndim; ++j) value.size *= shape[j];
      if (value.size) copy_tensor(value, window(out, value, start + first * out.strides[i]));
    };
    fill(0, low[i]);
    fill(low[i] + x.shape[i], high);
    shape[i] = x.shape[i];
    start += low[i] * out.strides[i];
  }
  if (x.size) copy_tensor(x, window(out, x, start));
}

// The outputs are the first inputs as they are; the others only had to be computed before.
void forward(const KernelCall& call) {
  for (uint32_t i = 0; i < call.output_count; ++i) {
    if (call.outputs[i].size) copy_tensor(call.inputs[i], call.outputs[i]);
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(join, table) {
  table.add("concatenate", {.run = concatenate});
  table.add("pad", {.run = pad});
  table.add("depends", {.run = forward});
  table.add("custom_function", {.forwards = true});
}
