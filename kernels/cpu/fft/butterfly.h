// Discrete Fourier transforms of a few rows held in registers: X_j = Σ_k x_k exp(-2πi jk / n).
#pragma once

#include "cpu/fft/vectors.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr double pi = 3.14159265358979323846;

// Taylor series: for angles of at most π, to double precision.
constexpr double cosine(double x) {
  double sum = 0, term = 1;
  for (int i = 1; i < 40; i += 2) {
    sum += term;
    term *= -x * x / (i * (i + 1));
  }
  return sum;
}
constexpr double sine(double x) { return cosine(pi / 2 - x); }

MLXK_FN void dft2(Row& a, Row& b) {
  const Row t = a - b;
  a = a + b;
  b = t;
}

MLXK_FN void dft3(Row& a, Row& b, Row& c) {
  constexpr float s = static_cast<float>(sine(pi / 3));
  const Row sum = b + c, difference = over_i(scaled(b - c, s, s));
  const Row middle{a.re - 0.5f * sum.re, a.im - 0.5f * sum.im};
  a = a + sum;
  b = middle + difference;
  c = middle - difference;
}

MLXK_FN void dft4(Row& a, Row& b, Row& c, Row& d) {
  const Row s = a + c, t = a - c, u = b + d, v = over_i(b - d);
  a = s + u;
  b = t + v;
  c = s - u;
  d = t - v;
}

// cos and sin of 2πi / n, computed by the compiler.
template <int n> struct Circle {
  float c[n], s[n];
  constexpr Circle() : c(), s() {
    for (int i = 0; i < n; ++i) {
      const bool upper = 2 * i <= n;
      const double angle = 2 * pi * (upper ? i : n - i) / n;
      c[i] = static_cast<float>(cosine(angle));
      s[i] = static_cast<float>(upper ? sine(angle) : -sine(angle));
    }
  }
};

// The sums of an odd transform: x_k + x_(n-k) and x_k - x_(n-k) enter with cosines and sines.
template <int n> MLXK_FN void dft_odd(Row (&x)[n]) {
  constexpr int half = n / 2;
  constexpr Circle<n> circle;
  Row sum[half + 1], difference[half + 1], total = x[0];
#pragma GCC unroll 16
  for (int k = 1; k <= half; ++k) {
    sum[k] = x[k] + x[n - k];
    difference[k] = x[k] - x[n - k];
    total = total + sum[k];
  }
#pragma GCC unroll 16
  for (int j = 1; j <= half; ++j) {
    Row even = x[0], odd{};
#pragma GCC unroll 16
    for (int k = 1; k <= half; ++k) {
      const float c = circle.c[j * k % n], s = circle.s[j * k % n];
      even = {even.re + c * sum[k].re, even.im + c * sum[k].im};
      odd = k == 1 ? Row{s * difference[k].im, -s * difference[k].re}
                   : Row{odd.re + s * difference[k].im, odd.im - s * difference[k].re};
    }
    x[j] = even + odd;
    x[n - j] = even - odd;
  }
  x[0] = total;
}

template <int n> MLXK_FN void dft(Row (&x)[n]) {
  if constexpr (n == 2) {
    dft2(x[0], x[1]);
  } else if constexpr (n == 3) {
    dft3(x[0], x[1], x[2]);
  } else if constexpr (n == 4) {
    dft4(x[0], x[1], x[2], x[3]);
  } else if constexpr (n == 8) {
    constexpr float h = 0.70710678118654752440f;
    dft4(x[0], x[2], x[4], x[6]);
    dft4(x[1], x[3], x[5], x[7]);
    const Row a = x[1], b = x[3], d = x[7];
    const Row b1{h * (b.re + b.im), h * (b.im - b.re)};   // times exp(-πi/4)
    const Row d1{h * (d.im - d.re), -h * (d.re + d.im)};  // times exp(-3πi/4)
    const Row c1 = over_i(x[5]);
    const Row e0 = x[0], e1 = x[2], e2 = x[4], e3 = x[6];
    x[0] = e0 + a;
    x[4] = e0 - a;
    x[1] = e1 + b1;
    x[5] = e1 - b1;
    x[2] = e2 + c1;
    x[6] = e2 - c1;
    x[3] = e3 + d1;
    x[7] = e3 - d1;
  } else if constexpr (n == 16) {
    constexpr Circle<16> circle;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) dft4(x[i], x[i + 4], x[i + 8], x[i + 12]);
#pragma GCC unroll 4
    for (int j = 1; j < 4; ++j) {
#pragma GCC unroll 4
      for (int i = 1; i < 4; ++i) {
        x[4 * j + i] = times(x[4 * j + i], circle.c[i * j], -circle.s[i * j]);
      }
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) dft4(x[4 * j], x[4 * j + 1], x[4 * j + 2], x[4 * j + 3]);
    Row y[16];  // frequency j + 4 i lies at 4 j + i
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) y[i] = x[4 * (i % 4) + i / 4];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) x[i] = y[i];
  } else {
    dft_odd<n>(x);
  }
}

// An odd radix known only when it runs; c and s are tables of n cosines and sines.
constexpr int max_radix = 61;
MLXK_FN void dft_odd(Row* x, int n, const float* c, const float* s) {
  const int half = n / 2;
  Row sum[max_radix / 2 + 1], difference[max_radix / 2 + 1], total = x[0];
  for (int k = 1; k <= half; ++k) {
    sum[k] = x[k] + x[n - k];
    difference[k] = x[k] - x[n - k];
    total = total + sum[k];
  }
  for (int j = 1; j <= half; ++j) {
    Row even = x[0], odd{};
    int at = 0;
    for (int k = 1; k <= half; ++k) {
      at += j;
      if (at >= n) at -= n;
      even = {even.re + c[at] * sum[k].re, even.im + c[at] * sum[k].im};
      odd = {odd.re + s[at] * difference[k].im, odd.im - s[at] * difference[k].re};
    }
    x[j] = even + odd;
    x[n - j] = even - odd;
  }
  x[0] = total;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
