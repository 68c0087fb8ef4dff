// Every line of the .def files as a type: op_exp::apply(x), op_add::apply(x, y),
// op_select::apply(mask, y, z). A consumer includes this header and walks a .def file with the same
// macro for its own table.
#pragma once

#include "complex.h"

namespace mlxk_scalar {

#define MLXK_UNARY(name, classes, result, expression)                            \
  struct op_##name {                                                             \
    template <class F> static MLXK_MEMBER auto apply(F x) { return expression; } \
  };
#include "unary.def"
#undef MLXK_UNARY

#define MLXK_BINARY(name, classes, result, expression)                                \
  struct op_##name {                                                                  \
    template <class F> static MLXK_MEMBER auto apply(F x, F y) { return expression; } \
  };
#include "binary.def"
#undef MLXK_BINARY

#define MLXK_TERNARY(name, classes, result, expression)                        \
  struct op_##name {                                                           \
    template <class X, class F> static MLXK_MEMBER auto apply(X x, F y, F z) { \
      return expression;                                                       \
    }                                                                          \
  };
#include "ternary.def"
#undef MLXK_TERNARY

}  // namespace mlxk_scalar
