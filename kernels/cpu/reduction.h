// What reductions share: reading rows of any layout as rows of a compute type, and cutting the work
// up. Cuts follow from the shape alone, so that no result depends on the number of threads.
//
// Included by kernel stems only.
#pragma once

#include "cpu/axes.h"
#include "cpu/integers.h"

namespace {

// An input that is read as rows of a compute type T.
struct Source {
  const char* data;
  int64_t itemsize;
  RowLoader load;    // of rows that cannot be read where they are
  bool direct_type;  // the input's own type is T

  bool direct(int64_t stride) const { return direct_type && stride == 1; }
  const char* at(int64_t offset) const { return data + offset * itemsize; }
  // n elements, `stride` apart: where they are, or in the buffer.
  template <class T>
  MLXK_MEMBER const T* row(int64_t offset, int64_t stride, int64_t n, T* buffer) const {
    if (direct(stride)) return reinterpret_cast<const T*>(at(offset));
    load(at(offset), stride, n, buffer);
    return buffer;
  }
};

static __attribute__((unused)) Source make_source(const Tensor& input, Dtype type, RowLoader load) {
  return {static_cast<const char*>(input.data), static_cast<int64_t>(mlxk::itemsize(input.dtype)),
          load, input.dtype == type};
}

constexpr int64_t max_pieces = 64;

// ---- row by row --------------------------------------------------------------------------------------------

// The elements [begin, end) of the reduction at `base`, in their order: use(elements, how many,
// index of the first).
template <class T, int64_t direct_step, int64_t buffer_elements, class Use>
MLXK_FN void each_block(const Source& source, const AxisList& reduced, int64_t base, int64_t begin,
                        int64_t end, const Use& use) {
  alignas(64) T buffer[buffer_elements];
  const Axis& inner = reduced.inner();
  const int64_t step =
      source.direct(inner.in) ? direct_step : smaller(direct_step, buffer_elements);
  while (begin < end) {
    const int64_t at = begin % inner.size;
    const int64_t n = smaller(inner.size - at, end - begin);
    int64_t offset, unused;
    reduced.offsets(reduced.count - 1, begin / inner.size, &offset, &unused);
    offset += base + at * inner.in;
    for (int64_t i = 0; i < n; i += step) {
      const int64_t m = smaller(n - i, step);
      use(source.row(offset + i * inner.in, inner.in, m, buffer), m, begin + i);
    }
    begin += n;
  }
}

// Every output from its row; few long rows in pieces, which are joined in order.
//   Part span(base, begin, end)
//   join(Part* total, next, elements so far, elements of the next)
//   put(output, Part)
template <class Part, class Span, class Join, class Put>
static void reduce_rows(const Plan& plan, const Span& span, const Join& join, const Put& put) {
  constexpr int64_t multiple = 4096;
  const int64_t outputs = plan.outputs, length = plan.length;
  if (outputs == 0) return;
  int64_t pieces = outputs < max_pieces ? smaller(length / inline_elements, max_pieces) : 1;
  if (pieces <= 1) {
    mlxk::parallel_for(outputs, inline_elements / (length + 1) + 1,
                       [&](int64_t begin, int64_t end) {
                         Walk walk(plan.kept, begin);
                         for (int64_t i = begin; i < end; ++i, walk.next())
                           put(walk.out, span(walk.offset, 0, length));
                       });
    return;
  }
  const int64_t size = round_up(ceil_div(length, pieces), multiple);
  pieces = ceil_div(length, size);
  Part part[max_pieces * max_pieces];
  mlxk::parallel_for(outputs * pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Walk row(plan.kept, i / pieces);
      const int64_t first = i % pieces * size;
      part[i] = span(row.offset, first, smaller(first + size, length));
    }
  });
  Walk row(plan.kept, 0);
  for (int64_t i = 0; i < outputs; ++i, row.next()) {
    Part total = part[i * pieces];
    for (int64_t k = 1; k < pieces; ++k)
      join(&total, part[i * pieces + k], k * size, smaller(size, length - k * size));
    put(row.out, total);
  }
}

// ---- columns side by side ----------------------------------------------------------------------------------

constexpr int64_t least_columns = 16;

// Tiles of neighbouring columns; where they are few, pieces of their rows.
struct ColumnTiles {
  int64_t columns, rows, tile_columns;
  int64_t tiles_a_row, tiles, pieces, piece_rows;

  int64_t rows_of(int64_t piece) const { return smaller(piece_rows, rows - piece * piece_rows); }
  size_t workspace(size_t part) const {
    return pieces > 1 ? static_cast<size_t>(tiles * pieces) * part : 0;
  }
};

static ColumnTiles cut_columns(int64_t groups, int64_t rows, int64_t columns,
                               int64_t tile_columns) {
  ColumnTiles c{columns, rows, tile_columns, ceil_div(columns, tile_columns), 0, 1, 0};
  c.tiles = groups * c.tiles_a_row;
  if (c.tiles < max_pieces / 2) {
    const int64_t worth = smaller(groups * rows * columns / inline_elements, rows / 16);
    c.pieces = larger(smaller(max_pieces / c.tiles, worth), 1);
  }
  c.piece_rows = larger(ceil_div(rows, c.pieces), 1);
  c.pieces = larger(ceil_div(rows, c.piece_rows), 1);
  return c;
}
static __attribute__((unused)) ColumnTiles cut_columns(const Plan& plan, int64_t tile_columns) {
  const int64_t columns = plan.kept.inner().size;
  return cut_columns(plan.outputs / columns, plan.length, columns, tile_columns);
}

// Every tile, a piece at a time. The workspace has room for all parts.
//   tile(base, columns, begin, end, Part*), for rows [begin, end)
//   put(output, columns, parts), one part a piece
template <class Part, class Tile, class Put>
static void reduce_columns(const Plan& plan, const ColumnTiles& c, void* workspace,
                           const Tile& tile, const Put& put) {
  const Axis& kept = plan.kept.inner();
  const auto place = [&](int64_t index, const auto& use) {
    const int64_t column = index % c.tiles_a_row * c.tile_columns;
    int64_t in, out;
    plan.kept.offsets(plan.kept.count - 1, index / c.tiles_a_row, &in, &out);
    use(in + column * kept.in, out + column * kept.out,
        smaller(c.columns - column, c.tile_columns));
  };
  const int64_t work = c.piece_rows * smaller(c.columns, c.tile_columns);
  const int64_t grain = inline_elements / (work + 1) + 1;
  if (c.pieces == 1) {
    mlxk::parallel_for(c.tiles, grain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        place(t, [&](int64_t in, int64_t out, int64_t n) {
          Part part;
          tile(in, n, 0, c.rows, &part);
          put(out, n, &part);
        });
      }
    });
    return;
  }
  Part* const parts = static_cast<Part*>(workspace);
  mlxk::parallel_for(c.tiles * c.pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      place(i / c.pieces, [&](int64_t in, int64_t, int64_t n) {
        const int64_t first = i % c.pieces * c.piece_rows;
        tile(in, n, first, smaller(first + c.piece_rows, c.rows), parts + i);
      });
    }
  });
  mlxk::parallel_for(c.tiles, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      place(t, [&](int64_t, int64_t out, int64_t n) { put(out, n, parts + t * c.pieces); });
    }
  });
}

// ---- a tile's rows -----------------------------------------------------------------------------------------

// The rows [begin, end) of n neighbouring columns, block_rows at a time: use(rows, how many, index
// of the first, width). Rows are padded to whole vectors, with zeros, where `padded`.
template <class T, int64_t block_rows, int64_t tile_columns, bool padded, class Use>
MLXK_FN void each_row_block(const Source& source, const AxisList& reduced, int64_t stride,
                            int64_t base, int64_t n, int64_t begin, int64_t end, const Use& use) {
  alignas(64) T buffer[block_rows][tile_columns];
  const int64_t width = padded ? round_up(n, lanes<T>) : n;
  const bool direct = source.direct(stride) && n == width;
  Walk walk(reduced, begin);
  for (int64_t first = begin; first < end; first += block_rows) {
    const int64_t count = smaller(end - first, block_rows);
    const T* row[block_rows];
    for (int64_t r = 0; r < count; ++r, walk.next()) {
      row[r] = reinterpret_cast<const T*>(source.at(base + walk.offset));
      if (direct) continue;
      source.load(source.at(base + walk.offset), stride, n, buffer[r]);
      for (int64_t i = n; i < width; ++i) buffer[r][i] = T{};
      row[r] = buffer[r];
    }
    use(row, count, first, width);
  }
}

}  // namespace
