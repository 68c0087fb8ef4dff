// The tiles of AMX: tdpbf16ps multiplies a tile register of 16 rows x 32 elements with one of 32
// elements x 16 columns, both in pairs along k, and treats denormals as zero. A float16 is the sum
// of two bfloat16, of its first eight bits and of the other three; four products make one of
// float16.
#pragma once

#include <immintrin.h>

#include "cpu/matmul/pairs.h"
#include "cpu/matmul/panels.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What ldtilecfg reads: all eight registers hold 16 rows of 64 bytes.
struct alignas(64) Registers {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr Registers registers_of_all;

// Sums of 32 x 32 in the registers 0 to 3, which registers 4 and 5 of a and 6 and 7 of b fill.
struct Sums : PairTile {
  static constexpr int side = 16;  // rows, units and columns of a register
  static constexpr int run = side;
  static constexpr int rows = 2 * side, cols = 2 * side;
  static constexpr int64_t low_rows = 512, low_bytes = 8 << 20;
  static constexpr int row_bytes = cols * sizeof(float), lower = side * cols;

  struct Scope {
    Scope() { _tile_loadconfig(&registers_of_all); }
    ~Scope() { _tile_release(); }
  };

  static void begin(bool first, const float* tile) {
    asm volatile("" ::: "memory");  // what was packed is in memory: g++'s loads do not say
    if (first) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else {
      _tile_loadd(0, tile, row_bytes);
      _tile_loadd(1, tile + side, row_bytes);
      _tile_loadd(2, tile + lower, row_bytes);
      _tile_loadd(3, tile + lower + side, row_bytes);
    }
  }
  static void end(float* tile) {
    _tile_stored(0, tile, row_bytes);
    _tile_stored(1, tile + side, row_bytes);
    _tile_stored(2, tile + lower, row_bytes);
    _tile_stored(3, tile + lower + side, row_bytes);
  }
};

struct BFloat16Tile : Sums {
  template <int> using Level = PairTile;
  static constexpr int64_t depth = 512, most_panels = 8, block_size = 4 << 20;
  // Bytes that a step asks L2 for, of b and of the sums: what it needs a panel later.
  static constexpr int prefetched = cols * side * sizeof(Unit) / most_panels;

  static void multiply(int64_t units, const Unit* a, const Unit* b, bool first, float* tile,
                       const Ahead& ahead) {
    begin(first, tile);
    const char *next_b = ahead.b, *next_tile = ahead.tile;
    for (int64_t u = 0; u < units; u += side) {
      for (int i = 0; i < prefetched; i += 64) {
        __builtin_prefetch(next_b + i, 0, 2);
        __builtin_prefetch(next_tile + i, 1, 2);
      }
      next_b += prefetched;
      next_tile += prefetched;
      // b's panel stays in L1, a's pass it by.
      _tile_stream_loadd(4, a, side * sizeof(Unit));
      _tile_loadd(6, b, cols * sizeof(Unit));
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, b + side, cols * sizeof(Unit));
      _tile_dpbf16ps(1, 4, 7);
      _tile_stream_loadd(5, a + side * side, side * sizeof(Unit));
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      a += rows * side;
      b += cols * side;
    }
    end(tile);
  }
};

// One of the two parts of float16 numbers: their first eight bits, or the rest. Of what is no
// finite number the rest is NaN, and so is every sum that it is part of.
template <int part> struct Float16Part : PairTile {
  static constexpr int levels = 2, group = 16;
  using Bits = Vec<uint32_t>;

  // In the upper half of each lane.
  template <class F, class B> static B upper(F x) {
    const B first = bits<B>(x) & 0xffff0000u;
    return part == 0 ? first : bits<B>(x - bits<F>(first));
  }
  template <class To, class From> static To bits(const From& from) {
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
  }
  static uint32_t one(const uint16_t* p) {
    return upper<float, uint32_t>(widen<float>(f16_bits{*p}));
  }
  static Bits some(const uint16_t* p) {
    return upper<vec, Bits>(load_as(reinterpret_cast<const f16_bits*>(p)));
  }

  static Unit pack(const uint16_t* p, int64_t stride) { return one(p) >> 16 | one(p + stride); }
  static Unit pack_last(const uint16_t* p) { return one(p) >> 16; }
  static Vec<Unit> load_units(const uint16_t* p) {
    const Bits low = some(p), high = some(p + lanes);
    const Bits even = shuffled<uint32_t>(low, high, [](int k) { return 2 * k; });
    const Bits odd = shuffled<uint32_t>(low, high, [](int k) { return 2 * k + 1; });
    return even >> 16 | odd;
  }
  template <int width> static void pack_across(const uint16_t* p, int64_t stride, Unit* out) {
    static_assert(width % lanes == 0);
    for (int line = 0; line < width; line += lanes)
      ::store(out + line, some(p + line) >> 16 | some(p + stride + line));
  }
};

struct Float16Tile : Sums {
  template <int i> using Level = Float16Part<i>;
  static constexpr int levels = 2, group = side;
  static constexpr int64_t depth = 1024, most_panels = 8, block_size = 4 << 20;
  static constexpr int level_size = group * rows;  // units
  static_assert(rows == cols);

  static void load_a(const Unit* a) {
    _tile_loadd(4, a, side * sizeof(Unit));
    _tile_loadd(5, a + side * side, side * sizeof(Unit));
  }
  static void load_b(const Unit* b) {
    _tile_loadd(6, b, cols * sizeof(Unit));
    _tile_loadd(7, b + side, cols * sizeof(Unit));
  }
  static void add_products() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }

  static void multiply(int64_t units, const Unit* a, const Unit* b, bool first, float* tile,
                       const Ahead&) {
    alignas(64) float sums[rows * cols];
    begin(first, tile);
    for (int64_t at = 0; at < units * rows; at += 2 * level_size) {
      load_a(a + at);
      load_b(b + at);
      add_products();
      load_b(b + at + level_size);
      add_products();
      load_a(a + at + level_size);
      add_products();
      load_b(b + at);
      add_products();
    }
    end(sums);
    if (!all_finite(sums)) return multiply_any(units, a, b, first, tile);
    for (int i = 0; i < rows * cols; i += lanes) ::store(tile + i, ::load(sums + i));
  }

  static bool all_finite(const float* sums) {
    vec none{};
    for (int i = 0; i < rows * cols; i += lanes) none += ::load(sums + i) * 0.0f;
    return sum_lanes<float>(none) == 0;
  }

  // The first or the second elements of pairs whose parts are these.
  template <class F, class B> static F elements(B first, B rest, bool second) {
    const auto of = [&](B pairs) {
      return Float16Part<0>::bits<F, B>(second ? pairs & 0xffff0000u : pairs << 16);
    };
    const F x = of(first), y = of(rest);
    return y != y ? x : x + y;
  }
  // The same for numbers of any kind, with float32's products.
  static void multiply_any(int64_t units, const Unit* a, const Unit* b, bool first, float* tile) {
    if (first) memset(tile, 0, sizeof(float) * rows * cols);
    for (int64_t at = 0; at < units * rows; at += 2 * level_size) {
      for (int k = 0; k < 2 * group; ++k) {
        const Unit *const of_a = a + at + k / 2, *const of_b = b + at + k / 2 * cols;
        vec right[2];
        for (int i = 0; i < 2; ++i) {
          right[i] =
              elements<vec>(::load(of_b + i * lanes), ::load(of_b + level_size + i * lanes), k % 2);
        }
        for (int row = 0; row < rows; ++row) {
          const float left =
              elements<float>(of_a[row * side], of_a[level_size + row * side], k % 2);
          for (int i = 0; i < 2; ++i) {
            float* const sum = tile + row * cols + i * lanes;
            ::store(sum, ::load(sum) + left * right[i]);
          }
        }
      }
    }
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
