// Windows of an array that are read or replaced: "slice_update", "dynamic_slice",
// "dynamic_slice_update".
#include "cpu/index/plan.h"
#include "mlxk/debug.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

void start_from(const Tensor& x, const Tensor& out) {
  if (x.data != out.data) copy_tensor(x, out);
}

// The window of `whole` that starts at `starts` with `steps`, of the shape of `part`.
Tensor window(const Tensor& whole, const Tensor& part, const int64_t* starts, const int64_t* steps,
              int64_t* strides) {
  check_dims(whole.ndim);
  int64_t at = 0;
  for (int d = 0; d < whole.ndim; ++d) {
    at += starts[d] * whole.strides[d];
    strides[d] = whole.strides[d] * (steps ? steps[d] : 1);
  }
  char* data = static_cast<char*>(whole.data) + at * static_cast<int64_t>(itemsize(whole.dtype));
  return {data, part.shape, strides, part.size, whole.ndim, whole.dtype};
}

// inputs: x, update; params: start, stop, strides. The window lies inside x: the op saw to it.
void slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t strides[max_dims];
  copy_tensor(update, window(out, update, (*call.params)[0].dims().data(),
                             (*call.params)[2].dims().data(), strides));
}

// Starts read from an array, for the axes in `axes`; a window that would leave the array is moved
// inside.
void read_starts(const char* op, const Tensor& starts, const Dims& axes, const Tensor& whole,
                 const int64_t* sizes, int64_t* out) {
  check_dims(whole.ndim);
  for (int d = 0; d < whole.ndim; ++d) out[d] = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t stride = starts.ndim ? starts.strides[0] : 0;
    const int d = static_cast<int>(axes[i]);
    int64_t start = read_index(starts.data, static_cast<int64_t>(i) * stride, starts.dtype);
    if (start < 0) start += whole.shape[d];
    const int64_t last = whole.shape[d] - sizes[d];
    if ((start < 0 || start > last) && checks_bounds()) {
      raise(ErrorKind::index, "[%s] A window of size %lld at %lld leaves axis %d of size %lld.", op,
            static_cast<long long>(sizes[d]), static_cast<long long>(start), d,
            static_cast<long long>(whole.shape[d]));
    }
    out[d] = start < 0 ? 0 : start > last ? last : start;
  }
}

// inputs: x, starts; params: axes, sizes (the shape of the result).
void dynamic_slice(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts("slice", call.inputs[1], (*call.params)[0].dims(), x, out.shape, starts);
  copy_tensor(window(x, out, starts, nullptr, strides), out);
}

// inputs: x, update, starts; params: axes.
void dynamic_slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts("slice_update", call.inputs[2], (*call.params)[0].dims(), out, update.shape, starts);
  copy_tensor(update, window(out, update, starts, nullptr, strides));
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(window, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("slice_update", {.run = slice_update, .donates = 0});
  kernels.add("dynamic_slice", {.run = dynamic_slice});
  kernels.add("dynamic_slice_update", {.run = dynamic_slice_update, .donates = 0});
}
