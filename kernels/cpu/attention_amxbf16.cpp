// Attention of 16-bit floats with the tiles of AMX: "attention_bfloat16" and "attention_float16",
// as "attention" in attention.cpp, of more than a few rows. Before exponentials meet the values
// they are rounded to bfloat16, or to the sum of two of them beside float16.
#include "cpu/attention/forward.h"
#include "cpu/matmul/amx.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

using Unit = PairTile::Unit;

// Writes exponentials as elements of a panel.
void store_weights(BFloat16Tile, Unit* to, vec x) { store_as(reinterpret_cast<bf16_bits*>(to), x); }
template <int part> void store_weights_part(Unit* to, vec x) {
  using Part = Float16Part<part>;
  const u16x upper =
      __builtin_convertvector(Part::template upper<vec, Vec<uint32_t>>(x) >> 16, u16x);
  memcpy(to + part * Float16Tile::level_size, &upper, sizeof upper);
}
void store_weights(Float16Tile, Unit* to, vec x) {
  store_weights_part<0>(to, x);
  store_weights_part<1>(to, x);
}

// As ScratchProducts of forward.h; what is multiplied lies in panels, and sums in tiles.
template <class S, class AmxTile> struct AmxProducts {
  static constexpr int64_t group = AmxTile::rows, wide = AmxTile::cols;
  static_assert(key_block % wide == 0 && wide == Tile<float>::cols);
  using Scope = typename AmxTile::Scope;

  const Problem& p;
  int64_t width, value_panels, query_panel, value_panel;  // of panels: units
  Unit *queries, *keys, *values, *weights;
  float *out, *row_room;
  S* query_room;

  AmxProducts(const Problem& problem, int64_t rows, Cutter& cut)
      : p(problem),
        width(units_of<AmxTile>(p.width)),
        value_panels(ceil_div(p.value_width, wide)),
        query_panel(width * group),
        value_panel(units_of<AmxTile>(key_block) * wide),
        queries(cut.take<Unit>(round_up(rows, group), width)),
        keys(cut.take<Unit>(key_block, width)),
        values(cut.take<Unit>(value_panels, value_panel)),
        weights(cut.take<Unit>(1, value_panel)),
        out(cut.take<float>(ceil_div(rows, group) * value_panels, tile_size<AmxTile>)),
        row_room(cut.take<float>(value_panels, wide)),
        query_room(cut.take<S>(group, p.width)) {}

  static Matrix matrix_of(const S* data, int64_t rows, int64_t cols, int64_t row_stride,
                          int64_t col_stride) {
    constexpr bool bfloat16 = ms::same_type<S, bf16_bits>::value;
    return {reinterpret_cast<const char*>(data),        rows, cols, row_stride, col_stride,
            bfloat16 ? Dtype::bfloat16 : Dtype::float16};
  }
  float* tile_of(int64_t row, int64_t panel) const {
    return out + (row / group * value_panels + panel) * tile_size<AmxTile>;
  }

  void begin(const Rows& q, int64_t b, int64_t h, int64_t first, int64_t count) const {
    clear(out, round_up(count, group) * value_panels * wide);
    for (int64_t at = 0; at < count; at += group) {
      const int64_t rows = smaller(count - at, group);
      for (int64_t r = 0; r < rows; ++r) {
        memcpy(query_room + r * p.width, q.of<const S>(p, b, h, first + at + r),
               sizeof(S) * static_cast<size_t>(p.width));
      }
      pack_rows<AmxTile>(matrix_of(query_room, rows, p.width, p.width, 1), 0,
                         queries + at / group * query_panel);
    }
  }
  void load_keys(const Rows& k, const Rows& v, int64_t b, int64_t h, int64_t first,
                 int64_t n) const {
    const Matrix turned = matrix_of(k.at<const S>(b, h, first), p.width, n, 1, k.row_stride);
    const Matrix plain = matrix_of(v.at<const S>(b, h, first), n, p.value_width, v.row_stride, 1);
    for (int64_t i = 0; i * wide < n; ++i) pack_cols<AmxTile>(turned, i, keys + i * wide * width);
    for (int64_t i = 0; i < value_panels; ++i)
      pack_cols<AmxTile>(plain, i, values + i * value_panel);
  }
  void score(int64_t row, int64_t rows, int64_t n, float* scores, int64_t stride) const {
    const vec scale = vec{} + static_cast<float>(p.scale);
    for (int64_t j = 0; j < n; j += wide) {
      alignas(64) float tile[tile_size<AmxTile>];
      product(width, queries + row / group * query_panel, keys + j * width, true, tile);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < wide; i += lanes)
          ::store(scores + r * stride + j + i, ::load(tile + r * wide + i) * scale);
      }
    }
  }
  void add(int64_t row, int64_t rows, int64_t n, const float* exponentials, int64_t stride,
           const float* shrink) const {
    // Rows that are missing are zero: what is no number would take their whole tile another way.
    if (rows < group) clear(weights, value_panel);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < round_up(n, wide); j += lanes) {
        const int64_t unit = place_of<AmxTile, AmxTile::rows, AmxTile::run>(j / AmxTile::steps, r);
        store_weights(AmxTile(), weights + unit, ::load(exponentials + r * stride + j));
      }
    }
    for (int64_t panel = 0; panel < value_panels; ++panel) {
      float* const tile = tile_of(row, panel);
      for (int64_t r = 0; r < rows; ++r) {
        if (shrink[r] == 1) continue;
        for (int64_t i = 0; i < wide; i += lanes)
          ::store(tile + r * wide + i, ::load(tile + r * wide + i) * shrink[r]);
      }
      product(units_of<AmxTile>(n), weights, values + panel * value_panel, false, tile);
    }
  }
  const float* sums_of(int64_t row) const {
    for (int64_t panel = 0; panel < value_panels; ++panel) {
      memcpy(row_room + panel * wide, tile_of(row, panel) + row % group * wide,
             sizeof(float) * wide);
    }
    return row_room;
  }

  static void product(int64_t units, const Unit* a, const Unit* b, bool first, float* tile) {
    AmxTile::multiply(units, a, b, first, tile,
                      {reinterpret_cast<const char*>(b), reinterpret_cast<char*>(tile)});
  }
};

template <class S, class AmxTile> Kernel attention() {
  using Attention = Forward<S, float, AmxProducts<S, AmxTile>>;
  return {
      .run = [](const KernelCall& call) { Attention::run(read_problem(call), call); },
      .workspace = [](const KernelCall& call) { return Attention::workspace(read_problem(call)); }};
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(attention, table) {
  using namespace mlxk::cpu::MLXK_ISA;
  table.add("attention_bfloat16", attention<bf16_bits, BFloat16Tile>());
  table.add("attention_float16", attention<f16_bits, Float16Tile>());
}
