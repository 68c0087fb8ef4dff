// The elementwise kernels of CUDA: <formula>_<dtype>(out, inputs..., arguments), each thread taking
// every grid-th element. Compiled without contraction (--fmad=false), so that only MLXK_FMA fuses.
#include "scalar/elementwise.h"

namespace mlxk_scalar {

#define MLXK_EACH_ELEMENT(i)                          \
  const int64 stride = (int64)gridDim.x * blockDim.x; \
  for (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < a.size; i += stride)

#define MLXK_KERNEL_1(S, dtype, name, result)                                          \
  extern "C" __global__ void name##_##dtype(result_##result<S>::type* out, const S* x, \
                                            const ::mlxk::ElementwiseArguments a) {    \
    MLXK_EACH_ELEMENT(i) apply_unary<op_##name>(out, x, a, i);                         \
  }
#define MLXK_KERNEL_2(S, dtype, name, result)                                                      \
  extern "C" __global__ void name##_##dtype(result_##result<S>::type* out, const S* x, const S* y, \
                                            const ::mlxk::ElementwiseArguments a) {                \
    MLXK_EACH_ELEMENT(i) apply_binary<op_##name>(out, x, y, a, i);                                 \
  }
#define MLXK_KERNEL_3(S, dtype, name, result)                                                \
  extern "C" __global__ void name##_##dtype(                                                 \
      result_##result<S>::type* out, const first_operand<op_##name, S>::type* x, const S* y, \
      const S* z, const ::mlxk::ElementwiseArguments a) {                                    \
    MLXK_EACH_ELEMENT(i) apply_ternary<op_##name>(out, x, y, z, a, i);                       \
  }

#define MLXK_UNARY(name, classes, result, ...) MLXK_STORED_##classes(MLXK_KERNEL_1, name, result)
#include "scalar/unary.def"
#undef MLXK_UNARY

#define MLXK_BINARY(name, classes, result, ...) MLXK_STORED_##classes(MLXK_KERNEL_2, name, result)
#include "scalar/binary.def"
#undef MLXK_BINARY

#define MLXK_TERNARY(name, classes, result, ...) MLXK_STORED_##classes(MLXK_KERNEL_3, name, result)
#include "scalar/ternary.def"
#undef MLXK_TERNARY

#undef MLXK_KERNEL_1
#undef MLXK_KERNEL_2
#undef MLXK_KERNEL_3
#undef MLXK_EACH_ELEMENT

}  // namespace mlxk_scalar
