// Convolutions with 3x3 taps, by Winograd's minimal filtering F(2x2, 3x3): four outputs of a tile
// cost 16 products a channel instead of 36. Lavin and Gray, Fast Algorithms for Convolutional
// Neural Networks, 2016.
//
// A tile's 4x4 inputs d, the weights g and the outputs y belong together as
//   y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A,
// and the sum over channels inside of the brackets is a matrix product for each of the 16 points.
// The transforms add, subtract and halve, so the result is about as exact as direct sums.
#pragma once

#include "cpu/conv/weight_gradient.h"
#include "cpu/integers.h"

namespace {

constexpr int64_t winograd_points = 16;
constexpr int64_t winograd_tiles = 24;     // of a block: with the channels and filters below the
constexpr int64_t winograd_channels = 64;  // points of a block stay in the second-level cache
constexpr int64_t winograd_filters = 64;
constexpr int64_t winograd_region = 12288;  // elements

// Whether the algorithm applies, and its transforms cost less than it saves.
static bool is_winograd(const Problem& p) {
  const Axis& depth = p.axes[0];
  if (depth.kernel != 1 || depth.in != depth.out || depth.stride != 1 || depth.low != 0)
    return false;
  int64_t tiles = p.batch * depth.out;
  for (int i = 1; i < 3; ++i) {
    const Axis& a = p.axes[i];
    if (a.kernel != 3 || a.stride != 1 || a.dilation != 1 || a.input_dilation != 1) return false;
    tiles *= ceil_div(a.out, 2);
  }
  return p.channels >= 8 && p.filters >= 8 && tiles >= 32 && 4 * tiles * 2 < 3 * p.pixels();
}

// The same convolution with tiles as outputs: they see four taps and lie two apart.
static Problem winograd_problem(Problem p) {
  for (int i = 1; i < 3; ++i) {
    p.axes[i].kernel = 4;
    p.axes[i].stride = 2;
    p.axes[i].out = ceil_div(p.axes[i].out, 2);
    p.axes[i].flip = false;
  }
  return p;
}
static Plan winograd_plan(const Problem& tiled) {
  return make_plan(tiled, {winograd_region, winograd_tiles, winograd_points * winograd_channels});
}

// ---- the transforms of one vector, of four rows of four -----------------------------------------

template <class V> MLXK_FN void transform_input(V (&d)[4][4]) {  // Bᵀ d B
  const auto four = [](V& a, V& b, V& c, V& e) {
    const V sum = b + c, difference = c - b;
    a -= c;
    e = b - e;
    b = sum;
    c = difference;
  };
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) four(d[0][i], d[1][i], d[2][i], d[3][i]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) four(d[i][0], d[i][1], d[i][2], d[i][3]);
}

template <class V> MLXK_FN void transform_output(const V (&m)[4][4], V (&y)[2][2]) {  // Aᵀ m A
  V rows[2][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[0][i] = m[0][i] + m[1][i] + m[2][i];
    rows[1][i] = m[1][i] - m[2][i] - m[3][i];
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    y[i][0] = rows[i][0] + rows[i][1] + rows[i][2];
    y[i][1] = rows[i][1] - rows[i][2] - rows[i][3];
  }
}

template <class V> MLXK_FN void transform_cotangent(const V (&y)[2][2], V (&m)[4][4]) {  // A y Aᵀ
  V rows[4][2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    rows[0][i] = y[0][i];
    rows[1][i] = y[0][i] + y[1][i];
    rows[2][i] = y[0][i] - y[1][i];
    rows[3][i] = -y[1][i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    m[i][0] = rows[i][0];
    m[i][1] = rows[i][0] + rows[i][1];
    m[i][2] = rows[i][0] - rows[i][1];
    m[i][3] = -rows[i][1];
  }
}

template <class V> MLXK_FN void transform_weights(const V (&g)[3][3], V (&u)[4][4]) {  // G g Gᵀ
  constexpr float half = 0.5f;
  V rows[4][3];
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const V outer = (g[0][i] + g[2][i]) * half, inner = g[1][i] * half;
    rows[0][i] = g[0][i];
    rows[1][i] = outer + inner;
    rows[2][i] = outer - inner;
    rows[3][i] = g[2][i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const V outer = (rows[i][0] + rows[i][2]) * half, inner = rows[i][1] * half;
    u[i][0] = rows[i][0];
    u[i][1] = outer + inner;
    u[i][2] = outer - inner;
    u[i][3] = rows[i][2];
  }
}

template <class V> MLXK_FN void transform_gradient(const V (&u)[4][4], V (&g)[3][3]) {  // Gᵀ u G
  constexpr float half = 0.5f;
  V rows[3][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const V sum = (u[1][i] + u[2][i]) * half;
    rows[0][i] = u[0][i] + sum;
    rows[1][i] = (u[1][i] - u[2][i]) * half;
    rows[2][i] = sum + u[3][i];
  }
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const V sum = (rows[i][1] + rows[i][2]) * half;
    g[i][0] = rows[i][0] + sum;
    g[i][1] = (rows[i][1] - rows[i][2]) * half;
    g[i][2] = sum + rows[i][3];
  }
}

// ---- what both directions share -----------------------------------------------------------------

// Transformed weights: group, chunk of channels, point, panel of filters, then (channel, filter).
template <class S> struct WinogradWeights {
  const Weights<S, float>& plain;
  const Plan& plan;

  int64_t filters() const { return plain.padded_filters(); }
  int64_t group_size() const { return winograd_points * plain.problem.channels * filters(); }
  int64_t chunk(int64_t channel) const { return winograd_points * channel * filters(); }
  int64_t place(int64_t channels, int64_t point, int64_t panel) const {
    return (point * filters() + panel * panel_width<float>)*channels;
  }
};

// The points of a block of tiles as (point, tile, channel).
template <class S>
static void winograd_input(const Window& w, const Problem& tiled, const Volume& image,
                           int64_t group, Pixels* tiles, float* points) {
  alignas(64) float region[winograd_region];
  w.pack<S, float>(tiled, image, group, region);
  tiles->place_in_region(w);
  const int64_t channels = w.channels, step = tiles->count * channels;
  const auto transform = [&](auto vector, const float* from, float* to) {
    using V = decltype(vector);
    V d[4][4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        __builtin_memcpy(&d[i][j], from + i * w.strides[2] + j * channels, sizeof(V));
      }
    }
    transform_input(d);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) __builtin_memcpy(to + (4 * i + j) * step, &d[i][j], sizeof(V));
    }
  };
  for (int64_t t = 0; t < tiles->count; ++t) {
    const float* const from = region + tiles->input[t];
    float* const to = points + t * channels;
    int64_t c = 0;
    for (; c + lanes<float> <= channels; c += lanes<float>)
      transform(Vec<float>{}, from + c, to + c);
    for (; c < channels; ++c) transform(float{}, from + c, to + c);
  }
}

// Where a tile's four outputs lie, and which of them there are.
struct WinogradOutputs {
  int64_t offset, rows, columns, row_stride, column_stride;

  WinogradOutputs(const Problem& p, const Window& w, const Pixels& tiles, const Volume& out,
                  int64_t t)
      : row_stride(out.strides[1]), column_stride(out.strides[2]) {
    const int64_t row = 2 * (w.first[2] + tiles.place[2][t]),
                  column = 2 * (w.first[3] + tiles.place[3][t]);
    rows = smaller(p.axes[1].out - row, 2);
    columns = smaller(p.axes[2].out - column, 2);
    offset = (w.first[0] + tiles.place[0][t]) * out.outer_stride +
             (w.first[1] + tiles.place[1][t]) * out.strides[0] + row * row_stride +
             column * column_stride;
  }
  int64_t at(int i, int j) const { return offset + i * row_stride + j * column_stride; }
  bool has(int i, int j) const { return i < rows && j < columns; }
};

// ---- the convolution ----------------------------------------------------------------------------

template <class S> struct Winograd {
  const Problem& problem;
  const Problem& tiled;
  const Plan& plan;
  Weights<S, float> plain;
  Volume image, out;
  float* transformed;

  WinogradWeights<S> weights() const { return {plain, plan}; }
  static constexpr int64_t panels_a_task = winograd_filters / panel_width<float>;

  void transform_panel(int64_t group, int64_t panel) const {
    alignas(64) float taps[9 * winograd_channels * panel_width<float>];
    Phase phase[3];
    for (int i = 0; i < 3; ++i) phase[i] = problem.axes[i].phase(0);
    const int64_t width = plain.columns(panel), first = panel * panel_width<float>;
    for (int64_t c0 = 0; c0 < problem.channels; c0 += plan.channels) {
      const int64_t channels = smaller(plan.channels, problem.channels - c0),
                    tap_size = channels * width;
      for (int64_t k = 0; k < 9; ++k) {
        const S* const tap =
            plain.tap(group, first, phase, 0, k / 3, k % 3) + c0 * plain.from.inner_stride;
        plain.pack_tap(tap, smaller(width, problem.filters - first), width, channels,
                       taps + k * tap_size);
      }
      float* const to = transformed + group * weights().group_size() + weights().chunk(c0) +
                        weights().place(channels, 0, panel);
      const int64_t step = channels * weights().filters();
      for (int64_t i = 0; i < tap_size; i += lanes<float>) {
        Vec<float> g[3][3], u[4][4];
#pragma GCC unroll 9
        for (int k = 0; k < 9; ++k) g[k / 3][k % 3] = load(taps + k * tap_size + i);
        transform_weights(g, u);
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k) store(to + k * step + i, u[k / 4][k % 4]);
      }
    }
  }

  void compute(int64_t group, int64_t block, int64_t first_panel) const {
    alignas(64) float points[winograd_points * winograd_tiles * winograd_channels];
    alignas(64) float sums[winograd_points * winograd_tiles * winograd_filters];
    Phase phase[3];
    for (int i = 0; i < 3; ++i) phase[i] = tiled.axes[i].phase(0);
    Window w(plan, tiled, phase, block);
    Pixels tiles(w, out);
    const int64_t last_panel = smaller(first_panel + panels_a_task, plain.panels());
    for (int64_t c = 0; c < problem.channels; c += plan.channels) {
      w.look_at(c, smaller(plan.channels, problem.channels - c));
      winograd_input<S>(w, tiled, image, group, &tiles, points);
      const float* const chunk = transformed + group * weights().group_size() + weights().chunk(c);
      for (int64_t point = 0; point < winograd_points; ++point) {
        for (int64_t p = first_panel; p < last_panel; ++p) {
          multiply_point(tiles.count, points + point * tiles.count * w.channels, w.channels,
                         chunk + weights().place(w.channels, point, p), plain.columns(p),
                         sums + point * tiles.count * winograd_filters +
                             (p - first_panel) * panel_width<float>,
                         c > 0);
        }
      }
    }
    write(group, w, tiles, first_panel, last_panel, sums);
  }

  static void multiply_point(int64_t tiles, const float* points, int64_t channels,
                             const float* panel, int64_t width, float* sums, bool add) {
    const Walk walk(channels);
    Tile<float> tile;
    tile.weights = panel;
    tile.add = add;
    const int64_t parts = ceil_div(tiles, tile_pixels);
    for (int64_t part = 0, i = 0; part < parts; ++part) {
      const int64_t rows = (tiles - i) / (parts - part);
      for (int64_t r = 0; r < rows; ++r) {
        tile.pixels[r] = points + (i + r) * channels;
        tile.sums[r] = sums + (i + r) * winograd_filters;
      }
      multiplier<float>(rows, width)(tile, walk);
      i += rows;
    }
  }

  void write(int64_t group, const Window& w, const Pixels& tiles, int64_t first_panel,
             int64_t last_panel, const float* sums) const {
    const int64_t first = first_panel * panel_width<float>;
    const int64_t filters = smaller(last_panel * panel_width<float>, problem.filters) - first;
    const int64_t step = tiles.count * winograd_filters;
    for (int64_t t = 0; t < tiles.count; ++t) {
      const WinogradOutputs outputs(problem, w, tiles, out, t);
      S* const to = reinterpret_cast<S*>(out.data) + group * problem.filters + first;
      const auto transform = [&](auto vector, int64_t f) {
        using V = decltype(vector);
        V m[4][4], y[2][2];
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k) {
          __builtin_memcpy(&m[k / 4][k % 4], sums + k * step + t * winograd_filters + f, sizeof(V));
        }
        transform_output(m, y);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          if (!outputs.has(k / 2, k % 2)) continue;
          S* const place = to + outputs.at(k / 2, k % 2) + f;
          if constexpr (sizeof(V) == sizeof(float))
            *place = narrow<S>(y[k / 2][k % 2]);
          else
            store_as(place, y[k / 2][k % 2]);
        }
      };
      int64_t f = 0;
      for (; f + lanes<float> <= filters; f += lanes<float>) transform(Vec<float>{}, f);
      for (; f < filters; ++f) transform(float{}, f);
    }
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Problem tiled = winograd_problem(p);
    const Plan plan = winograd_plan(tiled);
    const Winograd job{p,
                       tiled,
                       plan,
                       {p, plan, Volume(call.inputs[1]), nullptr},
                       Volume(call.inputs[0]),
                       Volume(call.outputs[0]),
                       static_cast<float*>(call.workspace)};
    const int64_t panels = job.plain.panels();
    const int64_t grain = inline_elements / (9 * p.channels * panel_width<float>)+1;
    mlxk::parallel_for(p.groups * panels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) job.transform_panel(i / panels, i % panels);
    });
    const int64_t parts = ceil_div(panels, panels_a_task), blocks = plan.block_count();
    const int64_t tasks = p.groups * parts * blocks;
    const double share = static_cast<double>(tasks) / p.flops();
    mlxk::parallel_for(
        tasks, static_cast<int64_t>(share * inline_flops) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            job.compute(i / (parts * blocks), i / parts % blocks, i % parts * panels_a_task);
          }
        });
  }

  static size_t workspace(const Problem& p) {
    return static_cast<size_t>(p.groups * winograd_points * p.channels *
                               round_up(p.filters, lanes<float>)) *
           sizeof(float);
  }
};

// ---- the gradient of the weights ----------------------------------------------------------------

// The sum over tiles of (A c Aᵀ) ∘ (Bᵀ d B), of which Gᵀ (...) G is the gradient.
template <class S> struct WinogradGradient {
  static constexpr int64_t wanted_tasks = 32;
  static constexpr int64_t sums_bytes = 8 << 20;

  const Problem& problem;
  const Problem& tiled;
  const Plan& plan;
  Weights<S, float> plain;
  Volume image, cotangent;
  int64_t pieces, splits, panels_a_task;
  float* sums;

  WinogradWeights<S> weights() const { return {plain, plan}; }
  int64_t piece_size() const { return problem.groups * weights().group_size(); }

  void compute(int64_t piece, int64_t group, int64_t channel, int64_t split) const {
    const int64_t begin = piece * plan.block_count() / pieces,
                  end = (piece + 1) * plan.block_count() / pieces;
    float* const to =
        sums + piece * piece_size() + group * weights().group_size() + weights().chunk(channel);
    for (int64_t block = begin; block < end; ++block)
      add_block(group, block, channel, split, block > begin, to);
  }

  void add_block(int64_t group, int64_t block, int64_t channel, int64_t split, bool add,
                 float* to) const {
    alignas(64) float points[winograd_points * winograd_tiles * winograd_channels];
    alignas(64) float panel[winograd_points * winograd_tiles * panel_width<float>];
    Phase phase[3];
    for (int i = 0; i < 3; ++i) phase[i] = tiled.axes[i].phase(0);
    Window w(plan, tiled, phase, block);
    Pixels tiles(w, cotangent);
    w.look_at(channel, smaller(plan.channels, problem.channels - channel));
    winograd_input<S>(w, tiled, image, group, &tiles, points);
    const int64_t last = smaller((split + 1) * panels_a_task, plain.panels());
    int64_t places[winograd_tiles];
    for (int64_t t = 0; t < tiles.count; ++t) places[t] = t * w.channels;
    for (int64_t p = split * panels_a_task; p < last; ++p) {
      const int64_t width = plain.columns(p);
      transform_panel(group, w, tiles, p, width, panel);
      for (int64_t point = 0; point < winograd_points; ++point) {
        Accumulation<float> a{points + point * tiles.count * w.channels,
                              places,
                              tiles.count,
                              panel + point * tiles.count * width,
                              to + weights().place(w.channels, point, p),
                              add};
        const int64_t parts = ceil_div(w.channels, tile_pixels);
        for (int64_t part = 0, c = 0; part < parts; ++part) {
          const int64_t rows = (w.channels - c) / (parts - part);
          int64_t offsets[tile_pixels];
          for (int64_t r = 0; r < rows; ++r) offsets[r] = c + r;
          accumulator<float>(rows, width)(a, offsets);
          a.sums += rows * width;
          c += rows;
        }
      }
    }
  }

  // The cotangents of a block as (point, tile, filter of the panel).
  void transform_panel(int64_t group, const Window& w, const Pixels& tiles, int64_t panel,
                       int64_t width, float* to) const {
    const int64_t first = group * problem.filters + panel * panel_width<float>;
    const int64_t filters = smaller(width, problem.filters - panel * panel_width<float>);
    const S* const from =
        reinterpret_cast<const S*>(cotangent.data) + first * cotangent.inner_stride;
    for (int64_t t = 0; t < tiles.count; ++t, to += width) {
      const WinogradOutputs outputs(problem, w, tiles, cotangent, t);
      alignas(64) float rows[4][panel_width<float>] = {};
      for (int k = 0; k < 4; ++k) {
        if (!outputs.has(k / 2, k % 2)) continue;
        const S* const row = from + outputs.at(k / 2, k % 2);
        if (cotangent.inner_stride == 1)
          copy_row(row, filters, rows[k]);
        else
          load_row<S, float>(row, cotangent.inner_stride, filters, rows[k]);
      }
      for (int64_t f = 0; f < width; f += lanes<float>) {
        Vec<float> y[2][2], m[4][4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) y[k / 2][k % 2] = load(rows[k] + f);
        transform_cotangent(y, m);
#pragma GCC unroll 16
        for (int k = 0; k < 16; ++k) store(to + k * tiles.count * width + f, m[k / 4][k % 4]);
      }
    }
  }

  // Adds the pieces of a panel up and writes them as weights.
  void write(int64_t group, int64_t panel) const {
    Phase phase[3];
    for (int i = 0; i < 3; ++i) phase[i] = problem.axes[i].phase(0);
    const int64_t width = plain.columns(panel), first = panel * panel_width<float>;
    const int64_t filters = smaller(width, problem.filters - first);
    for (int64_t c0 = 0; c0 < problem.channels; c0 += plan.channels) {
      const int64_t channels = smaller(plan.channels, problem.channels - c0);
      const int64_t step = channels * weights().filters();
      const float* from = sums + group * weights().group_size() + weights().chunk(c0) +
                          weights().place(channels, 0, panel);
      for (int64_t c = 0; c < channels; ++c, from += width) {
        alignas(64) float taps[9][panel_width<float>];
        for (int64_t f = 0; f < width; f += lanes<float>) {
          Vec<float> u[4][4], g[3][3];
          for (int k = 0; k < 16; ++k) {
            Vec<float> total = load(from + k * step + f);
            for (int64_t p = 1; p < pieces; ++p)
              total += load(from + p * piece_size() + k * step + f);
            u[k / 4][k % 4] = total;
          }
          transform_gradient(u, g);
          for (int k = 0; k < 9; ++k) store(taps[k] + f, g[k / 3][k % 3]);
        }
        for (int64_t k = 0; k < 9; ++k) {
          S* const to = const_cast<S*>(plain.tap(group, first, phase, 0, k / 3, k % 3)) +
                        (c0 + c) * plain.from.inner_stride;
          for (int64_t f = 0; f < filters; ++f)
            to[f * plain.from.outer_stride] = narrow<S>(taps[k][f]);
        }
      }
    }
  }

  static int64_t count_pieces(const Problem& p, const Plan& plan) {
    const int64_t bytes = static_cast<int64_t>(Winograd<S>::workspace(p));
    const int64_t most = smaller(larger(sums_bytes / bytes, 1), plan.block_count());
    return smaller(ceil_div(wanted_tasks, p.groups * ceil_div(p.channels, plan.channels)), most);
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Problem tiled = winograd_problem(p);
    const Plan plan = winograd_plan(tiled);
    const Weights<S, float> plain{p, plan, Volume(call.outputs[0]), nullptr};
    const int64_t pieces = count_pieces(p, plan), chunks = ceil_div(p.channels, plan.channels);
    const int64_t panels = plain.panels();
    const int64_t panels_a_task =
        ceil_div(panels, ceil_div(wanted_tasks, p.groups * chunks * pieces));
    const int64_t splits = ceil_div(panels, panels_a_task);
    const WinogradGradient job{p,
                               tiled,
                               plan,
                               plain,
                               Volume(call.inputs[0]),
                               Volume(call.inputs[1]),
                               pieces,
                               splits,
                               panels_a_task,
                               static_cast<float*>(call.workspace)};
    const int64_t tasks = p.groups * chunks * pieces * splits;
    const double share = static_cast<double>(tasks) / p.flops();
    mlxk::parallel_for(
        tasks, static_cast<int64_t>(share * inline_flops) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            job.compute(i % pieces, i / (pieces * splits * chunks),
                        i / (pieces * splits) % chunks * plan.channels, i / pieces % splits);
          }
        });
    const int64_t grain =
        inline_elements / (winograd_points * p.channels * panel_width<float> * pieces) + 1;
    mlxk::parallel_for(p.groups * panels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) job.write(i / panels, i % panels);
    });
  }

  static size_t workspace(const Problem& p) {
    const Plan plan = winograd_plan(winograd_problem(p));
    return Winograd<S>::workspace(p) * static_cast<size_t>(count_pieces(p, plan));
  }
};

}  // namespace
