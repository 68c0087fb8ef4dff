// Element types, their sizes and their promotion.
//
// The order is the promotion table's and the serialised form's: never reorder.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlxk {

enum class Dtype : uint8_t {
  bool_,
  uint8,
  uint16,
  uint32,
  uint64,
  int8,
  int16,
  int32,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
};

inline constexpr int dtype_count = 14;

constexpr size_t itemsize(Dtype dtype) {
  constexpr uint8_t sizes[dtype_count] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8};
  return sizes[static_cast<int>(dtype)];
}

constexpr bool is_unsigned(Dtype d) { return d >= Dtype::uint8 && d <= Dtype::uint64; }
constexpr bool is_signed_int(Dtype d) { return d >= Dtype::int8 && d <= Dtype::int64; }
constexpr bool is_integer(Dtype d) { return d >= Dtype::uint8 && d <= Dtype::int64; }
constexpr bool is_floating(Dtype d) { return d >= Dtype::float16 && d <= Dtype::float64; }
constexpr bool is_complex(Dtype d) { return d == Dtype::complex64; }
constexpr bool is_inexact(Dtype d) { return d >= Dtype::float16; }

// The type arithmetic is done in: float16 and bfloat16 are storage types of float32.
constexpr Dtype compute_dtype(Dtype d) {
  return d == Dtype::float16 || d == Dtype::bfloat16 ? Dtype::float32 : d;
}

const char* name(Dtype dtype);    // "float32", "bool", ... as MLX prints it
Dtype promote(Dtype a, Dtype b);  // MLX's table
bool parse_dtype(const char* text, Dtype* out);

}  // namespace mlxk
