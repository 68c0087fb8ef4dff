// The kernels of metal/ as C++. Their formulas live in a namespace of their own, so that the linker
// never takes the host's for them.
#include <vector>

#include "sim/kernels.h"

#define __METAL_VERSION__ 310
#define mlxk_scalar mlxk_scalar_of_metal

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wattributes"  // [[buffer(0)]] and its kind
#include "metal/elementwise.metal"
#include "sim/block_sum.metal"

#undef thread

static uint thread_count() {
  return ::mlxk::sim::this_launch().grid.x * ::mlxk::sim::this_launch().block.x;
}
static uint thread_position() {
  const ::mlxk::sim::Lane& lane = ::mlxk::sim::this_lane();
  return lane.block.x * ::mlxk::sim::this_launch().block.x + lane.thread.x;
}

#define MLXK_CALL(name, ...) name(__VA_ARGS__, thread_position(), thread_count())
#include "sim/elementwise_table.h"

namespace mlxk::sim {

LaneEntry metal_elementwise(uint16_t formula, Dtype dtype) {
  return elementwise_entry(formula, dtype);
}
void metal_block_sum(void* const* buffers, const void* arguments) {
  block_sum(static_cast<float*>(buffers[0]), static_cast<const float*>(buffers[1]),
            *static_cast<const int*>(arguments), this_lane().thread.x, this_lane().block.x,
            this_launch().block.x);
}

}  // namespace mlxk::sim
