// What the threads of a block share, in one vocabulary for CUDA, Metal and the simulator.
//
// MLXK_SHARED_ARRAY(type, name, count); at the top of a kernel declares memory that all threads of
// the block see, with no particular contents.
#pragma once

#include "prelude.h"

#if defined(MLXK_SIM)  // the shims define MLXK_SHARED_ARRAY
#elif defined(MLXK_METAL)
#define MLXK_SHARED_ARRAY(type, name, count) threadgroup type name[count]
#elif defined(MLXK_CUDA)
#define MLXK_SHARED_ARRAY(type, name, count) __shared__ type name[count]
#endif
