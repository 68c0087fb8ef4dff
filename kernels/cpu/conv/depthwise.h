// Convolutions in which every filter sees one channel. There is nothing to share between filters,
// so vectors run along them: an output adds up a tap's weights times what the tap sees.
//
// Images of the compute type are read where they lie, line by line: above, below and beside them
// taps are left out. Others are packed, for a chunk of filters and a block of outputs, to a region
// that has everything the taps see.
#pragma once

#include "cpu/conv/region.h"
#include "cpu/integers.h"

namespace {

constexpr int64_t depthwise_filters = 64;  // of a packed region

// The whole problem as that of one group, whose channels are the filters.
static Problem ungrouped(Problem p) {
  p.channels = p.filters * p.groups;
  p.filters = 1;
  p.groups = 1;
  return p;
}

template <class T> static Plan depthwise_plan(const Problem& whole) {
  const int64_t elements = region_bytes / static_cast<int64_t>(sizeof(T));
  return make_plan(whole, {elements, elements, depthwise_filters * whole.taps()});
}

// Whether each filter has a channel of its own, or shares it with a few, and a region fits.
template <class T> static bool is_depthwise(const Problem& p) {
  return p.channels == 1 && p.groups > 1 && depthwise_plan<T>(ungrouped(p)).tap_chunks == 1;
}

// A line of outputs, and the taps that do not leave the image above, below, before or behind.
template <class T> struct DepthwiseLine {
  const T* from;   // what the first of those taps sees of output 0
  int64_t weight;  // and its weights
  int64_t count[3], step[3], weight_step[3];
  int64_t outputs, output_step;
  int64_t origin, stride, pitch, in;  // of the width: to know which taps leave the image beside it

  // The outputs from which no tap leaves the image.
  int64_t begin() const { return smaller(origin < 0 ? ceil_div(-origin, stride) : 0, outputs); }
  int64_t end() const {
    const int64_t room = in - 1 - origin - (count[2] - 1) * pitch;
    return larger(smaller(room < 0 ? 0 : room / stride + 1, outputs), begin());
  }
  // One output of the line, with the taps that stay in the image.
  DepthwiseLine output(int64_t i) const {
    DepthwiseLine one = *this;
    const int64_t at = origin + i * stride;
    const int64_t first = smaller(at < 0 ? ceil_div(-at, pitch) : 0, count[2]);
    one.count[2] = larger(smaller(at < in ? ceil_div(in - at, pitch) : 0, count[2]) - first, 0);
    one.from += i * output_step + first * step[2];
    one.weight += first * weight_step[2];
    return one;
  }
};

// All lines of outputs of a phase, seen in the image itself or in a packed region of it.
template <class T> struct DepthwiseView {
  const Problem& whole;
  const Phase* phase;
  const T* data;
  int64_t outer_stride, strides[3];
  bool packed;
  int64_t output_step[3], tap_step[3];

  DepthwiseView(const Problem& whole, const Phase* phase, const Volume& image)
      : whole(whole),
        phase(phase),
        data(reinterpret_cast<const T*>(image.data)),
        outer_stride(image.outer_stride),
        packed(false) {
    for (int i = 0; i < 3; ++i) {
      strides[i] = image.strides[i];
      output_step[i] = phase[i].step;
      tap_step[i] = phase[i].pitch;
    }
  }
  DepthwiseView(const Problem& whole, const Window& w, const T* region)
      : whole(whole), phase(w.phase), data(region), outer_stride(w.strides[0]), packed(true) {
    for (int i = 0; i < 3; ++i) {
      strides[i] = w.strides[1 + i];
      output_step[i] = w.extent[i].output_step;
      tap_step[i] = w.extent[i].tap_step;
    }
  }

  // The line of outputs at (image, depth, height), of which there are `outputs`.
  DepthwiseLine<T> line(int64_t image, int64_t depth, int64_t height, int64_t outputs) const {
    DepthwiseLine<T> line;
    const int64_t place[3] = {depth, height, 0};
    line.from = data + image * outer_stride;
    line.weight = 0;
    int64_t weight_stride = whole.channels;
    for (int i = 2; i >= 0; --i) {
      const Phase& p = phase[i];
      const int64_t origin = packed ? 0 : p.origin;
      int64_t first = 0, end = p.taps;
      if (!packed && i < 2 && p.taps > 0) {
        const int64_t at = origin + place[i] * p.step, in = whole.axes[i].in;
        first = smaller(at < 0 ? ceil_div(-at, p.pitch) : 0, p.taps);
        end = larger(smaller(at < in ? ceil_div(in - at, p.pitch) : 0, p.taps), first);
      }
      line.count[i] = end - first;
      line.step[i] = tap_step[i] * strides[i];
      line.weight_step[i] = p.weight_step * weight_stride;
      line.from += (origin + place[i] * output_step[i] + first * tap_step[i]) * strides[i];
      line.weight += (p.weight + first * p.weight_step) * weight_stride;
      weight_stride *= whole.axes[i].kernel;
    }
    line.outputs = outputs;
    line.output_step = output_step[2] * strides[2];
    line.origin = packed ? 0 : phase[2].origin;
    line.stride = output_step[2];
    line.pitch = larger(tap_step[2], 1);
    line.in = packed ? int64_t{1} << 62 : whole.axes[2].in;
    return line;
  }
};

template <class V, class T> MLXK_FN V load_vector(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// P outputs of a line, of which V has as many filters as lanes.
template <class S, class T, class V, int P>
static void depthwise_tile(const DepthwiseLine<T>& line, const T* first, const T* weights, S* to,
                           int64_t to_step) {
  V sums[P] = {};
  for (int64_t d = 0; d < line.count[0]; ++d) {
    for (int64_t h = 0; h < line.count[1]; ++h) {
      const T* from = first + d * line.step[0] + h * line.step[1];
      const T* factor = weights + d * line.weight_step[0] + h * line.weight_step[1];
      for (int64_t w = 0; w < line.count[2]; ++w) {
        const V f = load_vector<V>(factor);
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) sums[p] += load_vector<V>(from + p * line.output_step) * f;
        from += line.step[2];
        factor += line.weight_step[2];
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    if constexpr (sizeof(V) == sizeof(T))
      to[p * to_step] = narrow<S>(sums[p]);
    else
      store_as(to + p * to_step, sums[p]);
  }
}

// The same for taps of a row, three of them, that lie as far apart as the outputs: what several
// taps see is loaded once.
constexpr int sliding_taps = 3;
template <class S, class T, int P>
static void sliding_tile(const DepthwiseLine<T>& line, const T* first, const T* weights, S* to,
                         int64_t to_step) {
  using V = Vec<T>;
  V sums[P] = {};
  for (int64_t d = 0; d < line.count[0]; ++d) {
    for (int64_t h = 0; h < line.count[1]; ++h) {
      const T* const from = first + d * line.step[0] + h * line.step[1];
      const T* const factors = weights + d * line.weight_step[0] + h * line.weight_step[1];
      V f[sliding_taps];
#pragma GCC unroll 8
      for (int w = 0; w < sliding_taps; ++w) f[w] = load(factors + w * line.weight_step[2]);
#pragma GCC unroll 16
      for (int i = 0; i < P + sliding_taps - 1; ++i) {
        const V x = load(from + i * line.output_step);
#pragma GCC unroll 8
        for (int w = 0; w < sliding_taps; ++w) {
          if (i - w >= 0 && i - w < P) sums[i - w] += x * f[w];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) store_as(to + p * to_step, sums[p]);
}

// P outputs of all filters of the chunk.
template <class S, class T, int P>
static void depthwise_outputs(const DepthwiseLine<T>& line, const T* first, int64_t filters,
                              const T* weights, S* to, int64_t to_step) {
  const T* const factors = weights + line.weight;
  int64_t c = 0;
  if constexpr (P > 1) {
    if (line.count[2] == sliding_taps && line.step[2] == line.output_step) {
      for (; c + lanes<T> <= filters; c += lanes<T>)
        sliding_tile<S, T, P>(line, first + c, factors + c, to + c, to_step);
    }
  }
  for (; c + lanes<T> <= filters; c += lanes<T>) {
    depthwise_tile<S, T, Vec<T>, P>(line, first + c, factors + c, to + c, to_step);
  }
  for (; c < filters; ++c)
    depthwise_tile<S, T, T, P>(line, first + c, factors + c, to + c, to_step);
}

template <class S, class T>
static void depthwise_line(const DepthwiseLine<T>& line, int64_t filters, const T* weights, S* to,
                           int64_t to_step) {
  const int64_t begin = line.begin(), end = line.end();
  const auto beside = [&](int64_t i) {
    const DepthwiseLine<T> one = line.output(i);
    depthwise_outputs<S, T, 1>(one, one.from, filters, weights, to + i * to_step, to_step);
  };
  int64_t i = 0;
  for (; i < begin; ++i) beside(i);
  for (; i + 8 <= end; i += 8) {
    const T* const below = line.from + i * line.output_step + line.count[1] * line.step[1];
    for (int64_t k = 0; k < 8 * line.output_step; k += 64 / static_cast<int64_t>(sizeof(T)))
      __builtin_prefetch(below + k);
    depthwise_outputs<S, T, 8>(line, line.from + i * line.output_step, filters, weights,
                               to + i * to_step, to_step);
  }
  for (; i + 3 <= end; i += 3) {
    depthwise_outputs<S, T, 3>(line, line.from + i * line.output_step, filters, weights,
                               to + i * to_step, to_step);
  }
  for (; i < end; ++i) {
    depthwise_outputs<S, T, 1>(line, line.from + i * line.output_step, filters, weights,
                               to + i * to_step, to_step);
  }
  for (; i < line.outputs; ++i) beside(i);
}

// Weights as (tap, filter) in the compute type.
template <class S, class T> static void pack_taps(const Problem& whole, const Volume& from, T* to) {
  const Axis* a = whole.axes;
  for (int64_t d = 0; d < a[0].kernel; ++d) {
    for (int64_t h = 0; h < a[1].kernel; ++h) {
      for (int64_t w = 0; w < a[2].kernel; ++w, to += whole.channels) {
        const int64_t tap = d * from.strides[0] + h * from.strides[1] + w * from.strides[2];
        load_row<S, T>(reinterpret_cast<const S*>(from.data) + tap, from.outer_stride,
                       whole.channels, to);
      }
    }
  }
}

// Where the outputs of a phase lie: what is at (image, depth, height, 0).
static int64_t line_offset(const Volume& v, const Phase* p, int64_t n, int64_t d, int64_t h) {
  return n * v.outer_stride + (p[0].first + d * p[0].every) * v.strides[0] +
         (p[1].first + h * p[1].every) * v.strides[1] + p[2].first * v.strides[2];
}

template <class S, class T> MLXK_FN bool reads_image(const Volume& image, int64_t repeat) {
  return ms::same_type<S, T>::value && image.inner_stride == 1 && repeat == 1;
}

template <class S, class T> struct Depthwise {
  static constexpr int64_t region_elements = region_bytes / static_cast<int64_t>(sizeof(T));

  const Problem& whole;
  int64_t repeat;
  Volume image, out;
  const T* weights;

  S* place(const Phase* phase, int64_t n, int64_t d, int64_t h) const {
    return reinterpret_cast<S*>(out.data) + line_offset(out, phase, n, d, h);
  }
  int64_t place_step(const Phase* phase) const { return phase[2].every * out.strides[2]; }

  // Line `index` of the outputs of a phase, in the image.
  void compute_line(const Phase* phase, int64_t index) const {
    const int64_t height = index % phase[1].outputs, rest = index / phase[1].outputs;
    const int64_t depth = rest % phase[0].outputs, n = rest / phase[0].outputs;
    const DepthwiseView<T> view(whole, phase, image);
    depthwise_line<S, T>(view.line(n, depth, height, phase[2].outputs), whole.channels, weights,
                         place(phase, n, depth, height), place_step(phase));
  }

  // A block of the outputs of a phase, in a packed region.
  void compute_block(const Plan& plan, const Phase* phase, int64_t block, int64_t chunk) const {
    alignas(64) T region[region_elements];
    Window w(plan, whole, phase, block);
    w.repeat = repeat;
    w.look_at(chunk * plan.channels,
              smaller(plan.channels, whole.channels - chunk * plan.channels));
    if (w.pixels() == 0) return;
    if (w.sees_something()) w.pack<S, T>(whole, image, 0, region);
    const DepthwiseView<T> view(whole, w, region);
    for (int64_t n = 0; n < w.count[0]; ++n) {
      for (int64_t d = 0; d < w.count[1]; ++d) {
        for (int64_t h = 0; h < w.count[2]; ++h) {
          S* const to = place(phase, w.first[0] + n, w.first[1] + d, w.first[2] + h) +
                        w.first[3] * place_step(phase);
          depthwise_line<S, T>(view.line(n, d, h, w.count[3]), w.channels,
                               weights + w.first_channel, to + w.first_channel, place_step(phase));
        }
      }
    }
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Problem whole = ungrouped(p);
    T* const weights = static_cast<T*>(call.workspace);
    pack_taps<S, T>(whole, Volume(call.inputs[1]), weights);
    const Depthwise job{whole, p.filters, Volume(call.inputs[0]), Volume(call.outputs[0]), weights};
    const Plan plan = depthwise_plan<T>(whole);
    const bool in_place = reads_image<S, T>(job.image, p.filters);
    const int64_t chunks = in_place ? 1 : ceil_div(whole.channels, plan.channels);
    for (int64_t number = 0; number < plan.phase_count(); ++number) {
      int64_t index[3];
      Phase phase[3];
      read_phase(whole, plan, number, index, phase);
      const int64_t tasks =
          in_place ? p.batch * phase[0].outputs * phase[1].outputs : plan.block_count() * chunks;
      const double share = static_cast<double>(tasks * plan.phase_count()) / p.flops();
      mlxk::parallel_for(tasks, static_cast<int64_t>(share * inline_flops / 4) + 1,
                         [&](int64_t begin, int64_t end) {
                           for (int64_t i = begin; i < end; ++i) {
                             if (in_place)
                               job.compute_line(phase, i);
                             else
                               job.compute_block(plan, phase, i / chunks, i % chunks);
                           }
                         });
    }
  }

  static size_t workspace(const Problem& p) {
    return static_cast<size_t>(p.taps() * p.filters * p.groups) * sizeof(T);
  }
};

}  // namespace
