// The gradient of the weights of convolutions in which every filter sees one channel.
#pragma once

#include "cpu/conv/depthwise.h"
#include "cpu/integers.h"

namespace {

// For K taps of a row the sums over some outputs of the cotangent times what the tap sees.
template <class T, class V, int K>
static void depthwise_row(const T* from, int64_t output_step, int64_t tap_step, int64_t outputs,
                          const T* cotangent, int64_t cotangent_step, T* sums, int64_t sum_step) {
  V total[K];
#pragma GCC unroll 8
  for (int k = 0; k < K; ++k) total[k] = load_vector<V>(sums + k * sum_step);
  for (int64_t i = 0; i < outputs; ++i) {
    const V c = load_vector<V>(cotangent + i * cotangent_step);
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) {
      total[k] += load_vector<V>(from + i * output_step + k * tap_step) * c;
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < K; ++k) __builtin_memcpy(sums + k * sum_step, &total[k], sizeof(V));
}

// The same for three rows of three taps: cotangents are loaded once for all, and there are sums
// enough to hide the latency of the multiplications.
template <class T, class V>
static void depthwise_square(const DepthwiseLine<T>& line, const T* from, int64_t outputs,
                             const T* cotangent, int64_t cotangent_step, T* sums) {
  V total[3][3];
#pragma GCC unroll 3
  for (int h = 0; h < 3; ++h) {
#pragma GCC unroll 3
    for (int w = 0; w < 3; ++w)
      total[h][w] = load_vector<V>(sums + h * line.weight_step[1] + w * line.weight_step[2]);
  }
  for (int64_t i = 0; i < outputs; ++i) {
    const V c = load_vector<V>(cotangent + i * cotangent_step);
#pragma GCC unroll 3
    for (int h = 0; h < 3; ++h) {
#pragma GCC unroll 3
      for (int w = 0; w < 3; ++w)
        total[h][w] += load_vector<V>(from + h * line.step[1] + w * line.step[2]) * c;
    }
    from += line.output_step;
  }
#pragma GCC unroll 3
  for (int h = 0; h < 3; ++h) {
#pragma GCC unroll 3
    for (int w = 0; w < 3; ++w) {
      __builtin_memcpy(sums + h * line.weight_step[1] + w * line.weight_step[2], &total[h][w],
                       sizeof(V));
    }
  }
}

// A line's outputs, from `first` on, whose taps all stay in the image.
template <class T, class V>
static void depthwise_taps(const DepthwiseLine<T>& line, const T* first, int64_t outputs,
                           const T* cotangent, int64_t cotangent_step, T* sums) {
  for (int64_t d = 0; d < line.count[0]; ++d) {
    if (line.count[1] == 3 && line.count[2] == 3) {
      depthwise_square<T, V>(line, first + d * line.step[0], outputs, cotangent, cotangent_step,
                             sums + d * line.weight_step[0]);
      continue;
    }
    for (int64_t h = 0; h < line.count[1]; ++h) {
      const T* from = first + d * line.step[0] + h * line.step[1];
      T* row = sums + d * line.weight_step[0] + h * line.weight_step[1];
      const auto taps = [&](auto multiply, int64_t k) {
        multiply(from, line.output_step, line.step[2], outputs, cotangent, cotangent_step, row,
                 line.weight_step[2]);
        from += k * line.step[2];
        row += k * line.weight_step[2];
      };
      int64_t left = line.count[2];
      for (; left >= 5; left -= 5) taps(depthwise_row<T, V, 5>, 5);
      for (; left >= 3; left -= 3) taps(depthwise_row<T, V, 3>, 3);
      for (; left > 0; --left) taps(depthwise_row<T, V, 1>, 1);
    }
  }
}

template <class S, class T> struct DepthwiseGradient {
  static constexpr int64_t region_elements = Depthwise<S, T>::region_elements;
  static constexpr int64_t wanted_tasks = 64;
  static constexpr int64_t stretch = 16;  // outputs whose cotangents stay in the first-level cache

  const Problem& whole;
  const Plan& plan;
  int64_t repeat, pieces;
  Volume image, cotangent;
  T* sums;  // (piece, tap, filter)

  int64_t piece_size() const { return whole.taps() * whole.channels; }

  void add_outputs(const DepthwiseLine<T>& line, const T* first, int64_t outputs, int64_t filters,
                   const T* from, int64_t step, T* to) const {
    int64_t c = 0;
    for (; c + lanes<T> <= filters; c += lanes<T>) {
      depthwise_taps<T, Vec<T>>(line, first + c, outputs, from + c, step, to + line.weight + c);
    }
    for (; c < filters; ++c) {
      depthwise_taps<T, T>(line, first + c, outputs, from + c, step, to + line.weight + c);
    }
  }

  // `from` are the cotangents of the line, `step` apart.
  void add_line(const DepthwiseLine<T>& line, int64_t filters, const T* from, int64_t step,
                T* to) const {
    const int64_t begin = line.begin(), end = line.end();
    const auto beside = [&](int64_t i) {
      const DepthwiseLine<T> one = line.output(i);
      add_outputs(one, one.from, 1, filters, from + i * step, step, to);
    };
    for (int64_t i = 0; i < begin; ++i) beside(i);
    for (int64_t i = begin; i < end; i += stretch) {
      add_outputs(line, line.from + i * line.output_step, smaller(stretch, end - i), filters,
                  from + i * step, step, to);
    }
    for (int64_t i = end; i < line.outputs; ++i) beside(i);
  }

  void add_lines(const Phase* phase, int64_t begin, int64_t end, T* to) const {
    const DepthwiseView<T> view(whole, phase, image);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t height = i % phase[1].outputs, rest = i / phase[1].outputs;
      const int64_t depth = rest % phase[0].outputs, n = rest / phase[0].outputs;
      add_line(view.line(n, depth, height, phase[2].outputs), whole.channels,
               reinterpret_cast<const T*>(cotangent.data) +
                   line_offset(cotangent, phase, n, depth, height),
               phase[2].every * cotangent.strides[2], to);
    }
  }

  void add_block(const Phase* phase, int64_t block, int64_t chunk, T* to) const {
    alignas(64) T region[region_elements];
    alignas(64) T line[region_elements];
    Window w(plan, whole, phase, block);
    w.repeat = repeat;
    w.look_at(chunk * plan.channels,
              smaller(plan.channels, whole.channels - chunk * plan.channels));
    if (w.pixels() == 0 || !w.sees_something()) return;
    w.pack<S, T>(whole, image, 0, region);
    const DepthwiseView<T> view(whole, w, region);
    const int64_t step = phase[2].every * cotangent.strides[2];
    const S* const base =
        reinterpret_cast<const S*>(cotangent.data) + w.first_channel * cotangent.inner_stride;
    for (int64_t n = 0; n < w.count[0]; ++n) {
      for (int64_t d = 0; d < w.count[1]; ++d) {
        for (int64_t h = 0; h < w.count[2]; ++h) {
          const int64_t at =
              line_offset(cotangent, phase, w.first[0] + n, w.first[1] + d, w.first[2] + h);
          copy_pixels(base + at + w.first[3] * step, step, w.count[3], cotangent.inner_stride,
                      w.channels, line);
          add_line(view.line(n, d, h, w.count[3]), w.channels, line, w.channels,
                   to + w.first_channel);
        }
      }
    }
  }

  bool in_place() const {
    return reads_image<S, T>(image, repeat) && reads_image<S, T>(cotangent, 1);
  }
  int64_t chunks() const { return in_place() ? 1 : ceil_div(whole.channels, plan.channels); }

  // A share of the outputs of every phase.
  void compute(int64_t piece, int64_t chunk) const {
    T* const to = sums + piece * piece_size();
    const int64_t first = chunk * plan.channels;
    for (int64_t t = 0; t < whole.taps(); ++t) {
      zero(to + t * whole.channels + first,
           in_place() ? whole.channels : smaller(plan.channels, whole.channels - first));
    }
    for (int64_t number = 0; number < plan.phase_count(); ++number) {
      int64_t index[3];
      Phase phase[3];
      read_phase(whole, plan, number, index, phase);
      const int64_t all =
          in_place() ? whole.batch * phase[0].outputs * phase[1].outputs : plan.block_count();
      const int64_t begin = piece * all / pieces, end = (piece + 1) * all / pieces;
      if (in_place()) add_lines(phase, begin, end, to);
      for (int64_t b = begin; b < end && !in_place(); ++b) add_block(phase, b, chunk, to);
    }
  }

  // Adds the pieces up and writes (filter, tap).
  void write(const Volume& out) const {
    const Axis* a = whole.axes;
    const T* from = sums;
    for (int64_t d = 0; d < a[0].kernel; ++d) {
      for (int64_t h = 0; h < a[1].kernel; ++h) {
        for (int64_t w = 0; w < a[2].kernel; ++w) {
          S* const to = reinterpret_cast<S*>(out.data) + d * out.strides[0] + h * out.strides[1] +
                        w * out.strides[2];
          for (int64_t f = 0; f < whole.channels; ++f, ++from) {
            T total = from[0];
            for (int64_t p = 1; p < pieces; ++p) total += from[p * piece_size()];
            to[f * out.outer_stride] = narrow<S>(total);
          }
        }
      }
    }
  }

  static int64_t count_pieces(const Problem& whole) {
    return smaller(wanted_tasks, larger(whole.pixels() / 256, 1));
  }

  static void run(const KernelCall& call, const Problem& p) {
    const Problem whole = ungrouped(p);
    const Plan plan = depthwise_plan<T>(whole);
    const DepthwiseGradient job{whole,
                                plan,
                                p.filters,
                                count_pieces(whole),
                                Volume(call.inputs[0]),
                                Volume(call.inputs[1]),
                                static_cast<T*>(call.workspace)};
    const int64_t chunks = job.chunks(), tasks = job.pieces * chunks;
    const double share = static_cast<double>(tasks) / p.flops();
    mlxk::parallel_for(tasks, static_cast<int64_t>(share * inline_flops / 4) + 1,
                       [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) job.compute(i / chunks, i % chunks);
                       });
    job.write(Volume(call.outputs[0]));
  }

  static size_t workspace(const Problem& p) {
    const Problem whole = ungrouped(p);
    return static_cast<size_t>(count_pieces(whole) * whole.taps() * whole.channels) * sizeof(T);
  }
};

}  // namespace
