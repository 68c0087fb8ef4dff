// How updates meet the values that are there: set, add, multiply, maximum, minimum, for every
// dtype.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/lanes.h"

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

// An axis and 32-bit indices into it. A negative index, as int32, has `wrap` added: the extent, or
// 0 where indices are unsigned, since that one is out of range.
struct Indices {
  const int32_t* data;
  int64_t wrap, extent;
};

// Three loops over updates, all in order: of neighbours into neighbours, of items into items at
// offsets, and of neighbours into items by index, but for those out of range.
struct Combine {
  void (*row)(void* to, const void* from, int64_t count);
  void (*items)(void* to, const int64_t* to_at, const void* from, const int64_t* from_at,
                int64_t count);
  void (*indexed)(void* to, const Indices& indices, const void* from, int64_t count);
};

struct Bool {
  uint8_t value;
};
struct Complex {
  float re, im;
};

template <Mode M, class T> MLXK_FN T combined(T a, T b) {
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
template <> MLXK_MEMBER uint16_t combined<Mode::multiply>(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>(uint32_t{a} * b);  // as int it could overflow
}
template <Mode M> MLXK_FN Bool combined(Bool a, Bool b) {
  return {static_cast<uint8_t>(M == Mode::add ? a.value | b.value : a.value & b.value)};
}
template <Mode M> MLXK_FN f16_bits combined(f16_bits a, f16_bits b) {
  return narrow<f16_bits>(combined<M>(widen<float>(a), widen<float>(b)));
}
template <Mode M> MLXK_FN bf16_bits combined(bf16_bits a, bf16_bits b) {
  return narrow<bf16_bits>(combined<M>(widen<float>(a), widen<float>(b)));
}
template <Mode M> MLXK_FN Complex combined(Complex a, Complex b) {
  if constexpr (M == Mode::add) return {a.re + b.re, a.im + b.im};
  if constexpr (M == Mode::multiply) return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  const bool less = a.re < b.re || (a.re == b.re && a.im < b.im);
  const bool more = a.re > b.re || (a.re == b.re && a.im > b.im);
  return (M == Mode::maximum ? more : less) ? a : b;
}

template <Mode M, class T> void combine_row(void* to, const void* from, int64_t count) {
  T* __restrict target = static_cast<T*>(to);
  const T* __restrict update = static_cast<const T*>(from);
  for (int64_t k = 0; k < count; ++k) target[k] = combined<M>(target[k], update[k]);
}
template <Mode M, class T>
void combine_items(void* to, const int64_t* to_at, const void* from, const int64_t* from_at,
                   int64_t count) {
  T* __restrict target = static_cast<T*>(to);
  const T* __restrict update = static_cast<const T*>(from);
  for (int64_t k = 0; k < count; ++k) {
    T& item = target[to_at[k]];
    item = combined<M>(item, update[from_at[k]]);
  }
}
template <Mode M, class T>
void combine_indexed(void* to, const Indices& indices, const void* from, int64_t count) {
  T* __restrict target = static_cast<T*>(to);
  const T* __restrict update = static_cast<const T*>(from);
  const int32_t* __restrict index = indices.data;
  const int64_t wrap = indices.wrap, extent = indices.extent;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t i = index[k] < 0 ? index[k] + wrap : index[k];
    if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(extent)) continue;
    target[i] = combined<M>(target[i], update[k]);
  }
}
template <Mode M, class T>
constexpr Combine combine{combine_row<M, T>, combine_items<M, T>, combine_indexed<M, T>};

// Sums and products wrap, so those of signed integers are those of unsigned ones.
template <class T, class Wrapping = T> Combine combine_by(Mode mode) {
  switch (mode) {
    case Mode::add: return combine<Mode::add, Wrapping>;
    case Mode::multiply: return combine<Mode::multiply, Wrapping>;
    case Mode::maximum: return combine<Mode::maximum, T>;
    default: return combine<Mode::minimum, T>;
  }
}

inline Combine combine_for(Dtype dtype, Mode mode) {
  if (mode == Mode::assign) {
    switch (itemsize(dtype)) {
      case 1: return combine<Mode::assign, uint8_t>;
      case 2: return combine<Mode::assign, uint16_t>;
      case 4: return combine<Mode::assign, uint32_t>;
      default: return combine<Mode::assign, uint64_t>;
    }
  }
  switch (dtype) {
    case Dtype::bool_:
      return mode == Mode::add || mode == Mode::maximum ? combine<Mode::add, Bool>
                                                        : combine<Mode::multiply, Bool>;
    case Dtype::uint8: return combine_by<uint8_t>(mode);
    case Dtype::uint16: return combine_by<uint16_t>(mode);
    case Dtype::uint32: return combine_by<uint32_t>(mode);
    case Dtype::uint64: return combine_by<uint64_t>(mode);
    case Dtype::int8: return combine_by<int8_t, uint8_t>(mode);
    case Dtype::int16: return combine_by<int16_t, uint16_t>(mode);
    case Dtype::int32: return combine_by<int32_t, uint32_t>(mode);
    case Dtype::int64: return combine_by<int64_t, uint64_t>(mode);
    case Dtype::float16: return combine_by<f16_bits>(mode);
    case Dtype::bfloat16: return combine_by<bf16_bits>(mode);
    case Dtype::float32: return combine_by<float>(mode);
    case Dtype::float64: return combine_by<double>(mode);
    case Dtype::complex64: return combine_by<Complex>(mode);
  }
  __builtin_unreachable();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
