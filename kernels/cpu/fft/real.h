// Transforms of real numbers by complex ones of half the length n = 2h: even elements count as real
// parts, odd ones as imaginary parts. With Z the transform of those h numbers and w = exp(-2πi /
// n),
//   X[k] = E + w^k O,  X[h-k] = conj(E - w^k O),  E = (Z[k] + conj Z[h-k]) / 2,  O = (Z[k] - conj
//   Z[h-k]) / 2i.
#pragma once

#include "cpu/fft/line.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Pair {
  Row low, high;  // of k and h-k
};

// Z to X, twice as large.
MLXK_FN Pair unpack_pair(Row low, Row high, Row w) {
  high.im = -high.im;
  const Row even = low + high, odd = over_i(low - high) * w;
  const Row a = even + odd, b = even - odd;
  return {a, {b.re, -b.im}};
}
// X to Z, twice as large: what the unnormalised inverse needs.
MLXK_FN Pair pack_pair(Row low, Row high, Row w) {
  high.im = -high.im;
  const Row even = low + high, difference = low - high;
  const Row odd{w.im * difference.re - w.re * difference.im,  // i conj(w) times difference
                w.re * difference.re + w.im * difference.im};
  const Row a = even + odd, b = even - odd;
  return {a, {b.re, -b.im}};
}

// exp(-2πi (k + l) / 2h) in lane l.
MLXK_FN Row pair_roots(const Plan& plan, int64_t k) {
  const Root root = plan.roots.at(k);
  return times(load_row(plan.lane_roots), static_cast<float>(root.re), static_cast<float>(root.im));
}

// Runs body(k, count) over all k in [1, h/2], `count` of them together with their partners h-k:
// row_lanes, or 1 where fewer are left. Inner blocks may meet their partners, never those of other
// blocks.
template <class Body> static void for_pairs(int64_t h, bool shared, const Body& body) {
  const int64_t whole = (h - 1) / (2 * row_lanes);  // blocks that lie apart from their partners
  parallel_for(whole, shared ? 512 : whole + 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) body(1 + block * row_lanes, row_lanes);
  });
  int64_t k = 1 + whole * row_lanes;
  if (h - 2 * k + 1 >= row_lanes) {
    body(k, row_lanes);
  } else {
    for (; 2 * k <= h; ++k) body(k, 1);
  }
}

// out[0, h) holds Z; makes X of it in out[0, h], and the rest of the n numbers where `full`. Inner
// numbers, which stand for two of the n, leave times `inner`.
static void unpack_line(const Plan& plan, float* out, Finish outer, float inner, bool full) {
  const int64_t h = plan.length;
  const Finish finish{0.5f * outer.re * inner, 0.5f * outer.im * inner, outer.zero};
  const float first = out[0], second = out[1];
  for_pairs(h, h >= shared_length, [&](int64_t k, int64_t count) {
    float *low = out + 2 * k, *high = out + 2 * (h - k - count + 1);
    Row a = load_interleaved(low, count), b = load_interleaved(high, count);
    if (count > 1) b = reversed(b);
    Pair x = unpack_pair(a, b, pair_roots(plan, k));
    x = {finish.of(x.low), finish.of(x.high)};
    if (full) {
      Row c = scaled(x.low, 1, -1);
      if (count > 1) c = reversed(c);
      store_interleaved(out + 2 * (2 * h - k - count + 1), c, count);
      store_interleaved(out + 2 * (h + k), scaled(x.high, 1, -1), count);
    }
    if (count > 1) x.high = reversed(x.high);
    store_interleaved(low, x.low, count);
    store_interleaved(high, x.high, count);
  });
  out[0] = (first + second) * outer.re;
  out[1] = 0;
  out[2 * h] = (first - second) * outer.re;
  out[2 * h + 1] = 0;
}

// X in `in`, h + 1 numbers, to Z in `out`, h numbers elsewhere. Inner numbers enter times `inner`.
static void pack_line(const Plan& plan, const float* in, float inner, float* out) {
  const int64_t h = plan.length;
  out[0] = in[0] + in[2 * h];
  out[1] = in[0] - in[2 * h];
  for_pairs(h, h >= shared_length, [&](int64_t k, int64_t count) {
    const int64_t partner = h - k - count + 1;
    Row a = load_interleaved(in + 2 * k, count), b = load_interleaved(in + 2 * partner, count);
    if (count > 1) b = reversed(b);
    Pair z = pack_pair(a, b, pair_roots(plan, k));
    if (count > 1) z.high = reversed(z.high);
    store_interleaved(out + 2 * k, scaled(z.low, inner, inner), count);
    store_interleaved(out + 2 * partner, scaled(z.high, inner, inner), count);
  });
}

// The same on rows; place(k) is the row of k, and h the row of h.
template <class Place>
static void unpack_rows(const Plan& plan, float* rows, float inner, const Place& place) {
  const int64_t h = plan.length;
  const float half = 0.5f * inner;
  const Row first = load_row(rows + place(0) * row_floats);
  const Floats zero{};
  for (int64_t k = 1; 2 * k <= h; ++k) {
    float *low = rows + place(k) * row_floats, *high = rows + place(h - k) * row_floats;
    const Root root = plan.roots.at(k);
    const Row w{zero + static_cast<float>(root.re), zero + static_cast<float>(root.im)};
    const Pair x = unpack_pair(load_row(low), load_row(high), w);
    store_row(high, scaled(x.high, half, half));
    store_row(low, scaled(x.low, half, half));
  }
  store_row(rows + place(0) * row_floats, {first.re + first.im, zero});
  store_row(rows + h * row_floats, {first.re - first.im, zero});
}

// Leaves the conjugate of Z: the inverse is a transform between conjugates.
static void pack_rows(const Plan& plan, float* rows, float inner) {
  const int64_t h = plan.length;
  const Row first = load_row(rows), last = load_row(rows + h * row_floats);
  const Floats zero{};
  for (int64_t k = 1; 2 * k <= h; ++k) {
    float *low = rows + k * row_floats, *high = rows + (h - k) * row_floats;
    const Root root = plan.roots.at(k);
    const Row w{zero + static_cast<float>(root.re), zero + static_cast<float>(root.im)};
    const Pair z = pack_pair(load_row(low), load_row(high), w);
    store_row(high, scaled(z.high, inner, -inner));
    store_row(low, scaled(z.low, inner, -inner));
  }
  store_row(rows, {first.re + last.re, last.re - first.re});
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
