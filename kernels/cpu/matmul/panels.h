// Panels: what a Tile multiplies.
//
// A Tile says how elements are packed and multiplied: a Unit holds `steps` elements along k;
// multiply() adds the product of a packed (rows x k) and a packed (k x cols) panel to a tile of
// sums, row by row, or begins it. Panels and tiles are padded with zeros. In a panel of b the
// columns' first units come first, then their second ones; in one of a the first `run` units of
// each row, and so on. Where an element is a sum of `levels` parts, Level<i> packs part i, and of
// each `group` units along k all lines' first parts come first, then their second ones. `depth`
// bounds the elements of k in a panel, `most_panels` and `block_size` the panels of a task and the
// elements of b that blocked.h packs at once, `low_rows` and `low_bytes` what low.h takes of a. A
// thread multiplies inside a Scope.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/operand.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct NoScope {};  // of a Tile whose threads need nothing

// What a Tile may ask the caches for while it multiplies: a part of the next panel of b, and the
// next tile of sums. They may lie beyond the last one.
struct Ahead {
  const char *b, *tile;
};

template <class Tile> constexpr int64_t tile_size = Tile::rows * Tile::cols;
template <class Tile> int64_t units_of(int64_t k) {
  return round_up(ceil_div(k, Tile::steps), Tile::run) * Tile::levels;
}

// Where unit u of a line lies in a panel: see the head of this file.
template <class Tile, int width, int run> int64_t place_of(int64_t u, int64_t line) {
  int64_t first = u / run * run;
  if constexpr (Tile::levels > 1) first += u / Tile::group * Tile::group * (Tile::levels - 1);
  return first * width + line * run + u % run;
}

// `count` lines along k, as many units of each at a time as a vector holds.
template <class Tile, int width, int run>
void pack_along(const typename Tile::Element* source, int64_t line_stride, int64_t count,
                int64_t units, typename Tile::Unit* out) {
  using Unit = typename Tile::Unit;
  constexpr int n = ::lanes<Unit>;
  int64_t u = 0;
  if constexpr (run == n) {
    for (int64_t line = 0; line < count; ++line) {
      const auto* from = source + line * line_stride;
      for (u = 0; u + n <= units; u += n)
        ::store(out + place_of<Tile, width, run>(u, line),
                Tile::load_units(from + u * Tile::steps));
    }
  }
  for (; u + n <= units; u += n) {
    // The last lines first: what a vector writes beyond them, the first lines overwrite.
    for (int group = (width - 1) / n * n; group >= 0; group -= n) {
      Vec<Unit> v[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) {
        const auto* p = source + (group + i) * line_stride + u * Tile::steps;
        v[i] = group + i < count ? Tile::load_units(p) : Vec<Unit>{};
      }
      transpose_lanes<Unit>(v);
      Unit* const to = out + place_of<Tile, width, 1>(u, group);
#pragma GCC unroll 16
      for (int i = 0; i + 1 < n; ++i) ::store(to + i * width, v[i]);
      memcpy(to + (n - 1) * width, &v[n - 1],
             sizeof(Unit) * (n < width - group ? n : width - group));
    }
  }
  for (; u < units; ++u) {
    for (int64_t line = 0; line < count; ++line) {
      out[place_of<Tile, width, run>(u, line)] =
          Tile::pack(source + line * line_stride + u * Tile::steps, 1);
    }
  }
}

// The same for lines whose elements along k are k_stride apart.
template <class Tile, int width, int run>
void pack_across(const typename Tile::Element* source, int64_t line_stride, int64_t k_stride,
                 int64_t count, int64_t units, typename Tile::Unit* out) {
  using Unit = typename Tile::Unit;
  constexpr int n = ::lanes<Unit>;
  int64_t u = 0;
  if constexpr (run == n) {
    static_assert(width % n == 0);
    for (; line_stride == 1 && count == width && u + n <= units; u += n) {
      for (int group = 0; group < width; group += n) {
        Vec<Unit> v[n];
        for (int i = 0; i < n; ++i) {
          Tile::template pack_across<n>(source + (u + i) * Tile::steps * k_stride + group, k_stride,
                                        reinterpret_cast<Unit*>(v + i));
        }
        transpose_lanes<Unit>(v);
        for (int i = 0; i < n; ++i) ::store(out + place_of<Tile, width, run>(u, group + i), v[i]);
      }
    }
  }
  for (; u < units; ++u) {
    const auto* first = source + u * Tile::steps * k_stride;
    if (run == 1 && line_stride == 1 && count == width) {
      Tile::template pack_across<width>(first, k_stride, out + place_of<Tile, width, 1>(u, 0));
    } else {
      for (int64_t line = 0; line < count; ++line)
        out[place_of<Tile, width, run>(u, line)] = Tile::pack(first + line * line_stride, k_stride);
    }
  }
}

// One panel: `count` lines of at most `width`, kc elements along the other axis. line_stride steps
// from line to line, k_stride along k, both in elements.
template <class Tile, int width, int run, int level = 0>
void pack_panel(const char* data, int64_t line_stride, int64_t k_stride, int64_t count, int64_t kc,
                typename Tile::Unit* out) {
  using Unit = typename Tile::Unit;
  using Level = typename Tile::template Level<level>;
  const int64_t units = units_of<Tile>(kc) / Tile::levels, whole = kc / Tile::steps;
  const auto* source = reinterpret_cast<const typename Tile::Element*>(data);
  const int64_t filled = count < width ? 0 : whole / Tile::run * Tile::run;
  const int64_t together = Tile::levels > 1 ? Tile::run : units - filled;
  for (int64_t u = filled; u < units; u += together) {
    memset(static_cast<void*>(out + place_of<Tile, width, Tile::run>(u, 0)), 0,
           sizeof(Unit) * together * width);
  }
  if (k_stride == 1)
    pack_along<Level, width, run>(source, line_stride, count, whole, out);
  else
    pack_across<Level, width, run>(source, line_stride, k_stride, count, whole, out);
  if (kc % Tile::steps) {  // only where steps > 1: one element and a zero
    for (int64_t line = 0; line < count; ++line) {
      out[place_of<Tile, width, run>(whole, line)] =
          Level::pack_last(source + line * line_stride + whole * Tile::steps * k_stride);
    }
  }
  if constexpr (level + 1 < Tile::levels) {
    pack_panel<Tile, width, run, level + 1>(data, line_stride, k_stride, count, kc,
                                            out + Tile::group * width);
  }
}

// Panel p of the rows of a, and panel q of the columns of b.
template <class Tile> void pack_rows(const Matrix& a, int64_t p, typename Tile::Unit* out) {
  const int64_t row = p * Tile::rows, count = smaller(a.rows - row, Tile::rows);
  pack_panel<Tile, Tile::rows, Tile::run>(a.block(row, count, 0, a.cols).data, a.row_stride,
                                          a.col_stride, count, a.cols, out);
}
template <class Tile> void pack_cols(const Matrix& b, int64_t q, typename Tile::Unit* out) {
  const int64_t col = q * Tile::cols, count = smaller(b.cols - col, Tile::cols);
  pack_panel<Tile, Tile::cols, 1>(b.block(0, b.rows, col, count).data, b.col_stride, b.row_stride,
                                  count, b.rows, out);
}

// A tile of sums to its place in the result, whose rows and columns end there.
template <class Tile, Dtype D>
void write_tile(const float* tile, const Target& out, int64_t row, int64_t row_end, int64_t col,
                int64_t col_end) {
  const int64_t rows = smaller(row_end - row, Tile::rows);
  const int64_t cols = smaller(col_end - col, Tile::cols);
  if (rows == Tile::rows && cols == Tile::cols && out.alpha == 1 && out.beta == 0) {
    for (int64_t r = 0; r < Tile::rows; ++r) {
      for (int64_t i = 0; i < Tile::cols; i += lanes)
        store<D>(place<D>(out, row + r, col + i), ::load(tile + r * Tile::cols + i));
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) finish<D>(out, row + r, col, tile + r * Tile::cols, cols);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
