// The multiplication at the heart of a convolution: some outputs times some filters, whose sums
// stay in registers while taps and channels go by.
#pragma once

#include "cpu/conv/region.h"

namespace {

constexpr int tile_pixels = 6;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_vectors = 4;  // 24 of 32 registers hold sums
#else
constexpr int tile_vectors = 2;  // 12 of 16
#endif
template <class T> constexpr int panel_width = tile_vectors * lanes<T>;  // filters

template <class T> struct Tile {
  const T* pixels[tile_pixels];  // where the walk begins
  T* sums[tile_pixels];          // rows of whole vectors
  const T* weights;              // (elements of the walk, filters of the panel)
  bool add;                      // to what the rows hold
};

template <class T, int R, int V> static void multiply(const Tile<T>& tile, const Walk& walk) {
  constexpr int width = lanes<T>;
  const T* weights = tile.weights;
  Vec<T> sums[R][V] = {};
  for (int64_t d = 0; d < walk.count[0]; ++d) {
    for (int64_t h = 0; h < walk.count[1]; ++h) {
      for (int64_t w = 0; w < walk.count[2]; ++w) {
        const int64_t at = d * walk.step[0] + h * walk.step[1] + w * walk.step[2];
        const T* from[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) from[r] = tile.pixels[r] + at;
        for (int64_t i = 0; i < walk.length; ++i) {
          Vec<T> factor[V];
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) factor[v] = load(weights + v * width);
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            const T x = from[r][i];
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) sums[r][v] += x * factor[v];
          }
          weights += V * width;
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      T* const to = tile.sums[r] + v * width;
      store(to, tile.add ? load(to) + sums[r][v] : sums[r][v]);
    }
  }
}

template <class T> using Multiply = void (*)(const Tile<T>&, const Walk&);

template <class T, int V> static Multiply<T> multiplier(int64_t rows) {
  switch (rows) {
    case 1: return multiply<T, 1, V>;
    case 2: return multiply<T, 2, V>;
    case 3: return multiply<T, 3, V>;
    case 4: return multiply<T, 4, V>;
    case 5: return multiply<T, 5, V>;
    default: return multiply<T, 6, V>;
  }
}

template <class T> static Multiply<T> multiplier(int64_t rows, int64_t columns) {
  switch (columns / lanes<T>) {
    case 1: return multiplier<T, 1>(rows);
    case 2: return multiplier<T, 2>(rows);
#if defined(__AVX512F__) || defined(__aarch64__)
    case 3: return multiplier<T, 3>(rows);
    case 4: return multiplier<T, 4>(rows);
#endif
    default: return nullptr;
  }
}

// ---- few filters --------------------------------------------------------------------------------

// Where there are fewer filters than a vector has lanes, vectors run along channels instead, and
// lanes are added up at the end. Weights are (tap, vector of channels, filter, channel of it).
constexpr int most_dots = 4;
template <int F> constexpr int dot_pixels = F < 3 ? tile_pixels : 12 / F;

template <class T, int F> static void multiply_dots(const Tile<T>& tile, const Walk& walk) {
  constexpr int R = dot_pixels<F>, width = lanes<T>;
  const T* weights = tile.weights;
  Vec<T> sums[R][F] = {};
  for (int64_t d = 0; d < walk.count[0]; ++d) {
    for (int64_t h = 0; h < walk.count[1]; ++h) {
      for (int64_t w = 0; w < walk.count[2]; ++w) {
        const int64_t at = d * walk.step[0] + h * walk.step[1] + w * walk.step[2];
        const T* from[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) from[r] = tile.pixels[r] + at;
        for (int64_t i = 0; i < walk.length; i += width) {
          Vec<T> factor[F];
#pragma GCC unroll 4
          for (int f = 0; f < F; ++f) factor[f] = load(weights + f * width);
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            const Vec<T> x = load(from[r] + i);
#pragma GCC unroll 4
            for (int f = 0; f < F; ++f) sums[r][f] += x * factor[f];
          }
          weights += F * width;
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int f = 0; f < F; ++f) {
      T total = 0;
      for (int i = 0; i < width; ++i) total += sums[r][f][i];
      tile.sums[r][f] = tile.add ? tile.sums[r][f] + total : total;
    }
  }
}

template <class T> struct Dots {
  int pixels;
  Multiply<T> multiply;
};
template <class T> static Dots<T> dots(int64_t filters) {
  switch (filters) {
    case 1: return {dot_pixels<1>, multiply_dots<T, 1>};
    case 2: return {dot_pixels<2>, multiply_dots<T, 2>};
    case 3: return {dot_pixels<3>, multiply_dots<T, 3>};
    default: return {dot_pixels<4>, multiply_dots<T, 4>};
  }
}

}  // namespace
