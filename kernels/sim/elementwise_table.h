// Included by sim/cuda.cpp and sim/metal.cpp after their kernels: the entries of the elementwise
// kernels, from the same lines. Before it, MLXK_CALL(kernel, ...) says how a lane calls a kernel.

using ::mlxk::Dtype;
using ::mlxk::ElementwiseArguments;
using ::mlxk::sim::LaneEntry;
using namespace mlxk_scalar;

struct ElementwiseRow {
  LaneEntry entries[::mlxk::dtype_count];
};

#define MLXK_ENTRY(dtype, ...)                                                            \
  row.entries[static_cast<int>(Dtype::dtype)] = [](void* const* buffers, const void* a) { \
    __VA_ARGS__;                                                                          \
  };
#define MLXK_BUFFER(k, ...) static_cast<__VA_ARGS__*>(buffers[k])
#define MLXK_GIVEN_ARGUMENTS *static_cast<const ElementwiseArguments*>(a)
#define MLXK_OUT(S, result) MLXK_BUFFER(0, result_##result<S>::type)

#define MLXK_ENTRY_1(S, dtype, name, result)                                          \
  MLXK_ENTRY(dtype, MLXK_CALL(name##_##dtype, MLXK_OUT(S, result), MLXK_BUFFER(1, S), \
                              MLXK_GIVEN_ARGUMENTS))
#define MLXK_ENTRY_2(S, dtype, name, result)                                          \
  MLXK_ENTRY(dtype, MLXK_CALL(name##_##dtype, MLXK_OUT(S, result), MLXK_BUFFER(1, S), \
                              MLXK_BUFFER(2, S), MLXK_GIVEN_ARGUMENTS))
#define MLXK_ENTRY_3(S, dtype, name, result)                                     \
  MLXK_ENTRY(dtype, MLXK_CALL(name##_##dtype, MLXK_OUT(S, result),               \
                              MLXK_BUFFER(1, first_operand<op_##name, S>::type), \
                              MLXK_BUFFER(2, S), MLXK_BUFFER(3, S), MLXK_GIVEN_ARGUMENTS))

#define MLXK_ROW(...)                \
  {                                  \
    ElementwiseRow row{};            \
    __VA_ARGS__ rows.push_back(row); \
  }
#define MLXK_UNARY(name, classes, result, ...) \
  MLXK_ROW(MLXK_STORED_##classes(MLXK_ENTRY_1, name, result))
#define MLXK_BINARY(name, classes, result, ...) \
  MLXK_ROW(MLXK_STORED_##classes(MLXK_ENTRY_2, name, result))
#define MLXK_TERNARY(name, classes, result, ...) \
  MLXK_ROW(MLXK_STORED_##classes(MLXK_ENTRY_3, name, result))

// The order is the formulas' index.
// clang-format off
static std::vector<ElementwiseRow> elementwise_rows() {
  std::vector<ElementwiseRow> rows;
#include "scalar/unary.def"
#include "scalar/binary.def"
#include "scalar/ternary.def"
  return rows;
}
// clang-format on

static LaneEntry elementwise_entry(uint16_t formula, Dtype dtype) {
  static const std::vector<ElementwiseRow> rows = elementwise_rows();
  return rows.at(formula).entries[static_cast<int>(dtype)];
}
