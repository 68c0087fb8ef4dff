// The handlers of the accumulator machine and the table that finds them.
//
// A chain is a list of Codes. Each handler works on one block: the accumulator a in registers 0..,
// a second value b in registers 4.. (only in chains whose compute types all fit four registers,
// that is four bytes), other operands in memory: inputs, spread immediates and spilled values all
// look alike there. A handler ends in a call of the next Code's handler with the same arguments,
// which the compiler makes a jump; the last one returns. Where a sanitizer watches, and where the
// vectors of an emulated v4 pass through memory, no compiler makes jumps of them: there a handler
// leaves its registers in the frame and returns to a loop.
#pragma once

#include "cpu/elementwise/registers.h"

#if defined(__clang__)
#define MLXK_TAIL __attribute__((musttail))
#else
#define MLXK_TAIL
#endif
#if MLXK_SANITIZED || MLXK_EMULATED_V4
#define MLXK_LOOPED 1
#endif

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Element i of an operand lies at data + i * step; a step of zero repeats one block.
struct Place {
  char* data;
  int64_t step;
};
struct Frame {
  Place* places;
  bool streaming;  // outputs go past the caches
#if MLXK_LOOPED
  mutable Registers all{};
#endif
};

struct Code;
typedef void (*Handler)(const Code* code, const Frame* frame, int64_t index, Register r0,
                        Register r1, Register r2, Register r3, Register r4, Register r5,
                        Register r6, Register r7);
struct Code {
  Handler run;
  uint32_t x, y;  // places
};

#define MLXK_ARGUMENTS                                                                        \
  const Code *code, const Frame *frame, int64_t index, Register r0, Register r1, Register r2, \
      Register r3, Register r4, Register r5, Register r6, Register r7
#define MLXK_TAKE_REGISTERS Registers all = {{r0, r1, r2, r3, r4, r5, r6, r7}}
#if MLXK_LOOPED
#define MLXK_NEXT frame->all = all
#else
#define MLXK_NEXT                                                                              \
  MLXK_TAIL return code[1].run(code + 1, frame, index, all.r[0], all.r[1], all.r[2], all.r[3], \
                               all.r[4], all.r[5], all.r[6], all.r[7])
#endif

MLXK_INLINE char* at(const Frame* frame, uint32_t place, int64_t index) {
  const Place& p = frame->places[place];
  return p.data + index * p.step;
}

static void finish(const Code*, const Frame*, int64_t, Register, Register, Register, Register,
                   Register, Register, Register, Register) {}

// ---- loads and stores ---------------------------------------------------------------------------

enum Storage : uint8_t {
  as_1,
  as_2,
  as_4,
  as_8,
  as_complex,
  as_bool,
  as_float16,
  as_bfloat16,
  storage_count
};

constexpr Storage storage_of(Dtype d) {
  if (d == Dtype::bool_) return as_bool;
  if (d == Dtype::complex64) return as_complex;
  if (d == Dtype::float16) return as_float16;
  if (d == Dtype::bfloat16) return as_bfloat16;
  return itemsize(d) == 1 ? as_1 : itemsize(d) == 2 ? as_2 : itemsize(d) == 4 ? as_4 : as_8;
}
// Whether a value of the dtype in memory can be an operand as it lies there. Foreign bools may be
// any byte.
constexpr bool is_direct(Dtype d) { return storage_of(d) < as_bool; }
// Of a value that the machine itself wrote.
constexpr Storage spilled_as(Dtype compute) {
  return compute == Dtype::bool_ ? as_1 : storage_of(compute);
}

template <Storage storage, int to> static void load_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  const char* from = at(frame, code->x, index);
  if constexpr (storage == as_1)
    put(all, to, load<sc::uint8>(from));
  else if constexpr (storage == as_2)
    put(all, to, load<sc::uint16>(from));
  else if constexpr (storage == as_4)
    put(all, to, load<sc::uint32>(from));
  else if constexpr (storage == as_8)
    put(all, to, load<sc::uint64>(from));
  else if constexpr (storage == as_complex)
    put(all, to, load<sc::complex64>(from));
  else if constexpr (storage == as_bool)
    put(all, to, convert<bool, sc::uint8>(load<sc::uint8>(from)));
  else
    put(all, to, load_halves(from, storage == as_bfloat16));
  MLXK_NEXT;
}

template <bool streaming, Storage storage>
MLXK_INLINE void store_as(char* to, const Registers& all) {
  if constexpr (storage == as_1)
    store<streaming>(to, take<sc::uint8>(all, 0));
  else if constexpr (storage == as_2)
    store<streaming>(to, take<sc::uint16>(all, 0));
  else if constexpr (storage == as_4)
    store<streaming>(to, take<sc::uint32>(all, 0));
  else if constexpr (storage == as_8)
    store<streaming>(to, take<sc::uint64>(all, 0));
  else if constexpr (storage == as_complex)
    store<streaming>(to, take<sc::complex64>(all, 0));
  else
    store_halves<streaming>(to, take<float>(all, 0), storage == as_bfloat16);
}

template <Storage storage, bool output> static void store_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  char* to = at(frame, code->x, index);
  if (output && frame->streaming)
    store_as<true, storage>(to, all);
  else
    store_as<false, storage>(to, all);
  MLXK_NEXT;
}

static void copy_to_b(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  MLXK_EACH(4, i, all.r[4 + i] = all.r[i]);
  MLXK_NEXT;
}
static void swap_b(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  MLXK_EACH(4, i, const Register kept = all.r[i]; all.r[i] = all.r[4 + i]; all.r[4 + i] = kept);
  MLXK_NEXT;
}

template <bool brain> static void round_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  put(all, 0, round_halves(take<float>(all, 0), brain));
  MLXK_NEXT;
}

template <class To, class From> static void convert_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  put(all, 0, convert<To, From>(take<From>(all, 0)));
  MLXK_NEXT;
}

// ---- formulas -----------------------------------------------------------------------------------

// The result column of the .def files.
enum ResultKind : uint8_t { result_same, result_bool_, result_real };

// A formula that exists for inexact types only is mostly transcendental.
constexpr bool only_inexact(const char* classes) { return classes[0] == 'F' || classes[0] == 'C'; }
template <class Op> constexpr bool is_dear = false;
#define MLXK_DEAR(name, classes, ...) \
  template <> constexpr bool is_dear<sc::op_##name> = only_inexact(#classes);
#define MLXK_UNARY MLXK_DEAR
#define MLXK_BINARY MLXK_DEAR
#include "scalar/binary.def"
#include "scalar/unary.def"
#undef MLXK_UNARY
#undef MLXK_BINARY
#undef MLXK_DEAR

template <class T> constexpr int mask_bytes = sizeof(typename Block<T>::Lane);

// Puts op of each register of some blocks where the accumulator is. Dear formulas of double and
// complex are not worth their code eight or four times.
template <class Op, class Result, class... Operand>
MLXK_INLINE void apply_at(int i, Result* results, const Operand*... operands) {
  results[i] = (Result)Op::apply(operands[i]...);
}
template <class Op, class Result, int... i, class... Operand>
MLXK_INLINE void apply_each(std::integer_sequence<int, i...>, Result* results,
                            const Operand*... operands) {
  (apply_at<Op>(i, results, operands...), ...);
}
template <class Op, class T, class Result, class... Operand>
MLXK_INLINE void apply_all(Result* results, const Operand*... operands) {
  constexpr int count = Block<T>::count;
  if constexpr (is_dear<Op> && Block<T>::registers == 8) {
#pragma GCC unroll 1
    for (int i = 0; i < count; i++) apply_at<Op>(i, results, operands...);
  } else {
    apply_each<Op>(std::make_integer_sequence<int, count>{}, results, operands...);
  }
}
template <class Op, ResultKind kind, class T, class... Operand>
MLXK_INLINE void put_applied(Registers& all, const Operand*... operands) {
  if constexpr (kind == result_bool_) {
    Masks<mask_bytes<T>> masks;
    apply_all<Op, T>(masks.m, operands...);
    put(all, 0, bools_from<mask_bytes<T>>(masks));
  } else if constexpr (kind == result_real && is_complex_type<T>) {
    Block<float> result;
    apply_all<Op, T>(result.v, operands...);
    put(all, 0, result);
  } else {
    Block<T> result;
    apply_all<Op, T>(result.v, operands...);
    put(all, 0, result);
  }
}

template <class Op, ResultKind kind, class T> static void unary_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  const Block<T> x = take<T>(all, 0);
  put_applied<Op, kind, T>(all, x.v);
  MLXK_NEXT;
}

// Where the operands of a binary formula are. a_b exists for types of up to four bytes.
enum BinaryForm : uint8_t { a_memory, memory_a, a_b };

template <class Op, ResultKind kind, class T, BinaryForm form>
static void binary_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  const Block<T> a = take<T>(all, 0);
  Block<T> other;
  if constexpr (form == a_b)
    other = take<T>(all, 4);
  else
    other = load<T>(at(frame, code->x, index));
  if constexpr (form == memory_a)
    put_applied<Op, kind, T>(all, other.v, a.v);
  else
    put_applied<Op, kind, T>(all, a.v, other.v);
  MLXK_NEXT;
}

// The operand number `accumulated` is a, the other two lie in memory. The first of select is a
// block of bools.
template <class Op, ResultKind kind, class T, int accumulated, bool selects>
static void ternary_handler(MLXK_ARGUMENTS) {
  MLXK_TAKE_REGISTERS;
  using First = std::conditional_t<selects, bool, T>;
  const char* first = at(frame, code->x, index);
  const char* second = at(frame, code->y, index);
  const Block<First> x = accumulated == 0 ? take<First>(all, 0) : load<First>(first);
  const Block<T> y =
      accumulated == 1 ? take<T>(all, 0) : load<T>(accumulated == 0 ? first : second);
  const Block<T> z = accumulated == 2 ? take<T>(all, 0) : load<T>(second);
  if constexpr (selects)
    put_applied<Op, kind, T>(all, masks_from<mask_bytes<T>>(x).m, y.v, z.v);
  else
    put_applied<Op, kind, T>(all, x.v, y.v, z.v);
  MLXK_NEXT;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
