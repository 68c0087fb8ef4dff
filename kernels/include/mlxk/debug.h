// Checks that cost too much to be always on: of indices, and of values that are not finite.
#pragma once

#include "mlxk/kernel.h"

namespace mlxk {

// Whether kernels that read indices raise where one is out of range: MLX_CHECK_BOUNDS=1.
bool checks_bounds() noexcept;
void set_checks_bounds(bool on) noexcept;

// Raises an index error that names the first of the indices that is not in [-size, size).
void check_indices(const char* op, const Tensor& indices, int64_t axis, int64_t size);

// Whether a Program that makes a NaN or an infinity fails: MLX_DEBUG_NANS=1. Lowering then fuses
// nothing and writes nothing in place, so that each op can be looked at alone.
bool checks_nans() noexcept;
void set_checks_nans(bool on) noexcept;

}  // namespace mlxk
