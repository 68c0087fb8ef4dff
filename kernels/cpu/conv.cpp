// "conv" (image, weights) and "conv_weight" (image, cotangent of the outputs), the gradient of the
// weights. One to three spatial axes, channels last, of float16, bfloat16, float32 or float64; sums
// of 16-bit inputs are computed in float32.
#include "cpu/conv/depthwise_gradient.h"
#include "cpu/conv/pieces.h"
#include "cpu/conv/winograd.h"

namespace {

// Whether panels are used well: pieces are padded to 32 elements, and filters to as many. float16
// is taken apart for every tap, which pays with many filters only.
bool suits_panels(const Problem& p, const Tensor& image) {
  for (const Axis& axis : p.axes) {
    if (axis.input_dilation != 1) return false;
  }
  const Volume x(image);
  const Pieces pieces(p);
  const bool side_by_side =
      x.inner_stride == 1 && (pieces.taps == 1 || x.strides[2] == p.channels || p.axes[2].in == 1);
  return side_by_side && pieces.length <= most_piece && pieces.length >= 16 &&
         pieces.count() * pieces.length >= 32 &&
         p.filters >= (image.dtype == Dtype::float16 && p.taps() > 1 ? 128 : 16);
}

// Algorithms for filters that share channels, for those that do not, and for 3x3 taps in float32.
struct Convolution {
  template <class S, class T> using Dense = Forward<S, T>;
  template <class S, class T> using Sparse = Depthwise<S, T>;
  template <class S> using Filtering = Winograd<S>;
  static Problem read(const KernelCall& call) {
    return read_problem(call, call.inputs[0], call.inputs[1], call.outputs[0]);
  }
  // The kernel of an extension of the instruction set, where there is one that suits.
  static const mlxk::Kernel* extended(const KernelCall& call, const Problem& p) {
    const Dtype d = call.outputs[0].dtype;
    if ((d != Dtype::bfloat16 && d != Dtype::float16) || !suits_panels(p, call.inputs[0]))
      return nullptr;
    return mlxk::kernels(mlxk::DeviceKind::cpu)
        .find(d == Dtype::bfloat16 ? "conv_bfloat16" : "conv_float16");
  }
};
struct WeightsOf {
  template <class S, class T> using Dense = WeightGradient<S, T>;
  template <class S, class T> using Sparse = DepthwiseGradient<S, T>;
  template <class S> using Filtering = WinogradGradient<S>;
  static Problem read(const KernelCall& call) {
    return read_problem(call, call.inputs[0], call.outputs[0], call.inputs[1]);
  }
  static const mlxk::Kernel* extended(const KernelCall&, const Problem&) { return nullptr; }
};

bool is_empty(const Problem& p) { return p.pixels() * p.channels * p.filters * p.taps() == 0; }

template <class Which, class S, class T> void run_as(const KernelCall& call) {
  const Problem p = Which::read(call);
  if (is_empty(p)) return zero(static_cast<S*>(call.outputs[0].data), call.outputs[0].size);
  if (const mlxk::Kernel* kernel = Which::extended(call, p)) return kernel->run(call);
  if (is_depthwise<T>(p)) return Which::template Sparse<S, T>::run(call, p);
  if constexpr (ms::same_type<T, float>::value) {
    if (is_winograd(p)) return Which::template Filtering<S>::run(call, p);
  }
  Which::template Dense<S, T>::run(call, p);
}

template <class Which> void run(const KernelCall& call) {
  switch (call.outputs[0].dtype) {
    case Dtype::float16: return run_as<Which, f16_bits, float>(call);
    case Dtype::bfloat16: return run_as<Which, bf16_bits, float>(call);
    case Dtype::float64: return run_as<Which, double, double>(call);
    default: return run_as<Which, float, float>(call);
  }
}

template <class Which, class T> size_t workspace_as(const KernelCall& call) {
  const Problem p = Which::read(call);
  if (is_empty(p)) return 0;
  if (const mlxk::Kernel* kernel = Which::extended(call, p)) return kernel->workspace(call);
  if (is_depthwise<T>(p)) return Which::template Sparse<T, T>::workspace(p);
  if constexpr (ms::same_type<T, float>::value) {
    if (is_winograd(p)) return Which::template Filtering<T>::workspace(p);
  }
  return Which::template Dense<T, T>::workspace(p);
}

template <class Which> size_t workspace(const KernelCall& call) {
  return call.outputs[0].dtype == Dtype::float64 ? workspace_as<Which, double>(call)
                                                 : workspace_as<Which, float>(call);
}

}  // namespace

MLXK_STEM(conv, table) {
  table.add("conv", {.run = run<Convolution>, .workspace = workspace<Convolution>});
  table.add("conv_weight", {.run = run<WeightsOf>, .workspace = workspace<WeightsOf>});
}
