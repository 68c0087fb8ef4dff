// The gradient of a convolution's weights: for each filter, tap and channel the sum over outputs of
// the cotangent times what the tap saw.
//
// The sums have the layout of packed weights. The blocks of outputs are cut into pieces, by shape
// alone; each piece has sums of its own, which are added up at the end.
#pragma once

#include "cpu/conv/forward.h"
#include "cpu/integers.h"

namespace {

// Rows are products (taps and channels), columns filters; what goes by are outputs.
template <class T> struct Accumulation {
  const T* input;
  const int64_t* places;  // of the outputs, in the input
  int64_t outputs;
  const T* cotangent;  // (outputs, filters of the panel)
  T* sums;             // (rows, filters of the panel)
  bool add;
};

template <class T, int R, int V>
static void accumulate(const Accumulation<T>& a, const int64_t* offsets) {
  constexpr int width = lanes<T>;
  const T* cotangent = a.cotangent;
  int64_t offset[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) offset[r] = offsets[r];
  Vec<T> sums[R][V] = {};
  for (int64_t i = 0; i < a.outputs; ++i) {
    const T* const from = a.input + a.places[i];
    Vec<T> factor[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) factor[v] = load(cotangent + v * width);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const T x = from[offset[r]];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums[r][v] += x * factor[v];
    }
    cotangent += V * width;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      T* const to = a.sums + (r * V + v) * width;
      store(to, a.add ? load(to) + sums[r][v] : sums[r][v]);
    }
  }
}

template <class T> using Accumulate = void (*)(const Accumulation<T>&, const int64_t*);

template <class T, int V> static Accumulate<T> accumulator(int64_t rows) {
  switch (rows) {
    case 1: return accumulate<T, 1, V>;
    case 2: return accumulate<T, 2, V>;
    case 3: return accumulate<T, 3, V>;
    case 4: return accumulate<T, 4, V>;
    case 5: return accumulate<T, 5, V>;
    default: return accumulate<T, 6, V>;
  }
}

template <class T> static Accumulate<T> accumulator(int64_t rows, int64_t columns) {
  switch (columns / lanes<T>) {
    case 1: return accumulator<T, 1>(rows);
    case 2: return accumulator<T, 2>(rows);
#if defined(__AVX512F__) || defined(__aarch64__)
    case 3: return accumulator<T, 3>(rows);
    case 4: return accumulator<T, 4>(rows);
#endif
    default: return nullptr;
  }
}

// Goes through the products of a walk in the order of packed weights.
struct Odometer {
  const Walk& walk;
  int64_t at[3] = {0, 0, 0}, i = 0;

  int64_t next() {
    const int64_t offset = at[0] * walk.step[0] + at[1] * walk.step[1] + at[2] * walk.step[2] + i;
    if (++i == walk.length) {
      i = 0;
      for (int k = 2; k >= 0 && ++at[k] == walk.count[k]; --k) at[k] = 0;
    }
    return offset;
  }
};

template <class S, class T> struct WeightGradient {
  static constexpr int64_t region_elements = Forward<S, T>::region_elements;
  static constexpr int64_t wanted_tasks = 32;
  static constexpr int64_t sums_bytes = 8 << 20;
  static constexpr int64_t panel_size = block_pixels * panel_width<T>;
  static constexpr int64_t panels_at_once = 64 / panel_width<T> > 1 ? 64 / panel_width<T> : 1;

  const Problem& problem;
  const Plan& plan;
  const Weights<S, T>& sums;  // only its layout and its memory
  Volume image, cotangent;
  int64_t pieces, splits, panels_a_task;

  int64_t piece_size() const { return problem.groups * sums.group_size(); }

  void compute(int64_t piece, int64_t split, int64_t group, const Phase* phase,
               const int64_t* index, int64_t wanted) const {
    int64_t number = 0;
    T* to =
        sums.packed + piece * piece_size() + group * sums.group_size() + sums.phase_offset(index);
    for_each_chunk(plan, phase, problem.channels,
                   [&](const int64_t* at, const int64_t* count, int64_t channel, int64_t channels) {
                     if (number++ == wanted) {
                       for (int64_t b = piece * plan.block_count() / pieces;
                            b < (piece + 1) * plan.block_count() / pieces; ++b) {
                         Window window(plan, problem, phase, b);
                         window.look_through(at, count, channel, channels);
                         add_block(window, group, split, b > piece * plan.block_count() / pieces,
                                   to);
                       }
                     }
                     to += count[0] * count[1] * count[2] * channels * sums.padded_filters();
                   });
  }

  void add_block(const Window& window, int64_t group, int64_t split, bool add, T* to) const {
    alignas(64) T region[region_elements];
    alignas(64) T cotangents[panels_at_once * panel_size];
    Pixels pixels(window, cotangent);
    pack(window, group, &pixels, region);
    const Walk walk(window);
    const int64_t products = walk.count[0] * walk.count[1] * walk.count[2] * walk.length;
    const int64_t last = smaller((split + 1) * panels_a_task, sums.panels());
    for (int64_t p = split * panels_a_task, packed = p; p < last; ++p) {
      if (p == packed) {
        packed = smaller(p + panels_at_once, last);
        pack_cotangents(pixels, group, p, packed, cotangents);
      }
      const int64_t width = sums.columns(p), first = p * panel_width<T>;
      const T* const panel = cotangents + (p - split * panels_a_task) % panels_at_once * panel_size;
      Accumulation<T> a{region, pixels.input, pixels.count, panel, to + products * first, add};
      Odometer odometer{walk};
      const int64_t tiles = ceil_div(products, tile_pixels);
      for (int64_t t = 0, row = 0; t < tiles; ++t) {
        const int64_t rows = (products - row) / (tiles - t);
        int64_t offsets[tile_pixels];
        for (int64_t r = 0; r < rows; ++r) offsets[r] = odometer.next();
        accumulator<T>(rows, width)(a, offsets);
        a.sums += rows * width;
        row += rows;
      }
    }
  }

  // Pixels of a single tap lie an odd number of cache lines apart, so that a column of them spreads
  // over all sets of the first-level cache.
  void pack(const Window& window, int64_t group, Pixels* pixels, T* region) const {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    const int64_t step = (ceil_div(window.channels, line) | 1) * line;
    if (!sees_image<S, T>(problem, image) || step * pixels->count > region_elements) {
      window.pack<S, T>(problem, image, group, region);
      pixels->place_in_region(window);
      return;
    }
    pixels->place_in_image(window, image);
    const S* const from =
        reinterpret_cast<const S*>(image.data) + group * problem.channels + window.first_channel;
    for (int64_t i = 0; i < pixels->count; ++i) {
      copy_row(from + pixels->input[i], window.channels, region + i * step);
      pixels->input[i] = i * step;
    }
  }

  // Panels of what lies at the pixels: all of a pixel together, since it is far to the next.
  void pack_cotangents(const Pixels& pixels, int64_t group, int64_t begin, int64_t end,
                       T* to) const {
    const int64_t step = cotangent.inner_stride;
    const S* const from =
        reinterpret_cast<const S*>(cotangent.data) + group * problem.filters * step;
    for (int64_t i = 0; i < pixels.count; ++i) {
      for (int64_t p = begin; p < end; ++p) {
        const int64_t width = sums.columns(p), first = p * panel_width<T>;
        const int64_t filters = smaller(width, problem.filters - first);
        const S* const row = from + pixels.output[i] + first * step;
        T* const at = to + (p - begin) * panel_size + i * width;
        if (step == 1 && filters == panel_width<T>) {
          copy_row(row, panel_width<T>, at);
        } else {
          load_row<S, T>(row, step, filters, at);
          zero(at + filters, width - filters);
        }
      }
    }
  }

  // Adds up the pieces of a panel of a phase and writes them as weights.
  void write(int64_t group, int64_t panel, const Phase* phase, const int64_t* index) const {
    const int64_t width = sums.columns(panel), first = panel * panel_width<T>;
    const int64_t filters = smaller(width, problem.filters - first);
    const T* from = sums.packed + group * sums.group_size() + sums.phase_offset(index);
    for_each_chunk(plan, phase, problem.channels,
                   [&](const int64_t* at, const int64_t* count, int64_t channel, int64_t channels) {
                     const int64_t products = count[0] * count[1] * count[2] * channels;
                     const T* row = from + products * first;
                     for (int64_t d = at[0]; d < at[0] + count[0]; ++d) {
                       for (int64_t h = at[1]; h < at[1] + count[1]; ++h) {
                         for (int64_t w = at[2]; w < at[2] + count[2]; ++w) {
                           S* const to =
                               const_cast<S*>(sums.tap(group, first, phase, d, h, w)) + channel;
                           for (int64_t c = 0; c < channels; ++c, row += width)
                             write_row(row, filters, to + c);
                         }
                       }
                     }
                     from += products * sums.padded_filters();
                   });
  }

  void write_row(const T* row, int64_t filters, S* to) const {
    for (int64_t f = 0; f < filters; f += lanes<T>) {  // rows are whole vectors
      Vec<T> total = load(row + f);
      for (int64_t p = 1; p < pieces; ++p) total += load(row + p * piece_size() + f);
      for (int64_t i = 0; i < smaller(lanes<T>, filters - f); ++i)
        to[(f + i) * sums.from.outer_stride] = narrow<S>(total[i]);
    }
  }

  // How the sums are cut: into pieces of the outputs, then also by filters.
  static int64_t count_pieces(const Problem& p, const Plan& plan, const Weights<S, T>& sums) {
    const int64_t bytes = p.groups * sums.group_size() * static_cast<int64_t>(sizeof(T));
    const int64_t most = smaller(larger(sums_bytes / larger(bytes, 1), 1), plan.block_count());
    return smaller(
        ceil_div(wanted_tasks, p.groups * plan.phase_count() * plan.chunk_count(p.channels)), most);
  }

  static bool all_taps_meet(const Problem& p, const Plan& plan) {
    int64_t met = 1;
    for (int i = 0; i < 3; ++i) {
      int64_t taps = 0;
      for (int64_t k = 0; k < plan.phases[i]; ++k) taps += p.axes[i].phase(k).taps;
      met *= taps;
    }
    return met == p.taps();
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Tensor& out = call.outputs[0];
    const Plan plan = make_plan(p, {region_elements});
    if (!all_taps_meet(p, plan)) zero(static_cast<S*>(out.data), out.size);
    const Weights<S, T> sums{p, plan, Volume(out), static_cast<T*>(call.workspace)};
    const int64_t pieces = count_pieces(p, plan, sums);
    const int64_t others = p.groups * plan.phase_count() * plan.chunk_count(p.channels) * pieces;
    const int64_t panels_a_task = ceil_div(sums.panels(), ceil_div(wanted_tasks, others));
    const WeightGradient gradient{p,
                                  plan,
                                  sums,
                                  Volume(call.inputs[0]),
                                  Volume(call.inputs[1]),
                                  pieces,
                                  ceil_div(sums.panels(), panels_a_task),
                                  panels_a_task};
    gradient.run_tasks();
  }

  void run_tasks() const {
    const int64_t chunks = plan.chunk_count(problem.channels), panels = sums.panels();
    const int64_t parts = problem.groups * plan.phase_count();
    const int64_t tasks = parts * chunks * splits * pieces;
    const double share = static_cast<double>(tasks) / problem.flops();
    mlxk::parallel_for(
        tasks, static_cast<int64_t>(share * inline_flops) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            int64_t index[3];
            Phase phase[3];
            const int64_t group =
                read_phase(problem, plan, i / (pieces * splits * chunks), index, phase);
            compute(i % pieces, i / pieces % splits, group, phase, index,
                    i / (pieces * splits) % chunks);
          }
        });
    const int64_t grain = parts * panels * inline_elements / (piece_size() * pieces) + 1;
    mlxk::parallel_for(parts * panels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t index[3];
        Phase phase[3];
        const int64_t group = read_phase(problem, plan, i / panels, index, phase);
        write(group, i % panels, phase, index);
      }
    });
  }

  static size_t workspace(const Problem& p) {
    const Plan plan = make_plan(p, {region_elements});
    const Weights<S, T> sums{p, plan, Volume(), nullptr};
    return static_cast<size_t>(p.groups * sums.group_size() * count_pieces(p, plan, sums)) *
           sizeof(T);
  }
};

}  // namespace
