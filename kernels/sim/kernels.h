// The kernels that the simulator can run: every one of cuda/ and metal/, compiled as C++.
#pragma once

#include <cstdint>

#include "mlxk/dtype.h"
#include "sim/engine.h"

namespace mlxk::sim {

// What one lane does. Buffers are bound in the kernel's order, the output first.
using LaneEntry = void (*)(void* const* buffers, const void* arguments);

// <formula>_<dtype> of the elementwise stem, by the index of kernel.h; null where there is none.
// The arguments are an ElementwiseArguments.
LaneEntry cuda_elementwise(uint16_t formula, Dtype dtype);
LaneEntry metal_elementwise(uint16_t formula, Dtype dtype);

// block_sum of sim/: buffers are the sums and x, the argument is the int of x's size.
void cuda_block_sum(void* const* buffers, const void* arguments);
void metal_block_sum(void* const* buffers, const void* arguments);

}  // namespace mlxk::sim
