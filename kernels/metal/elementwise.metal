// The elementwise kernels of Metal: <formula>_<dtype>(out, inputs..., arguments), each thread
// taking every grid-th element. Compiled with fast math off. There is no float64.
#include <metal_stdlib>

#include "scalar/elementwise.h"

// Not inside the namespace, which would become a part of the kernels' names.
using namespace mlxk_scalar;

#define MLXK_EACH_ELEMENT(i) for (int64 i = position; i < a.size; i += (int64)thread_count)

#define MLXK_KERNEL_1(S, dtype, name, result)                                              \
  kernel void name##_##dtype(                                                              \
      device result_##result<S>::type* out [[buffer(0)]], device const S* x [[buffer(1)]], \
      constant mlxk::ElementwiseArguments& a [[buffer(2)]],                               \
      uint position [[thread_position_in_grid]], uint thread_count [[threads_per_grid]]) { \
    MLXK_EACH_ELEMENT(i) apply_unary<op_##name>(out, x, a, i);                             \
  }
#define MLXK_KERNEL_2(S, dtype, name, result)                                                 \
  kernel void name##_##dtype(                                                                 \
      device result_##result<S>::type* out [[buffer(0)]], device const S* x [[buffer(1)]],    \
      device const S* y [[buffer(2)]], constant mlxk::ElementwiseArguments& a [[buffer(3)]], \
      uint position [[thread_position_in_grid]], uint thread_count [[threads_per_grid]]) {    \
    MLXK_EACH_ELEMENT(i) apply_binary<op_##name>(out, x, y, a, i);                            \
  }
#define MLXK_KERNEL_3(S, dtype, name, result)                                                  \
  kernel void name##_##dtype(device result_##result<S>::type* out [[buffer(0)]],               \
                             device const first_operand<op_##name, S>::type* x [[buffer(1)]],  \
                             device const S* y [[buffer(2)]], device const S* z [[buffer(3)]], \
                             constant mlxk::ElementwiseArguments& a [[buffer(4)]],            \
                             uint position [[thread_position_in_grid]],                        \
                             uint thread_count [[threads_per_grid]]) {                         \
    MLXK_EACH_ELEMENT(i) apply_ternary<op_##name>(out, x, y, z, a, i);                         \
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
