// The handler of every (formula, compute type) and of every conversion, made from the .def files.
#pragma once

#include "cpu/elementwise/handlers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct FormulaRow {
  Handler run[dtype_count][3];  // by compute type; unary: one; binary: by BinaryForm; ternary: by
                                // the operand in a
  uint8_t arity;
  ResultKind result;
  bool selects;  // the first operand is a bool whatever the others are
  bool dear;     // exists for inexact types only: mostly transcendental
};

constexpr uint16_t count_formulas() {
  int count = 0;
#define MLXK_UNARY(...) count++;
#define MLXK_BINARY(...) count++;
#define MLXK_TERNARY(...) count++;
#include "scalar/unary.def"

#include "scalar/binary.def"

#include "scalar/ternary.def"
#undef MLXK_UNARY
#undef MLXK_BINARY
#undef MLXK_TERNARY
  return static_cast<uint16_t>(count);
}
constexpr uint16_t formula_count = count_formulas();

struct FormulaTable {
  FormulaRow rows[formula_count];
};

constexpr bool same_text(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

template <class Op, ResultKind kind, class T> constexpr void fill_binary(Handler (&run)[3]) {
  run[a_memory] = binary_handler<Op, kind, T, a_memory>;
  run[memory_a] = binary_handler<Op, kind, T, memory_a>;
  if constexpr (Block<T>::registers <= 4) run[a_b] = binary_handler<Op, kind, T, a_b>;
}
template <class Op, ResultKind kind, class T, bool selects>
constexpr void fill_ternary(Handler (&run)[3]) {
  run[0] = ternary_handler<Op, kind, T, 0, selects>;
  run[1] = ternary_handler<Op, kind, T, 1, selects>;
  run[2] = ternary_handler<Op, kind, T, 2, selects>;
}

#define MLXK_AT(dtype) row.run[static_cast<int>(Dtype::dtype)]
#define MLXK_FILL_UNARY(type, dtype, name, result) \
  MLXK_AT(dtype)[0] = unary_handler<sc::op_##name, result_##result, type>;
#define MLXK_FILL_BINARY(type, dtype, name, result) \
  fill_binary<sc::op_##name, result_##result, type>(MLXK_AT(dtype));
#define MLXK_FILL_TERNARY(type, dtype, name, result) \
  fill_ternary<sc::op_##name, result_##result, type, same_text(#name, "where")>(MLXK_AT(dtype));

#define MLXK_ROW(FILL, operands, name, classes, result_kind)  \
  {                                                           \
    FormulaRow& row = table.rows[next++];                     \
    row.arity = operands;                                     \
    row.result = result_##result_kind;                        \
    row.selects = operands == 3 && same_text(#name, "where"); \
    row.dear = only_inexact(#classes);                        \
    MLXK_FOR_##classes(FILL, name, result_kind)               \
  }
#define MLXK_UNARY(name, classes, result, ...) MLXK_ROW(MLXK_FILL_UNARY, 1, name, classes, result)
#define MLXK_BINARY(name, classes, result, ...) MLXK_ROW(MLXK_FILL_BINARY, 2, name, classes, result)
#define MLXK_TERNARY(name, classes, result, ...) \
  MLXK_ROW(MLXK_FILL_TERNARY, 3, name, classes, result)

constexpr FormulaTable make_formula_table() {
  FormulaTable table{};
  int next = 0;
#include "scalar/unary.def"

#include "scalar/binary.def"

#include "scalar/ternary.def"
  return table;
}
#undef MLXK_UNARY
#undef MLXK_BINARY
#undef MLXK_TERNARY

static constexpr FormulaTable formula_table = make_formula_table();

// ---- conversions, loads, stores -----------------------------------------------------------------

struct ConvertTable {
  Handler run[dtype_count][dtype_count];  // [to][from], compute types; null where they are the same
};

template <class To, class From> constexpr Handler convert_entry() {
  if constexpr (sc::same_type<To, From>::value)
    return nullptr;
  else
    return convert_handler<To, From>;
}
template <class To> constexpr void fill_convert(Handler (&run)[dtype_count]) {
#define MLXK_FILL_FROM(type, dtype, unused) \
  run[static_cast<int>(Dtype::dtype)] = convert_entry<To, type>();
  MLXK_FOR_BIUFC(MLXK_FILL_FROM, 0)
#undef MLXK_FILL_FROM
}
constexpr ConvertTable make_convert_table() {
  ConvertTable table{};
#define MLXK_FILL_TO(type, dtype, unused) \
  fill_convert<type>(table.run[static_cast<int>(Dtype::dtype)]);
  MLXK_FOR_BIUFC(MLXK_FILL_TO, 0)
#undef MLXK_FILL_TO
  return table;
}
static constexpr ConvertTable convert_table = make_convert_table();

static constexpr Handler load_a[storage_count] = {
    load_handler<as_1, 0>,       load_handler<as_2, 0>,       load_handler<as_4, 0>,
    load_handler<as_8, 0>,       load_handler<as_complex, 0>, load_handler<as_bool, 0>,
    load_handler<as_float16, 0>, load_handler<as_bfloat16, 0>};
static constexpr Handler load_b[storage_count] = {load_handler<as_1, 4>,
                                                  load_handler<as_2, 4>,
                                                  load_handler<as_4, 4>,
                                                  nullptr,
                                                  nullptr,
                                                  load_handler<as_bool, 4>,
                                                  load_handler<as_float16, 4>,
                                                  load_handler<as_bfloat16, 4>};

template <bool output>
static constexpr Handler store_a[storage_count] = {
    store_handler<as_1, output>,       store_handler<as_2, output>,
    store_handler<as_4, output>,       store_handler<as_8, output>,
    store_handler<as_complex, output>, store_handler<as_1, output>,
    store_handler<as_float16, output>, store_handler<as_bfloat16, output>};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
