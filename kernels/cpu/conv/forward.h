// A convolution as a matrix product whose left factor is never written: rows are outputs, columns
// are filters, and what is summed over are taps and channels.
//
// Each block of outputs packs the region of the input that it reads and multiplies it with panels
// of packed weights. The next chunk of taps or channels adds to the sums.
#pragma once

#include "cpu/conv/tile.h"
#include "cpu/integers.h"

namespace {

// Weights in the order in which they are multiplied: group, phase, chunk, panel of filters, then
// (tap, channel, filter).
template <class S, class T> struct Weights {
  const Problem& problem;
  const Plan& plan;
  Volume from;
  T* packed;

  int64_t padded_filters() const { return round_up(problem.filters, lanes<T>); }
  int64_t panels() const { return ceil_div(problem.filters, panel_width<T>); }
  int64_t columns(int64_t panel) const {
    return smaller(panel_width<T>, padded_filters() - panel * panel_width<T>);
  }
  // Whether few filters see enough channels for vectors to run along these.
  bool by_dots() const {
    const int64_t taps = plan.taps[0] * plan.taps[1] * plan.taps[2];
    return problem.filters <= smaller(most_dots, lanes<T> - 1) && plan.channels % lanes<T> == 0 &&
           problem.channels % lanes<T> == 0 && taps * plan.channels >= 8 * lanes<T>;
  }
  int64_t group_size() const { return problem.taps() * problem.channels * padded_filters(); }

  // Where the weights of a phase begin: every tap belongs to one phase, or to none.
  int64_t phase_offset(const int64_t* index) const {
    int64_t taps[3] = {}, before[3] = {}, all[3] = {};
    for (int i = 0; i < 3; ++i) {
      for (int64_t k = 0; k < plan.phases[i]; ++k) {
        const int64_t n = problem.axes[i].phase(k).taps;
        all[i] += n;
        if (k < index[i]) before[i] += n;
        if (k == index[i]) taps[i] = n;
      }
    }
    const int64_t preceding =
        before[0] * all[1] * all[2] + taps[0] * (before[1] * all[2] + taps[1] * before[2]);
    return preceding * problem.channels * padded_filters();
  }

  void pack_panel(int64_t group, int64_t panel, const Phase* phase, T* to) const {
    const int64_t width = columns(panel), first = panel * panel_width<T>;
    const int64_t filters = smaller(width, problem.filters - first);
    const int64_t packed_width = by_dots() ? filters : width;
    for_each_chunk(plan, phase, problem.channels,
                   [&](const int64_t* at, const int64_t* count, int64_t channel, int64_t channels) {
                     const int64_t products = count[0] * count[1] * count[2] * channels;
                     T* out = to + products * first;
                     for (int64_t d = at[0]; d < at[0] + count[0]; ++d) {
                       for (int64_t h = at[1]; h < at[1] + count[1]; ++h) {
                         for (int64_t w = at[2]; w < at[2] + count[2];
                              ++w, out += channels * packed_width) {
                           pack_tap(tap(group, first, phase, d, h, w) + channel * from.inner_stride,
                                    filters, width, channels, out);
                         }
                       }
                     }
                     to += products * padded_filters();
                   });
  }

  const S* tap(int64_t group, int64_t filter, const Phase* phase, int64_t d, int64_t h,
               int64_t w) const {
    const int64_t t[3] = {d, h, w};
    int64_t offset = (group * problem.filters + filter) * from.outer_stride;
    for (int i = 0; i < 3; ++i) {
      offset += (phase[i].weight + t[i] * phase[i].weight_step) * from.strides[i];
    }
    return reinterpret_cast<const S*>(from.data) + offset;
  }

  void pack_tap(const S* tap, int64_t filters, int64_t width, int64_t channels, T* to) const {
    if (by_dots()) {
      for (int64_t f = 0; f < filters; ++f) {
        for (int64_t c = 0; c < channels; c += lanes<T>) {
          load_row<S, T>(tap + f * from.outer_stride + c * from.inner_stride, from.inner_stride,
                         lanes<T>, to + c * filters + f * lanes<T>);
        }
      }
      return;
    }
    if (filters < width) zero(to, channels * width);
    if (from.outer_stride == 1) {
      for (int64_t c = 0; c < channels; ++c) {
        load_row<S, T>(tap + c * from.inner_stride, 1, filters, to + c * width);
      }
    } else {
      for (int64_t f = 0; f < filters; ++f) {
        const S* const filter = tap + f * from.outer_stride;
        for (int64_t c = 0; c < channels; ++c) {
          to[c * width + f] = widen<T>(filter[c * from.inner_stride]);
        }
      }
    }
  }

  void pack() const {
    const int64_t count = problem.groups * plan.phase_count() * panels();
    const int64_t elements = group_size() * problem.groups;
    mlxk::parallel_for(
        count, count * inline_elements / (elements + 1) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            int64_t index[3];
            Phase phase[3];
            const int64_t rest = read_phase(problem, plan, i / panels(), index, phase);
            pack_panel(rest, i % panels(), phase,
                       packed + rest * group_size() + phase_offset(index));
          }
        });
  }
};

// A convolution of one tap without padding sees the image as it lies there, if that needs no
// conversion.
template <class S, class T> static bool sees_image(const Problem& problem, const Volume& image) {
  if (!ms::same_type<S, T>::value || image.inner_stride != 1) return false;
  for (const Axis& a : problem.axes) {
    if (a.kernel != 1 || a.input_dilation != 1 || a.low < 0 || a.low > 0) return false;
    if ((a.out - 1) * a.stride >= a.in) return false;
  }
  return true;
}

template <class S, class T> struct Forward {
  static constexpr bool same = ms::same_type<S, T>::value;
  static constexpr int64_t region_elements = region_bytes / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t sum_columns = same && panel_width<T> < 64 ? panel_width<T> : 64;

  const Problem& problem;
  const Plan& plan;
  const Weights<S, T>& weights;
  Volume image, out;
  int64_t panels_a_task;

  struct Task {
    int64_t group, first_panel, panels;
    Window window;
    const T* weights;  // of the phase
  };

  void compute(Task& task) const {
    alignas(64) T region[region_elements];
    alignas(64) T sums[block_pixels * sum_columns];
    Window& w = task.window;
    Pixels pixels(w, out);
    const T* chunk_weights = task.weights;
    const bool in_place = sees_image<S, T>(problem, image);
    const T* input = region;
    if (in_place) {
      pixels.place_in_image(w, image);
      input = reinterpret_cast<const T*>(image.data) + task.group * problem.channels;
    }
    bool add = false;
    for_each_chunk(plan, w.phase, problem.channels,
                   [&](const int64_t* at, const int64_t* count, int64_t channel, int64_t channels) {
                     w.look_through(at, count, channel, channels);
                     if (!in_place) {
                       w.pack<S, T>(problem, image, task.group, region);
                       pixels.place_in_region(w);
                     }
                     const int64_t products = count[0] * count[1] * count[2] * channels;
                     multiply_panels(task, pixels, in_place ? input + channel : input, Walk(w),
                                     chunk_weights, products, add, sums);
                     chunk_weights += products * weights.padded_filters();
                     add = true;
                   });
    flush(task, pixels, add, sums);
  }

  bool direct(int64_t panel) const {
    return same && (panel + 1) * panel_width<T> <= problem.filters;
  }
  // Sums of panels that are not written at once: all, or the last of a row.
  int64_t sum_stride(const Task& task) const {
    return same ? panel_width<T> : task.panels * panel_width<T>;
  }

  void multiply_panels(const Task& task, const Pixels& pixels, const T* input, const Walk& walk,
                       const T* chunk, int64_t products, bool add, T* sums) const {
    if (weights.by_dots()) return multiply_dots(pixels, input, walk, chunk, add, sums);
    const int64_t tiles = ceil_div(pixels.count, tile_pixels);
    T* const out_data = reinterpret_cast<T*>(out.data);
    for (int64_t p = task.first_panel; p < task.first_panel + task.panels; ++p) {
      const int64_t first = p * panel_width<T>, stride = sum_stride(task);
      Tile<T> tile;
      tile.weights = chunk + products * first;
      tile.add = add;
      int64_t i = 0;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t rows = (pixels.count - i) / (tiles - t);  // all about equally many
        for (int64_t r = 0; r < rows; ++r) {
          tile.pixels[r] = input + pixels.input[i + r];
          tile.sums[r] =
              direct(p) ? out_data + pixels.output[i + r] + task.group * problem.filters + first
                        : sums + (i + r) * stride +
                              (same ? 0 : first - task.first_panel * panel_width<T>);
        }
        multiplier<T>(rows, weights.columns(p))(tile, walk);
        i += rows;
      }
    }
  }

  // The only panel, of few filters.
  void multiply_dots(const Pixels& pixels, const T* input, const Walk& walk, const T* chunk,
                     bool add, T* sums) const {
    const Dots<T> few = dots<T>(problem.filters);
    T beyond[most_dots] = {};  // tiles are whole: the last one repeats a pixel
    Tile<T> tile;
    tile.weights = chunk;
    tile.add = add;
    for (int64_t i = 0; i < pixels.count; i += few.pixels) {
      for (int64_t r = 0; r < few.pixels; ++r) {
        tile.pixels[r] = input + pixels.input[smaller(i + r, pixels.count - 1)];
        tile.sums[r] = i + r < pixels.count ? sums + (i + r) * panel_width<T> : beyond;
      }
      few.multiply(tile, walk);
    }
  }

  // Writes what was summed beside the output; zeros where there was nothing to sum.
  void flush(const Task& task, const Pixels& pixels, bool summed, const T* sums) const {
    const int64_t last = task.first_panel + task.panels;
    int64_t panel = task.first_panel;
    if (summed && same) panel = direct(last - 1) ? last : last - 1;
    const int64_t first = panel * panel_width<T>;
    const int64_t filters = smaller(last * panel_width<T>, problem.filters) - first;
    for (int64_t i = 0; i < pixels.count; ++i) {
      S* const to =
          reinterpret_cast<S*>(out.data) + pixels.output[i] + task.group * problem.filters + first;
      if (!summed)
        zero(to, filters);
      else
        store_row(sums + i * sum_stride(task), filters, to);
    }
  }

  static void store_row(const T* from, int64_t n, S* to) {
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) store_as(to + i, load(from + i));
    for (; i < n; ++i) to[i] = narrow<S>(from[i]);
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Plan plan = make_plan(p, {region_elements});
    const Weights<S, T> weights{p, plan, Volume(call.inputs[1]), static_cast<T*>(call.workspace)};
    weights.pack();
    const int64_t panels = weights.panels();
    const int64_t blocks = plan.block_count() * plan.phase_count() * p.groups;
    int64_t splits = smaller(larger(ceil_div(16, blocks), 1), panels);
    const int64_t most = same ? panels : sum_columns / panel_width<T>;
    const int64_t panels_a_task = smaller(ceil_div(panels, splits), most);
    const Forward forward{
        p, plan, weights, Volume(call.inputs[0]), Volume(call.outputs[0]), panels_a_task};
    forward.run_tasks(panels);
  }

  void run_tasks(int64_t panels) const {
    const int64_t splits = ceil_div(panels, panels_a_task);
    const int64_t tasks = problem.groups * plan.phase_count() * plan.block_count() * splits;
    const int64_t grain =
        static_cast<int64_t>(static_cast<double>(tasks) * inline_flops / problem.flops()) + 1;
    mlxk::parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t split = i % splits, block = i / splits % plan.block_count();
        int64_t index[3];
        Phase phase[3];
        const int64_t group =
            read_phase(problem, plan, i / splits / plan.block_count(), index, phase);
        Task task{group, split * panels_a_task,
                  smaller(panels_a_task, panels - split * panels_a_task),
                  Window(plan, problem, phase, block),
                  weights.packed + group * weights.group_size() + weights.phase_offset(index)};
        if (task.window.pixels()) compute(task);
      }
    });
  }

  static size_t workspace(const Problem& p) {
    return static_cast<size_t>(p.groups * p.taps() * p.channels * round_up(p.filters, lanes<T>)) *
           sizeof(T);
  }
};

}  // namespace
