// How an update meets the value that is there: assign, add, multiply, maximum, minimum, for every dtype.
#pragma once

#include <stdint.h>
#include <string.h>

#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "scalar/types.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

enum class Mode { assign, add, multiply, maximum, minimum };

// The modes by the names that nodes hold.
inline Mode mode_named(const char* name) {
  const char* names[] = {"set", "add", "multiply", "maximum", "minimum"};
  for (int i = 0; i < 5; ++i) {
    if (strcmp(name, names[i]) == 0) return static_cast<Mode>(i);
  }
  raise(ErrorKind::value, "[scatter] No mode has this name.");
}

struct Complex {
  float re, im;
};

template <Mode M, class T>
__attribute__((always_inline)) inline T combined(T a, T b) {
  if constexpr (M == Mode::assign) {
    return b;
  } else if constexpr (M == Mode::add) {
    return static_cast<T>(a + b);
  } else if constexpr (M == Mode::multiply) {
    return static_cast<T>(a * b);
  } else if constexpr (M == Mode::maximum) {
    return a > b ? a : b;  // at equality and with a NaN the update wins
  } else {
    return a < b ? a : b;
  }
}

// Signed sums and products wrap: computed as unsigned, int8 and int16 by promotion.
template <Mode M>
inline int32_t combined_signed(int32_t a, int32_t b) {
  if constexpr (M == Mode::add) return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  if constexpr (M == Mode::multiply) return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
  return combined<M>(a, b);
}
template <Mode M>
inline int64_t combined_signed(int64_t a, int64_t b) {
  if constexpr (M == Mode::add) return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  if constexpr (M == Mode::multiply) return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  return combined<M>(a, b);
}

// One element type: how it is stored and combined.
template <Dtype D>
struct Element;
#define MLXK_ELEMENT(dtype, type)                                                    \
  template <>                                                                        \
  struct Element<Dtype::dtype> {                                                     \
    using Stored = type;                                                             \
    template <Mode M>                                                                \
    static void apply(Stored& a, Stored b) { a = combined<M, type>(a, b); }          \
  };
MLXK_ELEMENT(uint8, uint8_t)
MLXK_ELEMENT(uint32, uint32_t)
MLXK_ELEMENT(uint64, uint64_t)
MLXK_ELEMENT(int8, int8_t)
MLXK_ELEMENT(int16, int16_t)
MLXK_ELEMENT(float32, float)
MLXK_ELEMENT(float64, double)
#undef MLXK_ELEMENT

template <>
struct Element<Dtype::uint16> {
  using Stored = uint16_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) {
    a = static_cast<uint16_t>(combined<M, uint32_t>(a, b));  // promotion to int would overflow in a product
  }
};
template <>
struct Element<Dtype::int32> {
  using Stored = int32_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) { a = combined_signed<M>(a, b); }
};
template <>
struct Element<Dtype::int64> {
  using Stored = int64_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) { a = combined_signed<M>(a, b); }
};
template <>
struct Element<Dtype::bool_> {
  using Stored = uint8_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) {
    if constexpr (M == Mode::assign) a = b;
    else if constexpr (M == Mode::add || M == Mode::maximum) a = a | b;
    else a = a & b;
  }
};
template <>
struct Element<Dtype::float16> {
  using Stored = uint16_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) {
    if constexpr (M == Mode::assign) a = b;
    else a = static_cast<uint16_t>(mlxk_scalar::float_to_f16(
        combined<M, float>(mlxk_scalar::f16_to_float<float>(a), mlxk_scalar::f16_to_float<float>(b))));
  }
};
template <>
struct Element<Dtype::bfloat16> {
  using Stored = uint16_t;
  template <Mode M>
  static void apply(Stored& a, Stored b) {
    if constexpr (M == Mode::assign) a = b;
    else a = static_cast<uint16_t>(mlxk_scalar::float_to_bf16(
        combined<M, float>(mlxk_scalar::bf16_to_float<float>(a), mlxk_scalar::bf16_to_float<float>(b))));
  }
};
template <>
struct Element<Dtype::complex64> {
  using Stored = Complex;
  template <Mode M>
  static void apply(Stored& a, Stored b) {
    const bool less = a.re < b.re || (a.re == b.re && a.im < b.im);
    const bool more = a.re > b.re || (a.re == b.re && a.im > b.im);
    if constexpr (M == Mode::assign) a = b;
    else if constexpr (M == Mode::add) a = {a.re + b.re, a.im + b.im};
    else if constexpr (M == Mode::multiply) a = {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    else if constexpr (M == Mode::maximum) a = more ? a : b;
    else a = less ? a : b;
  }
};

// Calls f.template operator()<D>() for the dtype.
template <class F>
void for_dtype(Dtype dtype, const F& f) {
  switch (dtype) {
#define MLXK_CASE(d) \
  case Dtype::d: return f.template operator()<Dtype::d>();
    MLXK_CASE(bool_) MLXK_CASE(uint8) MLXK_CASE(uint16) MLXK_CASE(uint32) MLXK_CASE(uint64) MLXK_CASE(int8)
    MLXK_CASE(int16) MLXK_CASE(int32) MLXK_CASE(int64) MLXK_CASE(float16) MLXK_CASE(bfloat16) MLXK_CASE(float32)
    MLXK_CASE(float64) MLXK_CASE(complex64)
#undef MLXK_CASE
  }
}

template <class F>
void for_mode(Mode mode, const F& f) {
  switch (mode) {
    case Mode::assign: return f.template operator()<Mode::assign>();
    case Mode::add: return f.template operator()<Mode::add>();
    case Mode::multiply: return f.template operator()<Mode::multiply>();
    case Mode::maximum: return f.template operator()<Mode::maximum>();
    case Mode::minimum: return f.template operator()<Mode::minimum>();
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
