#include "mlxk/dtype.h"

#include <cstring>

namespace mlxk {

namespace {

constexpr const char* names[dtype_count] = {"bool",     "uint8",   "uint16",  "uint32",   "uint64",
                                            "int8",     "int16",   "int32",   "int64",    "float16",
                                            "bfloat16", "float32", "float64", "complex64"};

// MLX's rules: bool gives way to all; integers of one sign class take the wider; mixed ones the
// next wider signed type, and float32 where none is left; float16 with bfloat16 is float32;
// complex64 wins over all, float64 included.
constexpr Dtype promoted(Dtype a, Dtype b) {
  if (a == b) return a;
  if (a > b) return promoted(b, a);
  if (a == Dtype::bool_) return b;
  if (b == Dtype::complex64) return b;
  if (is_floating(b)) {
    if (is_integer(a)) return b;
    if (a == Dtype::float16 && b == Dtype::bfloat16) return Dtype::float32;
    return b;
  }
  const size_t wide_a = itemsize(a);
  const size_t wide_b = itemsize(b);
  if (is_unsigned(a) == is_unsigned(b)) return wide_a > wide_b ? a : b;
  // a is unsigned, b signed.
  if (wide_b > wide_a) return b;
  switch (wide_a) {
    case 1: return Dtype::int16;
    case 2: return Dtype::int32;
    case 4: return Dtype::int64;
    default: return Dtype::float32;
  }
}

struct Table {
  Dtype entries[dtype_count][dtype_count];
  constexpr Table() : entries() {
    for (int a = 0; a < dtype_count; ++a) {
      for (int b = 0; b < dtype_count; ++b) {
        entries[a][b] = promoted(static_cast<Dtype>(a), static_cast<Dtype>(b));
      }
    }
  }
};
constexpr Table table;

}  // namespace

const char* name(Dtype dtype) { return names[static_cast<int>(dtype)]; }

Dtype promote(Dtype a, Dtype b) { return table.entries[static_cast<int>(a)][static_cast<int>(b)]; }

bool parse_dtype(const char* text, Dtype* out) {
  if (std::strcmp(text, "bool_") == 0) text = "bool";
  for (int i = 0; i < dtype_count; ++i) {
    if (std::strcmp(text, names[i]) == 0) {
      *out = static_cast<Dtype>(i);
      return true;
    }
  }
  return false;
}

}  // namespace mlxk
