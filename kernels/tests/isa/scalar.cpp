// Compiled once per instruction set, as a kernel stem is: see scalar.h.
#include "scalar.h"

#include "scalar/formulas.h"

namespace scalar_test::MLXK_ISA {
const Suite& suite();
}

// What is no formula by itself, dressed as one; integers come out as the bits of a float.
namespace mlxk_scalar {

#define CONVERSION(name, expression)                                             \
  struct op_##name {                                                             \
    template <class F> static MLXK_MEMBER auto apply(F x) { return expression; } \
  };
CONVERSION(exp_of_nonpositive, exp_of_nonpositive(-magnitude(x)))
CONVERSION(round_f16, round_f16(x))
CONVERSION(round_bf16, round_bf16(x))
CONVERSION(through_f16, f16_to_float<F>(float_to_f16(x)))
CONVERSION(through_bf16, bf16_to_float<F>(float_to_bf16(x)))
CONVERSION(signed_bits, from_bits<F>(float_to_signed(x)))
CONVERSION(unsigned_bits, from_bits<F>((int_t<F>)float_to_unsigned(x)))

}  // namespace mlxk_scalar

namespace {

using namespace mlxk_scalar;
using scalar_test::Entry;

#if defined(__AVX512F__)
constexpr int register_bytes = 64;
#elif defined(__AVX2__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif

// The vector of a compute type, and how it is read from and written to arrays.
template <class T> struct Packed {
  using vector = typename vector_of<T, register_bytes / sizeof(T)>::type;
  static constexpr int lanes = register_bytes / sizeof(T);
  static vector load(const T* p) {
    vector v;
    for (int i = 0; i < lanes; i++) v[i] = p[i];
    return v;
  }
};
template <> struct Packed<bool> {
  using vector = typename vector_of<char, register_bytes>::type;
  static constexpr int lanes = register_bytes;
  static vector load(const bool* p) {
    vector v;
    for (int i = 0; i < lanes; i++) v[i] = p[i];
    return v;
  }
};
template <> struct Packed<complex64> {
  using real = typename vector_of<float, register_bytes / 4>::type;
  using vector = complex_of<real>;
  static constexpr int lanes = register_bytes / 4;
  static vector load(const complex64* p) {
    vector v;
    for (int i = 0; i < lanes; i++) {
      v.re[i] = p[i].re;
      v.im[i] = p[i].im;
    }
    return v;
  }
};

template <class T, class V> T lane_of(V v, int i) { return static_cast<T>(v[i]); }
template <class T, class V> complex64 lane_of(complex_of<V> v, int i) {
  return make_complex<float>(v.re[i], v.im[i]);
}
template <bool mask> struct Result;
template <> struct Result<true> {  // a comparison: anything that is not zero is true
  template <class V> static void store(V v, int lanes, bool* out) {
    for (int i = 0; i < lanes; i++) out[i] = v[i] != 0;
  }
  static void store_one(bool v, bool* out) { *out = v; }
};
template <> struct Result<false> {
  template <class V, class R> static void store(V v, int lanes, R* out) {
    for (int i = 0; i < lanes; i++) out[i] = lane_of<R>(v, i);
  }
  template <class R> static void store_one(R v, R* out) { *out = v; }
};
constexpr bool is_mask(const char* result) { return result[0] == 'b'; }
constexpr bool is_real(const char* result) { return result[0] == 'r'; }
template <class T, int kind> struct Out {
  using type = T;
};
template <class T> struct Out<T, 1> {
  using type = bool;
};
template <class T> struct Out<T, 2> {
  using type = real_of<T>;
};

template <class Op, class T, int kind, int arity>
void scalar_loop(const void* x, const void* y, const void* z, void* out, size_t n) {
  using R = typename Out<T, kind>::type;
  const T *a = static_cast<const T*>(x), *b = static_cast<const T*>(y),
          *c = static_cast<const T*>(z);
  R* r = static_cast<R*>(out);
  for (size_t i = 0; i < n; i++) {
    if constexpr (arity == 1) r[i] = static_cast<R>(Op::apply(a[i]));
    if constexpr (arity == 2) r[i] = static_cast<R>(Op::apply(a[i], b[i]));
    if constexpr (arity == 3) r[i] = static_cast<R>(Op::apply(a[i], b[i], c[i]));
  }
}
template <class Op, class T, int kind, int arity>
void vector_loop(const void* x, const void* y, const void* z, void* out, size_t n) {
  using R = typename Out<T, kind>::type;
  using P = Packed<T>;
  const T *a = static_cast<const T*>(x), *b = static_cast<const T*>(y),
          *c = static_cast<const T*>(z);
  R* r = static_cast<R*>(out);
  for (size_t i = 0; i < n; i += P::lanes) {
    if constexpr (arity == 1) Result<kind == 1>::store(Op::apply(P::load(a + i)), P::lanes, r + i);
    if constexpr (arity == 2)
      Result<kind == 1>::store(Op::apply(P::load(a + i), P::load(b + i)), P::lanes, r + i);
    if constexpr (arity == 3)
      Result<kind == 1>::store(Op::apply(P::load(a + i), P::load(b + i), P::load(c + i)), P::lanes,
                               r + i);
  }
}

constexpr int kind_of(const char* result) { return is_mask(result) ? 1 : is_real(result) ? 2 : 0; }

#define ENTRY(T, dtype, op, result, arity)           \
  {#op,                                              \
   #dtype,                                           \
   #result,                                          \
   arity,                                            \
   scalar_loop<op_##op, T, kind_of(#result), arity>, \
   vector_loop<op_##op, T, kind_of(#result), arity>},
constexpr Entry entries[] = {
#define MLXK_UNARY(name, classes, result, expression) MLXK_FOR_##classes(ENTRY, name, result, 1)
#include "scalar/unary.def"
#undef MLXK_UNARY
#define MLXK_BINARY(name, classes, result, expression) MLXK_FOR_##classes(ENTRY, name, result, 2)
#include "scalar/binary.def"
#undef MLXK_BINARY
    MLXK_FOR_BIUFC(ENTRY, clip, same, 3)
#define BOTH(op) ENTRY(float, float32, op, same, 1) ENTRY(double, float64, op, same, 1)
#define FLOAT(op) ENTRY(float, float32, op, same, 1)
        BOTH(exp_of_nonpositive) BOTH(signed_bits) BOTH(unsigned_bits) FLOAT(round_f16)
            FLOAT(round_bf16) FLOAT(through_f16) FLOAT(through_bf16)};
#undef BOTH
#undef FLOAT

#define MLXK_ISA_QUOTED(isa) #isa
#define MLXK_ISA_TEXT(isa) MLXK_ISA_QUOTED(isa)
constexpr scalar_test::Suite this_suite = {MLXK_ISA_TEXT(MLXK_ISA), entries,
                                           sizeof(entries) / sizeof(entries[0])};

}  // namespace

const scalar_test::Suite& scalar_test::MLXK_ISA::suite() { return this_suite; }
