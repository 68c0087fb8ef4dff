// The host's side of a GPU's elementwise kernel: tensors to the arguments of scalar/elementwise.h.
#pragma once

#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "scalar/elementwise.h"

namespace mlxk {

// Inputs have the shape of the output, stride 0 where broadcast. Axes of length 1 are dropped and
// neighbours merged where every input steps over both as over one.
inline ElementwiseArguments elementwise_arguments(const Tensor* inputs, int input_count,
                                                  const Tensor& output) {
  ElementwiseArguments a{};
  a.size = output.size;
  int count = 0;
  for (int axis = 0; axis < output.ndim; axis++) {
    const int64_t length = output.shape[axis];
    if (length == 1) continue;
    const int last = count > 0 ? count - 1 : 0;
    bool merges = count > 0;
    for (int k = 0; merges && k < input_count; k++)
      merges = a.strides[k][last] == length * inputs[k].strides[axis];
    if (!merges && count == max_elementwise_axes)
      raise(ErrorKind::runtime,
            "[elementwise] a GPU kernel takes at most %d axes that cannot be merged; make an input "
            "contiguous first.",
            static_cast<int>(max_elementwise_axes));
    if (!merges) a.shape[count++] = 1;
    a.shape[count - 1] *= length;
    for (int k = 0; k < input_count; k++) a.strides[k][count - 1] = inputs[k].strides[axis];
  }
  a.axis_count = count;
  return a;
}

}  // namespace mlxk
