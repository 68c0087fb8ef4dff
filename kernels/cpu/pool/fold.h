// Folds of boxes: each element of a target is made of a box of elements of a source, of its
// channel. So maximum and mean are made of what a window sees, and the gradient of the mean is made
// of the cotangents of the windows that see an input. Nothing is added to what another thread
// wrote.
#pragma once

#include "cpu/pool/shape.h"

namespace {

struct Greatest {
  static constexpr bool adds = false;
  template <class V> static MLXK_MEMBER V combine(V acc, V x) { return ms::maximum(x, acc); }
};
struct Sum {
  static constexpr bool adds = true;
  template <class V> static MLXK_MEMBER V combine(V acc, V x) { return acc + x; }
};

// What a fold of elements T starts from, and what stands around an image.
template <class F, class V> MLXK_FN V neutral() {
  if constexpr (F::adds) {
    return ms::splat<V>(0);
  } else {
    return ms::least<V>();
  }
}
template <class V> MLXK_FN V margin() { return ms::least<V>(); }
template <> MLXK_MEMBER ms::complex64 margin<ms::complex64>() {
  return {-ms::infinity<float>(), 0};
}

template <class F, class S, class T> struct Fold {
  static constexpr int64_t run_pixels = 64;  // added up before they are added to the rest
  static constexpr int64_t line_elements = 4096;

  const Problem& p;
  const bool gathers_windows;  // the targets are inputs, and the boxes the windows that see them
  const Image<const S> from;
  const Image<S> to;
  const T divisor;

  int64_t targets(int axis) const { return gathers_windows ? p.axes[axis].in : p.axes[axis].out; }
  Span box(int axis, int64_t at) const {
    return gathers_windows ? p.axes[axis].seeing(at) : p.axes[axis].seen(at);
  }

  template <class V> V finished(V total) const {
    if constexpr (F::adds) {
      return total / ms::splat<V>(divisor);
    } else {
      return total;
    }
  }
  template <class V> V first(const Span* spans) const {
    if constexpr (ms::same_type<T, ms::complex64>::value) {
      return static_cast<double>(volume(spans)) < p.window() ? margin<V>() : neutral<F, V>();
    } else {
      return neutral<F, V>();
    }
  }

  // `width` vectors of channels of one target.
  template <class L, int width>
  void channel_block(const S* source, const Span* spans, S* target) const {
    using V = typename L::V;
    V total[width];
    for (int k = 0; k < width; ++k) total[k] = first<V>(spans);
    for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
      for (int64_t h = spans[1].begin; h < spans[1].end; ++h) {
        const S* row =
            source + d * from.strides[0] + h * from.strides[1] + spans[2].begin * from.strides[2];
        if constexpr (F::adds) {
          for (int64_t w = spans[2].begin; w < spans[2].end; w += run_pixels) {
            const int64_t count = smaller(run_pixels, spans[2].end - w);
            V run[width];
            for (int k = 0; k < width; ++k) run[k] = L::load(row + k * L::count);
            row += from.strides[2];
            for (int64_t i = 1; i < count; ++i, row += from.strides[2]) {
              for (int k = 0; k < width; ++k)
                run[k] = F::combine(run[k], L::load(row + k * L::count));
            }
            for (int k = 0; k < width; ++k) total[k] = F::combine(total[k], run[k]);
          }
        } else {
          for (int64_t w = spans[2].begin; w < spans[2].end; ++w, row += from.strides[2]) {
            for (int k = 0; k < width; ++k)
              total[k] = F::combine(total[k], L::load(row + k * L::count));
          }
        }
      }
    }
    for (int k = 0; k < width; ++k) L::store(target + k * L::count, finished(total[k]));
  }

  void pixel(int64_t n, const Span* spans, Span channels, S* target) const {
    using L = Many<S, T>;
    const S* source = from.at(n, 0, 0, 0);
    int64_t c = channels.begin;
    for (; c + 4 * L::count <= channels.end; c += 4 * L::count)
      channel_block<L, 4>(source + c, spans, target + c);
    for (; c + L::count <= channels.end; c += L::count)
      channel_block<L, 1>(source + c, spans, target + c);
    if (c == channels.end) return;
    if (channels.size() >= L::count) {
      // Some are computed twice.
      c = channels.end - L::count;
      return channel_block<L, 1>(source + c, spans, target + c);
    }
    for (; c < channels.end; ++c) channel_block<One<S, T>, 1>(source + c, spans, target + c);
  }

  // ---- few channels: the rows of a box are folded to a line in vectors, then places of the line --

  // Of the targets of a row, how many see no more than a line holds; zero if there is no line.
  int64_t targets_of_line() const {
    const Axis& a = p.axes[2];
    const int64_t pixels = line_elements / p.channels;
    if (p.channels >= Many<S, T>::count || from.strides[2] != p.channels) return 0;
    if (ms::same_type<T, ms::complex64>::value) return 0;
    if (gathers_windows) return larger((pixels - 1) * a.stride - a.window + 2, 0);
    return pixels < a.window ? 0 : (pixels - a.window) / a.stride + 1;
  }

  template <class L> void fold_rows(const S* source, const Span* spans, T* line) const {
    using V = typename L::V;
    V total = neutral<F, V>();
    for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
      for (int64_t h = spans[1].begin; h < spans[1].end; ++h)
        total = F::combine(total, L::load(source + d * from.strides[0] + h * from.strides[1]));
    }
    __builtin_memcpy(line, &total, sizeof total);
  }

  template <class L> void fold_line(const T* line, int64_t count, S* target) const {
    using V = typename L::V;
    V total = neutral<F, V>();
    for (int64_t i = 0; i < count; ++i) {
      V next;
      __builtin_memcpy(&next, line + i * p.channels, sizeof next);
      total = F::combine(total, next);
    }
    L::store(target, finished(total));
  }

  void row_by_line(int64_t n, const Span* spans, Span pixels, S* target) const {
    using L = Many<S, T>;
    alignas(64) T line[line_elements];
    const int64_t channels = p.channels;
    const Span seen{box(2, pixels.begin).begin, box(2, pixels.end - 1).end};
    const S* source = from.at(n, 0, 0, seen.begin);
    const int64_t elements = seen.size() * channels;
    int64_t i = 0;
    for (; i + L::count <= elements; i += L::count) fold_rows<L>(source + i, spans, line + i);
    for (; i < elements; ++i) fold_rows<One<S, T>>(source + i, spans, line + i);
    int64_t w = pixels.begin;
    while (w < pixels.end) {
      const Span span = box(2, w);
      const T* const begin = line + (span.begin - seen.begin) * channels;
      // Neighbours whose boxes are as large and one pixel on lie as vectors.
      int64_t alike = 1;
      if (p.axes[2].stride == 1) {
        const Span whole = inner(pixels);
        if (w >= whole.begin && w < whole.end) alike = whole.end - w;
      }
      const int64_t count = alike * channels;
      S* const to_row = target + (w - pixels.begin) * channels;
      int64_t c = 0;
      for (; c + L::count <= count; c += L::count) fold_line<L>(begin + c, span.size(), to_row + c);
      for (; c < count; ++c) fold_line<One<S, T>>(begin + c, span.size(), to_row + c);
      w += alike;
    }
  }
  // With a stride of one: the targets whose box is not cut off.
  Span inner(Span pixels) const {
    const Axis& a = p.axes[2];
    const int64_t before = gathers_windows ? a.window - 1 - a.low : a.low;
    const int64_t sources = gathers_windows ? a.out : a.in;
    return {larger(pixels.begin, before), smaller(pixels.end, sources - a.window + 1 + before)};
  }

  // ---- all ---------------------------------------------------------------------------------------

  // Targets [begin, end) of all pixels.
  void pixels(int64_t begin, int64_t end, Span channels, int64_t line) const {
    const int64_t width = targets(2), height = targets(1), depth = targets(0);
    while (begin < end) {
      const int64_t w = begin % width, h = begin / width % height;
      const int64_t d = begin / width / height % depth, n = begin / width / height / depth;
      const int64_t count = smaller(width - w, end - begin);
      Span spans[3] = {box(0, d), box(1, h), {}};
      S* target = to.at(n, d, h, w);
      if (line) {
        for (int64_t i = 0; i < count; i += line) {
          row_by_line(n, spans, {w + i, w + smaller(i + line, count)}, target + i * to.strides[2]);
        }
      } else {
        for (int64_t i = 0; i < count; ++i, target += to.strides[2]) {
          spans[2] = box(2, w + i);
          pixel(n, spans, channels, target);
        }
      }
      begin += count;
    }
  }

  void run() const {
    constexpr int64_t few_pixels = 64, block = 4 * Many<S, T>::count;
    const int64_t all = p.batch * targets(0) * targets(1) * targets(2);
    if (all * p.channels == 0) return;
    const int64_t line = targets_of_line();
    const int64_t each = inline_elements / (p.most_seen() * p.channels + 1) + 1;
    if (line || all >= few_pixels) {
      return mlxk::parallel_for(all, each, [&](int64_t begin, int64_t end) {
        pixels(begin, end, {0, p.channels}, line);
      });
    }
    const int64_t blocks = ceil_div(p.channels, block);
    mlxk::parallel_for(all * blocks, each * blocks, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t c = i % blocks * block;
        pixels(i / blocks, i / blocks + 1, {c, smaller(c + block, p.channels)}, 0);
      }
    });
  }
};

}  // namespace
