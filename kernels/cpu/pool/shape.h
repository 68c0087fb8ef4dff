// The geometry of pooling: which elements a window sees, and which windows see an element.
//
// Images are (batch, depth, height, width, channels); 1-d and 2-d ones have leading spatial axes of
// one element. Nothing is padded in memory: spans end where the image ends.
#pragma once

#include "cpu/integers.h"
#include "cpu/lanes.h"

namespace {

using mlxk::KernelCall;

struct Span {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
MLXK_FN int64_t volume(const Span* spans) {
  return spans[0].size() * spans[1].size() * spans[2].size();
}

// body(i) for i in [0, n); the windows that are met most are two or three elements wide.
template <class Body> MLXK_FN void repeat(int64_t n, const Body& body) {
  if (n == 3) {
    body(0);
    body(1);
    body(2);
  } else if (n == 2) {
    body(0);
    body(1);
  } else {
    for (int64_t i = 0; i < n; ++i) body(i);
  }
}

struct Axis {
  int64_t in = 1, out = 1, window = 1, stride = 1, low = 0;

  // Division by one or two is cheaper if it is known.
  int64_t steps(int64_t n) const { return stride == 1 ? n : stride == 2 ? n / 2 : n / stride; }

  // The inputs that output `at` sees.
  Span seen(int64_t at) const {
    const int64_t first = at * stride - low, begin = smaller(larger(first, 0), in);
    return {begin, larger(begin, smaller(first + window, in))};
  }
  // The outputs that see input `at`.
  Span seeing(int64_t at) const {
    const int64_t first = at + low - window + 1;
    const int64_t begin = smaller(first > 0 ? steps(first + stride - 1) : 0, out);
    return {begin, larger(begin, smaller(steps(at + low) + 1, out))};
  }
};

// An image; channels are side by side. Strides in elements.
template <class S> struct Image {
  S* data;
  int64_t outer, strides[3] = {};

  explicit Image(const Tensor& t) : data(static_cast<S*>(t.data)), outer(t.strides[0]) {
    const int spatial = t.ndim - 2;
    for (int i = 0; i < spatial; ++i) strides[3 - spatial + i] = t.strides[1 + i];
  }
  Image(S* first, int64_t rows, int64_t columns, int64_t channels)
      : data(first), outer(0), strides{rows * columns * channels, columns * channels, channels} {}
  // The same of numbers of two elements, seen as elements.
  Image doubled() const {
    Image image = *this;
    image.outer *= 2;
    for (int64_t& stride : image.strides) stride *= 2;
    return image;
  }
  S* at(int64_t n, int64_t d, int64_t h, int64_t w) const {
    return data + n * outer + d * strides[0] + h * strides[1] + w * strides[2];
  }
};

struct Problem {
  int64_t batch, channels;
  Axis axes[3];

  // Elements of a window, what is padding included; there may be more than an int64 counts.
  double window() const {
    double all = 1;
    for (const Axis& a : axes) all *= static_cast<double>(a.window);
    return all;
  }
  // At most so many are inside of the image.
  int64_t most_seen() const {
    int64_t all = 1;
    for (const Axis& a : axes) all *= smaller(a.window, a.in);
    return all;
  }
};

// Whether no element is seen by two windows; whether each is seen by one.
static __attribute__((unused)) bool is_disjoint(const Problem& p) {
  for (const Axis& a : p.axes) {
    if (a.stride < a.window) return false;
  }
  return true;
}
static __attribute__((unused)) bool is_tiled(const Problem& p) {
  for (const Axis& a : p.axes) {
    if (a.stride != a.window || a.low || a.in != a.out * a.window) return false;
  }
  return true;
}

// params: window, strides, padding of every spatial axis. `in` is on the side of what is pooled.
static __attribute__((noinline)) Problem read_problem(const KernelCall& call, const Tensor& in,
                                                      const Tensor& out) {
  const mlxk::Params& params = *call.params;
  const int spatial = in.ndim - 2;
  Problem p{in.shape[0], in.shape[in.ndim - 1], {}};
  for (int i = 0; i < spatial; ++i) {
    const auto index = static_cast<size_t>(i);
    p.axes[3 - spatial + i] = {in.shape[1 + i], out.shape[1 + i], params[0].dims()[index],
                               params[1].dims()[index], params[2].dims()[index]};
  }
  return p;
}

// ---- channels -----------------------------------------------------------------------------------

// A vector of T, or one T; elements of S in memory.
template <class S, class T> struct Many {
  using V = Vec<T>;
  static constexpr int64_t count = lanes<T>;
  static MLXK_MEMBER V load(const S* p) { return load_as(p); }
  static MLXK_MEMBER void store(S* p, V v) { store_as(p, v); }
};
template <class S, class T> struct One {
  using V = T;
  static constexpr int64_t count = 1;
  static MLXK_MEMBER V load(const S* p) { return widen<T>(*p); }
  static MLXK_MEMBER void store(S* p, V v) { *p = narrow<S>(v); }
};
// Complex numbers stand alone.
template <class S> struct Many<S, ms::complex64> : One<S, ms::complex64> {};

// What is pooled most takes four vectors at a time and has a way of its own for few channels and
// for small windows; elsewhere the plain way is enough, and a third of the code.
template <class S> constexpr bool wide = false;
template <> constexpr bool wide<float> = true;
template <> constexpr bool wide<f16_bits> = true;
template <> constexpr bool wide<bf16_bits> = true;

}  // namespace
