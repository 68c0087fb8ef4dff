// Convolutions of 16-bit floats with the tiles of AMX: "conv_bfloat16" and "conv_float16", as
// "conv" in conv.cpp, where that finds that panels suit.
//
// A block of outputs is unfolded: the panels of a hold, row by row, what each output sees, and
// those of b the filters. Tiles are so quick that writing this takes about as long as multiplying
// it.
#include "cpu/conv/pieces.h"
#include "cpu/matmul/amx.h"
#include "cpu/workers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class S, class AmxTile> struct Unfolded {
  using Unit = typename AmxTile::Unit;
  using Element = typename AmxTile::Element;
  static constexpr int64_t rows = AmxTile::rows, cols = AmxTile::cols;
  static constexpr int64_t chunk =
      AmxTile::run * AmxTile::steps;  // elements of a row in a register
  static constexpr int64_t task_bytes = 256 << 10, most_panels = 8;  // of what a task unfolds
  static constexpr bool bfloat16 = ms::same_type<S, bf16_bits>::value;
  static constexpr Dtype dtype = bfloat16 ? Dtype::bfloat16 : Dtype::float16;

  const Problem& p;
  Pieces pieces{p};
  int64_t piece_units = units_of<AmxTile>(pieces.length), units = piece_units * pieces.count();
  int64_t row_panels = ceil_div(p.pixels(), rows), col_panels = ceil_div(p.filters, cols);
  int64_t task =
      larger(smaller(smaller(task_bytes / (rows * units * int64_t{sizeof(Unit)}), most_panels),
                     ceil_div(row_panels, 4 * thread_count())),
             1);
  int64_t depth = round_up(pieces.length, chunk) * pieces.count();  // elements of k, with zeros

  int64_t tasks() const { return ceil_div(row_panels, task); }
  int64_t workers() const { return p.flops() < inline_flops ? 1 : worker_count(tasks()); }
  size_t filter_bytes() const { return bytes_of(p.filters * depth, sizeof(Element)); }
  size_t right_bytes() const { return bytes_of(col_panels * cols * units, sizeof(Unit)); }
  size_t left_bytes() const { return bytes_of(task * rows * units, sizeof(Unit)); }
  static size_t bytes_of(int64_t count, size_t size) {
    return (static_cast<size_t>(count) * size + 63) & ~size_t{63};
  }
  size_t workspace() const {
    return filter_bytes() + right_bytes() + static_cast<size_t>(workers()) * left_bytes();
  }

  // The weights of a group as rows of filters, padded as the pieces are.
  void gather_filters(const Volume& weights, int64_t group, Element* to) const {
    const auto* const from = reinterpret_cast<const Element*>(weights.data);
    const int64_t size = pieces.length * pieces.count();
    parallel_for(p.filters, (int64_t{1} << 16) / size + 1, [&](int64_t begin, int64_t end) {
      for (int64_t filter = begin; filter < end; ++filter) {
        Element* row = to + filter * depth;
        pieces.for_each([&](const int64_t* first) {
          Element* element = row;
          for (int64_t tap = 0; tap < pieces.taps; ++tap) {
            const int64_t taps[3] = {first[0], first[1], first[2] + tap};
            const Element* source = from + (group * p.filters + filter) * weights.outer_stride;
            for (int i = 0; i < 3; ++i) {
              const int64_t k = p.axes[i].flip ? p.axes[i].kernel - 1 - taps[i] : taps[i];
              source += k * weights.strides[i];
            }
            for (int64_t c = 0; c < p.channels; ++c) *element++ = source[c * weights.inner_stride];
          }
          row += round_up(pieces.length, chunk);
          while (element < row) *element++ = 0;
        });
      }
    });
  }
  void pack_filters(const Element* filters, Unit* to) const {
    const Matrix right{reinterpret_cast<const char*>(filters), depth, p.filters, 1, depth, dtype};
    parallel_for(col_panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t q = begin; q < end; ++q) pack_cols<AmxTile>(right, q, to + q * cols * units);
    });
  }

  // `count` elements of a row of a panel, in its register rows from `to` on, and zeros behind them.
  template <int level = 0> static void put(const Element* from, int64_t count, Unit* to) {
    using Level = typename AmxTile::template Level<level>;
    Unit* at = to;
    for (int64_t i = 0; i < count; i += chunk, at += rows * AmxTile::run * AmxTile::levels) {
      if (i + chunk <= count) {
        ::store(at, Level::load_units(from + i));
      } else {
        Element rest[chunk] = {};
        memcpy(rest, from + i, sizeof(Element) * static_cast<size_t>(count - i));
        ::store(at, Level::load_units(rest));
      }
    }
    if constexpr (level + 1 < AmxTile::levels)
      put<level + 1>(from, count, to + rows * AmxTile::run);
  }

  // What one output sees, to a row of a panel. `room` holds a piece.
  void unfold(const Element* image, const Volume& x, int64_t output, Element* room,
              Unit* to) const {
    int64_t corner[3];  // of what it sees
    for (int i = 2; i >= 0; --i) {
      corner[i] = output % p.axes[i].out * p.axes[i].stride - p.axes[i].low;
      output /= p.axes[i].out;
    }
    image += output * x.outer_stride;
    pieces.for_each([&](const int64_t* first) {
      const int64_t depth = corner[0] + first[0] * p.axes[0].dilation;
      const int64_t height = corner[1] + first[1] * p.axes[1].dilation;
      const int64_t left = corner[2] + first[2] * p.axes[2].dilation;
      const bool inside =
          depth >= 0 && depth < p.axes[0].in && height >= 0 && height < p.axes[1].in;
      const int64_t begin = inside ? smaller(larger(-left, 0), pieces.taps) : 0;
      const int64_t end = inside ? larger(smaller(p.axes[2].in - left, pieces.taps), begin) : 0;
      const int64_t at =
          depth * x.strides[0] + height * x.strides[1] + (left + begin) * x.strides[2];
      const Element* from = image + (end > begin ? at : 0);
      if (end - begin < pieces.taps) {  // a part, or nothing
        memset(room, 0, sizeof(Element) * static_cast<size_t>(pieces.length));
        memcpy(room + begin * p.channels, from,
               sizeof(Element) * static_cast<size_t>((end - begin) * p.channels));
        from = room;
      }
      put(from, pieces.length, to);
      to += piece_units * rows;
    });
  }

  void multiply_rows(const Volume& x, int64_t group, int64_t panel0, int64_t panel1, Unit* left,
                     const Unit* right, const Target& out) const {
    [[maybe_unused]] const typename AmxTile::Scope scope;
    const auto* const image = reinterpret_cast<const Element*>(x.data) + group * p.channels;
    Element room[most_piece];
    const int64_t last = smaller(panel1 * rows, p.pixels());
    // Rows without an output are zero: what is no number would take their whole tile another way.
    if (last % rows) {
      memset(left + (panel1 - 1 - panel0) * rows * units, 0,
             sizeof(Unit) * static_cast<size_t>(rows * units));
    }
    for (int64_t output = panel0 * rows; output < last; ++output) {
      const int64_t panel = output / rows - panel0, row = output % rows;
      unfold(image, x, output, room, left + panel * rows * units + row * AmxTile::run);
    }
    for (int64_t q = 0; q < col_panels; ++q) {
      for (int64_t panel = panel0; panel < panel1; ++panel) {
        alignas(64) float tile[tile_size<AmxTile>];
        const Unit* const b = right + q * cols * units;
        AmxTile::multiply(units, left + (panel - panel0) * rows * units, b, true, tile,
                          {reinterpret_cast<const char*>(b), reinterpret_cast<char*>(tile)});
        write_tile<AmxTile, dtype>(tile, out, panel * rows, p.pixels(), q * cols, p.filters);
      }
    }
  }

  void run(const KernelCall& call) const {
    const Volume x(call.inputs[0]), weights(call.inputs[1]);
    char* memory = static_cast<char*>(call.workspace);
    auto* const filters = reinterpret_cast<Element*>(memory);
    memory += filter_bytes();
    Unit* const right = reinterpret_cast<Unit*>(memory);
    memory += right_bytes();
    for (int64_t group = 0; group < p.groups; ++group) {
      gather_filters(weights, group, filters);
      pack_filters(filters, right);
      const Target out{static_cast<char*>(call.outputs[0].data) +
                           group * p.filters * static_cast<int64_t>(sizeof(Element)),
                       p.groups * p.filters, dtype, 1, 0};
      run_tasks(tasks(), workers(), [&](int64_t i, int64_t worker) {
        multiply_rows(x, group, i * task, smaller((i + 1) * task, row_panels),
                      reinterpret_cast<Unit*>(memory + static_cast<size_t>(worker) * left_bytes()),
                      right, out);
      });
    }
  }
};

Problem problem_of(const KernelCall& call) {
  return read_problem(call, call.inputs[0], call.inputs[1], call.outputs[0]);
}
template <class S, class AmxTile> void run(const KernelCall& call) {
  const Problem p = problem_of(call);
  Unfolded<S, AmxTile>{p}.run(call);
}
template <class S, class AmxTile> size_t workspace(const KernelCall& call) {
  const Problem p = problem_of(call);
  return Unfolded<S, AmxTile>{p}.workspace();
}
template <class S, class AmxTile> Kernel convolution() {
  return {.run = run<S, AmxTile>, .workspace = workspace<S, AmxTile>};
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(conv, table) {
  using namespace mlxk::cpu::MLXK_ISA;
  table.add("conv_bfloat16", convolution<bf16_bits, BFloat16Tile>());
  table.add("conv_float16", convolution<f16_bits, Float16Tile>());
}
