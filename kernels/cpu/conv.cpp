// Convolutions of one to three spatial axes, channels last.
#include "cpu/conv/weight_gradient.h"

namespace {

template <template <class, class> class Kernel> void run_conv(const KernelCall& call) {
  switch (call.outputs[0].dtype) {
    case Dtype::float16: return Kernel<f16_bits, float>::run(call);
    case Dtype::bfloat16: return Kernel<bf16_bits, float>::run(call);
    case Dtype::float64: return Kernel<double, double>::run(call);
    default: return Kernel<float, float>::run(call);
  }
}

template <template <class, class> class Kernel> size_t conv_workspace(const KernelCall& call) {
  return call.outputs[0].dtype == Dtype::float64 ? Kernel<double, double>::workspace(call)
                                                 : Kernel<float, float>::workspace(call);
}

}  // namespace

MLXK_STEM(conv, table) {
  table.add("conv", {.run = run_conv<Forward>, .workspace = conv_workspace<Forward>});
  table.add("conv_weight",
            {.run = run_conv<WeightGradient>, .workspace = conv_workspace<WeightGradient>});
}
