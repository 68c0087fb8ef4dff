// Transforms of row_lanes columns at once: `length` rows of vectors, in place, decimated in
// frequency.
//
// Every level cuts each block of rows into `radix` smaller ones, after butterflies over rows that
// lie `span` apart. What comes out is in the order of reversed digits: `order` and `place` tell
// which frequency lies in a row and back. Nobody moves rows for that: whoever stores or reads the
// result goes through these tables.
#pragma once

#include "cpu/fft/butterfly.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Level;

// Rows of interleaved numbers: `stride` floats from row to row; imaginary parts times sign.
struct Source {
  const float* base;
  int64_t stride;
  float sign;
};
// What results are multiplied with. The inverse is a transform between conjugates, which would turn
// zeros into negative ones: adding a zero turns them back, adding a negative one changes nothing.
struct Finish {
  float re, im, zero;
  MLXK_MEMBER Row of(Row x) const { return {x.re * re, x.im * im + zero}; }
};
static Finish finish_of(float sign, float scale) {
  return {scale, scale * sign, sign < 0 ? 0.0f : -0.0f};
}
// Where such rows go.
struct Sink {
  float* base;
  int64_t stride;
  Finish finish;
};

// The passes over one level, one set a radix.
struct Passes {
  void (*first)(const Level& level, const Source& source, float* rows);
  void (*middle)(const Level& level, int64_t blocks, float* rows);
  void (*last)(const Level& level, int64_t blocks, float* rows);  // span 1
  void (*out)(const Level& level, int64_t blocks, const float* rows, const int32_t* order,
              const Sink& sink);
};

struct Level {
  const Passes* passes;
  int radix;
  int64_t span;
  const float* twiddles;         // (span, radix - 1) numbers: exp(-2πi p j / (radix span))
  const float *cosines, *sines;  // of the generic radix
};

constexpr int max_levels = 32;

struct Columns {
  int64_t length;
  int count;
  Level levels[max_levels];
  int32_t *order, *place;
};

// ---- one pass -----------------------------------------------------------------------------------

struct RowsInPlace {
  float* rows;
  MLXK_MEMBER Row get(int64_t row) const { return load_row(rows + row * row_floats); }
  MLXK_MEMBER void put(int64_t row, Row x) const { store_row(rows + row * row_floats, x); }
};
struct RowsFrom {
  Source source;
  MLXK_MEMBER Row get(int64_t row) const {
    const Row x = load_interleaved(source.base + row * source.stride);
    return {x.re, x.im * source.sign};
  }
};
struct RowsTo {
  Sink sink;
  const int32_t* order;
  MLXK_MEMBER void put(int64_t row, Row x) const {
    store_interleaved(sink.base + order[row] * sink.stride, sink.finish.of(x));
  }
};

// radix 0 is any odd one, known when it runs.
template <int radix, bool twiddled, class From, class To>
MLXK_FN void pass(const Level& level, int64_t blocks, const From& from, const To& to) {
  const int r = radix ? radix : level.radix;
  const int64_t span = twiddled ? level.span : 1;
  for (int64_t block = 0; block < blocks; ++block) {
    const float* w = level.twiddles;
    for (int64_t p = 0; p < span; ++p, w += 2 * (r - 1)) {
      Row x[radix ? radix : max_radix];
      const int64_t row = block * r * span + p;
      if constexpr (radix) {
#pragma GCC unroll 16
        for (int k = 0; k < radix; ++k) x[k] = from.get(row + k * span);
        dft(x);
#pragma GCC unroll 16
        for (int j = 0; j < radix; ++j) {
          to.put(row + j * span, twiddled && j ? times(x[j], w[2 * j - 2], w[2 * j - 1]) : x[j]);
        }
      } else {
        x[0] = from.get(row);
        for (int k = 1; k < r; ++k) x[k] = from.get(row + k * span);
        dft_odd(x, r, level.cosines, level.sines);
        to.put(row, x[0]);
        for (int j = 1; j < r; ++j) {
          to.put(row + j * span, twiddled ? times(x[j], w[2 * j - 2], w[2 * j - 1]) : x[j]);
        }
      }
    }
  }
}

template <int radix> static void first_pass(const Level& level, const Source& source, float* rows) {
  pass<radix, true>(level, 1, RowsFrom{source}, RowsInPlace{rows});
}
template <int radix> static void middle_pass(const Level& level, int64_t blocks, float* rows) {
  pass<radix, true>(level, blocks, RowsInPlace{rows}, RowsInPlace{rows});
}
template <int radix> static void last_pass(const Level& level, int64_t blocks, float* rows) {
  pass<radix, false>(level, blocks, RowsInPlace{rows}, RowsInPlace{rows});
}
template <int radix>
static void out_pass(const Level& level, int64_t blocks, const float* rows, const int32_t* order,
                     const Sink& sink) {
  pass<radix, false>(level, blocks, RowsInPlace{const_cast<float*>(rows)}, RowsTo{sink, order});
}

template <int radix>
constexpr Passes passes_for = {first_pass<radix>, middle_pass<radix>, last_pass<radix>,
                               out_pass<radix>};

static const Passes* passes_of(int radix) {
  switch (radix) {
    case 2: return &passes_for<2>;
    case 3: return &passes_for<3>;
    case 4: return &passes_for<4>;
    case 5: return &passes_for<5>;
    case 7: return &passes_for<7>;
    case 8: return &passes_for<8>;
    case 11: return &passes_for<11>;
    case 13: return &passes_for<13>;
    default: return &passes_for<0>;
  }
}

// ---- all of them --------------------------------------------------------------------------------

constexpr int64_t near_rows = 128;  // so many rows stay in L1 beside their twiddles

// Levels from `at` on, over one block at row `first`.
static void run_levels(const Columns& c, int at, int64_t first, int64_t length, float* rows,
                       const Sink* sink) {
  if (length > near_rows && at + 1 < c.count) {
    const Level& level = c.levels[at];
    level.passes->middle(level, 1, rows + first * row_floats);
    for (int j = 0; j < level.radix; ++j) {
      run_levels(c, at + 1, first + j * level.span, level.span, rows, sink);
    }
    return;
  }
  for (; at < c.count; ++at) {
    const Level& level = c.levels[at];
    const int64_t blocks = length / (level.radix * level.span);
    float* block = rows + first * row_floats;
    if (at + 1 < c.count) {
      level.passes->middle(level, blocks, block);
    } else if (sink) {
      level.passes->out(level, blocks, block, c.order + first, *sink);
    } else {
      level.passes->last(level, blocks, block);
    }
  }
}

// Transforms `length` rows. They come from the source, or lie in `rows`; they go to the sink, in
// natural order, or stay in `rows`.
static void transform_columns(const Columns& c, const Source* source, float* rows,
                              const Sink* sink) {
  const bool fused = source && c.count > 1;
  if (source && !fused) {
    const RowsFrom from{*source};
    for (int64_t i = 0; i < c.length; ++i) store_row(rows + i * row_floats, from.get(i));
  }
  if (fused) {
    const Level& level = c.levels[0];
    level.passes->first(level, *source, rows);
    for (int j = 0; j < level.radix; ++j) run_levels(c, 1, j * level.span, level.span, rows, sink);
  } else if (c.count) {
    run_levels(c, 0, 0, c.length, rows, sink);
  } else if (sink) {
    store_interleaved(sink->base, sink->finish.of(load_row(rows)));
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
