// What the registry knows of an op beside its public fields: the dtype rules as tables.
#pragma once

#include "mlxk/op.h"

namespace mlxk {

constexpr uint16_t no_formula = 0xffff;

struct OpRecord : Op {
  Dtype compute[dtype_count];  // by the promoted dtype of the inputs
  Dtype result_of[dtype_count];
  bool accepts[dtype_count];
};

inline const OpRecord& record(const Op& op) { return static_cast<const OpRecord&>(op); }

}  // namespace mlxk
