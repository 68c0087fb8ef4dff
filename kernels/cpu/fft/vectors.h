// Rows of complex numbers in two vectors, real and imaginary parts, and how they meet interleaved
// memory.
//
// Interleaved numbers are parted and joined with one shuffle a vector. That leaves the lanes in an
// order of its own: lane p holds element lane_element(p). Everything below keeps to that order, and
// where rows are transposed it costs nothing to undo.
#pragma once

#include <cstring>

#include "cpu/lanes.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int row_lanes = lanes<float>;
constexpr int64_t row_floats = 2 * row_lanes;  // of a row in memory: real parts, imaginary parts
using Floats = Vec<float>;

struct Row {
  Floats re, im;
};

MLXK_FN Row operator+(Row a, Row b) { return {a.re + b.re, a.im + b.im}; }
MLXK_FN Row operator-(Row a, Row b) { return {a.re - b.re, a.im - b.im}; }
MLXK_FN Row operator*(Row a, Row b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
MLXK_FN Row scaled(Row a, float re, float im) { return {a.re * re, a.im * im}; }
MLXK_FN Row times(Row a, float re, float im) {
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}
MLXK_FN Row over_i(Row a) { return {a.im, -a.re}; }  // a times -i

MLXK_FN Row load_row(const float* p) { return {load(p), load(p + row_lanes)}; }
MLXK_FN void store_row(float* p, Row x) {
  store(p, x.re);
  store(p + row_lanes, x.im);
}

// Within each 128 bits of a shuffle of two vectors, two lanes come from either.
constexpr int lane_element(int lane) {
  const int quad = lane / 4, at = lane % 4;
  return 2 * quad + (at < 2 ? at : row_lanes / 2 + at - 2);
}
constexpr int element_lane(int element) {
  for (int lane = 0; lane < row_lanes; ++lane) {
    if (lane_element(lane) == element) return lane;
  }
  return -1;
}

template <int (*index)(int)> MLXK_FN Floats shuffle(Floats a, Floats b) {
  return shuffled<float>(a, b, [](int lane) { return index(lane); });
}

constexpr int index_re(int lane) { return 2 * lane_element(lane); }
constexpr int index_im(int lane) { return 2 * lane_element(lane) + 1; }
constexpr int index_low(int at) { return element_lane(at / 2) + at % 2 * row_lanes; }
constexpr int index_high(int at) {
  return element_lane(row_lanes / 2 + at / 2) + at % 2 * row_lanes;
}
constexpr int index_ordered(int lane) { return lane_element(lane); }
constexpr int index_natural(int at) { return element_lane(at); }
constexpr int index_reversed(int lane) { return row_lanes - 1 - lane; }

// row_lanes interleaved numbers.
MLXK_FN Row load_interleaved(const float* p) {
  const Floats a = load(p), b = load(p + row_lanes);
  return {shuffle<index_re>(a, b), shuffle<index_im>(a, b)};
}
MLXK_FN void store_interleaved(float* p, Row x) {
  store(p, shuffle<index_low>(x.re, x.im));
  store(p + row_lanes, shuffle<index_high>(x.re, x.im));
}
// row_lanes real numbers, into the order of lanes and back.
MLXK_FN Floats load_ordered(const float* p) {
  const Floats a = load(p);
  return shuffle<index_ordered>(a, a);
}
MLXK_FN void store_ordered(float* p, Floats x) { store(p, shuffle<index_natural>(x, x)); }
// The elements in opposite order; the order of lanes is symmetric.
MLXK_FN Row reversed(Row x) {
  return {shuffle<index_reversed>(x.re, x.re), shuffle<index_reversed>(x.im, x.im)};
}

// The same for the first `count` numbers only; missing ones are zero.
MLXK_FN Row load_interleaved(const float* p, int64_t count) {
  if (count >= row_lanes) return load_interleaved(p);
  float whole[row_floats] = {};
  memcpy(whole, p, sizeof(float) * 2 * static_cast<size_t>(count));
  return load_interleaved(whole);
}
MLXK_FN void store_interleaved(float* p, Row x, int64_t count) {
  if (count >= row_lanes) return store_interleaved(p, x);
  float whole[row_floats];
  store_interleaved(whole, x);
  memcpy(p, whole, sizeof(float) * 2 * static_cast<size_t>(count));
}

// ---- transposition ------------------------------------------------------------------------------

constexpr int index_unpack_low(int i) { return i / 4 * 4 + i % 4 / 2 + i % 2 * row_lanes; }
constexpr int index_unpack_high(int i) { return index_unpack_low(i) + 2; }
constexpr int index_pairs_low(int i) { return i / 4 * 4 + i % 2 + i % 4 / 2 * row_lanes; }
constexpr int index_pairs_high(int i) { return index_pairs_low(i) + 2; }
// Quads (128 bits): the even or the odd ones of a, then those of b.
constexpr int index_even_quads(int i) {
  return i / (row_lanes / 2) * row_lanes + i % (row_lanes / 2) / 4 * 8 + i % 4;
}
constexpr int index_odd_quads(int i) { return index_even_quads(i) + 4; }

// Lane j of x[i] and lane i of x[j] change places.
MLXK_FN void transpose(Floats (&x)[row_lanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < row_lanes; i += 4) {  // 4 x 4 within each quad
    const Floats a = shuffle<index_unpack_low>(x[i], x[i + 1]);
    const Floats b = shuffle<index_unpack_high>(x[i], x[i + 1]);
    const Floats c = shuffle<index_unpack_low>(x[i + 2], x[i + 3]);
    const Floats d = shuffle<index_unpack_high>(x[i + 2], x[i + 3]);
    x[i] = shuffle<index_pairs_low>(a, c);
    x[i + 1] = shuffle<index_pairs_high>(a, c);
    x[i + 2] = shuffle<index_pairs_low>(b, d);
    x[i + 3] = shuffle<index_pairs_high>(b, d);
  }
  if constexpr (row_lanes == 8) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Floats a = shuffle<index_even_quads>(x[i], x[i + 4]);
      x[i + 4] = shuffle<index_odd_quads>(x[i], x[i + 4]);
      x[i] = a;
    }
  } else if constexpr (row_lanes == 16) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Floats a = shuffle<index_even_quads>(x[i], x[i + 4]);
      const Floats b = shuffle<index_odd_quads>(x[i], x[i + 4]);
      const Floats c = shuffle<index_even_quads>(x[i + 8], x[i + 12]);
      const Floats d = shuffle<index_odd_quads>(x[i + 8], x[i + 12]);
      x[i] = shuffle<index_even_quads>(a, c);
      x[i + 8] = shuffle<index_odd_quads>(a, c);
      x[i + 4] = shuffle<index_even_quads>(b, d);
      x[i + 12] = shuffle<index_odd_quads>(b, d);
    }
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
