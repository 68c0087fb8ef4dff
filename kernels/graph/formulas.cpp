// The table of scalar formulas, from the same lines that the kernels are made of.
#include <cstring>

#include "mlxk/kernel.h"

namespace mlxk {

namespace {

#define MLXK_UNARY(name, classes, result, ...) {#name, 1, #classes, #result},
#define MLXK_BINARY(name, classes, result, ...) {#name, 2, #classes, #result},
#define MLXK_TERNARY(name, classes, result, ...) {#name, 3, #classes, #result},
// The order is the index of kernel.h: never sorted.
// clang-format off
constexpr ScalarFormula formulas[] = {
#include "scalar/unary.def"
#include "scalar/binary.def"
#include "scalar/ternary.def"
};
// clang-format on

constexpr uint16_t formula_count = sizeof formulas / sizeof formulas[0];

}  // namespace

uint16_t scalar_formula(const char* name) {
  for (uint16_t i = 0; i < formula_count; ++i) {
    if (std::strcmp(name, formulas[i].name) == 0) return i;
  }
  return 0xffff;
}

const ScalarFormula& scalar_formula(uint16_t index) { return formulas[index]; }

}  // namespace mlxk
