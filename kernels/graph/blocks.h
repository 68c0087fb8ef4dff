// Small blocks of memory for what nodes own: shapes, parameters. Taken and given back on any
// thread, without a lock: every thread keeps lists of free ones.
#pragma once

#include <cstddef>

namespace mlxk {

void* take_block(size_t bytes);  // aligned for 64-bit words
void give_block(void* block, size_t bytes) noexcept;

}  // namespace mlxk
