// Order-preserving unsigned keys: comparing keys compares values, a NaN comes last.
#pragma once

#include <stdint.h>
#include <string.h>

#include "mlxk/kernel.h"
#include "scalar/types.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Keys of a sort keep the sign of zero (-0 before 0), so that values can be read back; keys of an
// argsort treat the zeros as equal, so that it is stable.
template <class U, bool values> inline U float_key(U bits, U infinity) {
  constexpr U sign = static_cast<U>(U{1} << (sizeof(U) * 8 - 1));
  const U magnitude = static_cast<U>(bits & ~sign);
  if (magnitude > infinity) return static_cast<U>(~U{0});  // NaN
  if (!values && magnitude == 0) return sign;
  return bits & sign ? static_cast<U>(~bits) : static_cast<U>(bits | sign);
}

template <class U> inline U float_from_key(U key, U quiet_nan) {
  constexpr U sign = static_cast<U>(U{1} << (sizeof(U) * 8 - 1));
  if (key == static_cast<U>(~U{0})) return quiet_nan;
  return key & sign ? static_cast<U>(key & ~sign) : static_cast<U>(~key);
}

template <Dtype D> struct Key;

#define MLXK_INTEGER_KEY(dtype, type, flip)                                                 \
  template <> struct Key<Dtype::dtype> {                                                    \
    using Type = type;                                                                      \
    template <bool values> static Type of(Type bits) {                                      \
      return static_cast<Type>(bits ^ static_cast<Type>(flip));                             \
    }                                                                                       \
    static Type back(Type key) { return static_cast<Type>(key ^ static_cast<Type>(flip)); } \
  };
MLXK_INTEGER_KEY(bool_, uint8_t, 0)
MLXK_INTEGER_KEY(uint8, uint8_t, 0)
MLXK_INTEGER_KEY(uint16, uint16_t, 0)
MLXK_INTEGER_KEY(uint32, uint32_t, 0)
MLXK_INTEGER_KEY(uint64, uint64_t, 0)
MLXK_INTEGER_KEY(int8, uint8_t, 0x80)
MLXK_INTEGER_KEY(int16, uint16_t, 0x8000)
MLXK_INTEGER_KEY(int32, uint32_t, 0x80000000)
MLXK_INTEGER_KEY(int64, uint64_t, 0x8000000000000000)
#undef MLXK_INTEGER_KEY

#define MLXK_FLOAT_KEY(dtype, type, infinity, quiet_nan)                        \
  template <> struct Key<Dtype::dtype> {                                        \
    using Type = type;                                                          \
    template <bool values> static Type of(Type bits) {                          \
      return float_key<type, values>(bits, infinity);                           \
    }                                                                           \
    static Type back(Type key) { return float_from_key<type>(key, quiet_nan); } \
  };
MLXK_FLOAT_KEY(float16, uint16_t, 0x7c00, 0x7e00)
MLXK_FLOAT_KEY(bfloat16, uint16_t, 0x7f80, 0x7fc0)
MLXK_FLOAT_KEY(float32, uint32_t, 0x7f800000, 0x7fc00000)
MLXK_FLOAT_KEY(float64, uint64_t, 0x7ff0000000000000, 0x7ff8000000000000)
#undef MLXK_FLOAT_KEY

template <>
struct Key<Dtype::complex64> {  // by the real part, then by the imaginary; memory holds the real
                                // part first
  using Type = uint64_t;
  template <bool values> static Type of(Type bits) {
    const uint32_t re = float_key<uint32_t, values>(static_cast<uint32_t>(bits), 0x7f800000);
    const uint32_t im = float_key<uint32_t, values>(static_cast<uint32_t>(bits >> 32), 0x7f800000);
    if (!values && (re == ~0u || im == ~0u)) return ~Type{0};
    return static_cast<Type>(re) << 32 | im;
  }
  static Type back(Type key) {
    const uint32_t re = float_from_key<uint32_t>(static_cast<uint32_t>(key >> 32), 0x7fc00000);
    const uint32_t im = float_from_key<uint32_t>(static_cast<uint32_t>(key), 0x7fc00000);
    return static_cast<Type>(im) << 32 | re;
  }
};

// Calls f.template operator()<D>() for the dtype.
template <class F> void for_dtype(Dtype dtype, const F& f) {
  switch (dtype) {
#define MLXK_CASE(d) \
  case Dtype::d: return f.template operator()<Dtype::d>();
    MLXK_CASE(bool_)
    MLXK_CASE(uint8)
    MLXK_CASE(uint16)
    MLXK_CASE(uint32)
    MLXK_CASE(uint64)
    MLXK_CASE(int8)
    MLXK_CASE(int16)
    MLXK_CASE(int32)
    MLXK_CASE(int64)
    MLXK_CASE(float16)
    MLXK_CASE(bfloat16)
    MLXK_CASE(float32)
    MLXK_CASE(float64)
    MLXK_CASE(complex64)
#undef MLXK_CASE
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
