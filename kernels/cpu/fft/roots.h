// Roots of unity, exp(-2πi e / N), from two tables of about sqrt(N) numbers in double precision.
#pragma once

#include <math.h>

#include "cpu/fft/vectors.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Root {
  double re, im;
};

struct Roots {
  int64_t order, step;  // a root is coarse[e / step] * fine[e % step]
  int shift;            // step = 1 << shift
  Root *coarse, *fine;

  // 0 <= e < order
  MLXK_MEMBER Root at(int64_t e) const {
    const Root a = coarse[e >> shift], b = fine[e & (step - 1)];
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

// exp(-2πi e / order), by an angle of at most an eighth of the circle.
static Root exact_root(int64_t e, int64_t order) {
  const int64_t eighth = 8 * e / order;  // octant
  // Angle as a fraction of a quarter turn counted from the nearest axis: exact until here.
  const int64_t quarter = (eighth + 1) / 2;
  const int64_t rest = 4 * e - quarter * order;  // of 4 * order: e = quarter / 4 + rest / (4 order)
  const double angle =
      1.57079632679489661923 * static_cast<double>(rest) / static_cast<double>(order);
  const double c = cos(angle), s = -sin(angle);
  switch (quarter & 3) {  // times (-i)^quarter
    case 0: return {c, s};
    case 1: return {s, -c};
    case 2: return {-c, -s};
    default: return {-s, c};
  }
}

static int roots_shift(int64_t order) {
  int shift = 0;
  while ((int64_t{1} << (2 * shift)) < order) ++shift;
  return shift;
}

template <class Arena> static Roots make_roots(int64_t order, Arena& arena) {
  const int shift = roots_shift(order);
  const int64_t step = int64_t{1} << shift, coarse = (order >> shift) + 1;
  Roots roots{order, step, shift, nullptr, nullptr};
  roots.coarse = arena.template take<Root>(coarse);
  roots.fine = arena.template take<Root>(step);
  if (!arena.writes()) return roots;
  for (int64_t i = 0; i < coarse; ++i) roots.coarse[i] = exact_root((i << shift) % order, order);
  for (int64_t i = 0; i < step; ++i) roots.fine[i] = exact_root(i % order, order);
  return roots;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
