// Folds of boxes: each element of a target is made of a box of elements of a source, of its
// channel. So maximum and mean are made of what a window sees, and the gradient of the mean is made
// of the cotangents of the windows that see an input. Nothing is added to what another thread
// wrote.
#pragma once

#include "cpu/integers.h"
#include "cpu/pool/shape.h"

namespace {

template <class V> constexpr bool is_float = ms::lane_info<ms::lane_t<V>>::is == 'F';

// The greatest of some elements. Of floats it is cheaper to see apart whether one is NaN.
template <class V, bool is_float> struct GreatestOf {
  V most = ms::least<V>();
  MLXK_MEMBER void take(V x) { most = ms::maximum(x, most); }
  MLXK_MEMBER V value() const { return most; }
};
template <class V> struct GreatestOf<V, true> {
  V most = ms::least<V>();
  ms::mask_of<V> nan{};
  MLXK_MEMBER void take(V x) {
    most = ms::select(x > most, x, most);
    nan = nan | ms::is_nan(x);
  }
  MLXK_MEMBER V value() const {
    using T = ms::lane_t<V>;
    return ms::select(nan, ms::splat<V>(static_cast<T>(__builtin_nan(""))), most);
  }
};
template <class V> struct SumOf {
  V sum = ms::splat<V>(0);
  MLXK_MEMBER void take(V x) { sum = sum + x; }
  MLXK_MEMBER V value() const { return sum; }
};

struct Greatest {
  static constexpr bool adds = false;
  template <class V> using of = GreatestOf<V, is_float<V>>;
};
struct Sum {
  static constexpr bool adds = true;
  template <class V> using of = SumOf<V>;
};

// What stands around an image whose greatest elements are sought.
template <class V> MLXK_FN V margin() { return ms::least<V>(); }
template <> MLXK_MEMBER ms::complex64 margin<ms::complex64>() {
  return {-ms::infinity<float>(), 0};
}

template <class F, class S, class T> struct Fold {
  static constexpr int64_t run_pixels = 64;  // added up before they are added to the rest
  static constexpr int64_t few_pixels = 4;   // need not be
  static constexpr int64_t line_elements = 4096;

  const Problem& p;
  const bool gathers_windows;  // the targets are inputs, and the boxes the windows that see them
  const Image<const S> from;
  const Image<S> to;
  const T divisor;
  const bool has_inverse = is_power_of_two(p.window());

  static bool is_power_of_two(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return (bits << 12) == 0;
  }

  int64_t targets(int axis) const { return gathers_windows ? p.axes[axis].in : p.axes[axis].out; }
  Span box(int axis, int64_t at) const {
    return gathers_windows ? p.axes[axis].seeing(at) : p.axes[axis].seen(at);
  }

  template <class V> V finished(V total) const {
    if constexpr (F::adds) {
      // Rounds once where the divisor is a power of two: there its inverse is exact.
      const V d = ms::splat<V>(divisor);
      return has_inverse ? total * ms::splat<V>(1 / divisor) : total / d;
    } else {
      return total;
    }
  }

  // `width` vectors of channels of one target.
  template <class L, int width>
  MLXK_MEMBER void channel_block(const S* source, const Span* spans, S* target) const {
    using V = typename L::V;
    typename F::template of<V> total[width];
    if constexpr (ms::same_type<T, ms::complex64>::value) {
      if (static_cast<double>(volume(spans)) < p.window()) {
        for (auto& one : total) one.take(margin<V>());
      }
    }
    const int64_t columns = spans[2].size();
    for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
      for (int64_t h = spans[1].begin; h < spans[1].end; ++h) {
        const S* row =
            source + d * from.strides[0] + h * from.strides[1] + spans[2].begin * from.strides[2];
        if (!F::adds || columns <= few_pixels) {
          repeat(columns, [&](int64_t i) __attribute__((always_inline)) {
            const S* at = row + i * from.strides[2];
            for (int k = 0; k < width; ++k) total[k].take(L::load(at + k * L::count));
          });
          continue;
        }
        for (int64_t w = 0; w < columns; w += run_pixels) {
          typename F::template of<V> run[width];
          const int64_t end = smaller(w + run_pixels, columns);
          for (int64_t i = w; i < end; ++i) {
            const S* at = row + i * from.strides[2];
            for (int k = 0; k < width; ++k) run[k].take(L::load(at + k * L::count));
          }
          for (int k = 0; k < width; ++k) total[k].take(run[k].value());
        }
      }
    }
    for (int k = 0; k < width; ++k) L::store(target + k * L::count, finished(total[k].value()));
  }

  void pixel(int64_t n, const Span* spans, Span channels, S* target) const {
    using L = Many<S, T>;
    const S* source = from.at(n, 0, 0, 0);
    int64_t c = channels.begin;
    if constexpr (wide<S>) {
      for (; c + 4 * L::count <= channels.end; c += 4 * L::count)
        channel_block<L, 4>(source + c, spans, target + c);
    }
    for (; c + L::count <= channels.end; c += L::count)
      channel_block<L, 1>(source + c, spans, target + c);
    if constexpr (L::count > 1) {
      if (c == channels.end) return;
      if (channels.size() >= L::count) {
        // Some are computed twice.
        c = channels.end - L::count;
        return channel_block<L, 1>(source + c, spans, target + c);
      }
      for (; c < channels.end; ++c) channel_block<One<S, T>, 1>(source + c, spans, target + c);
    }
  }

  // ---- small boxes: one element, or two by two ---------------------------------------------------
  //
  // Windows of two by two side by side, and the gradient of their mean, have four loads and a
  // store, or one of each, a vector: loops whose length is known only here cost more than they do.
  // Unrolled where this is compiled, the mean of 16x56x56x64 float32 takes 144 us instead of 257,
  // its gradient 315 instead of 820, the maximum 146 instead of 179 (two threads, v3).

  template <class L, int width, int side>
  MLXK_MEMBER void small_box(const S* source, S* target) const {
    typename F::template of<typename L::V> total[width];
    for (int h = 0; h < side; ++h) {
      for (int w = 0; w < side; ++w) {
        const S* const at = source + h * from.strides[1] + w * from.strides[2];
        for (int k = 0; k < width; ++k) total[k].take(L::load(at + k * L::count));
      }
    }
    for (int k = 0; k < width; ++k) L::store(target + k * L::count, finished(total[k].value()));
  }

  template <int side>
  void small_boxes(int64_t n, Span* spans, Span pixels, Span channels, S* target) const {
    using L = Many<S, T>;
    const int64_t last = channels.end - L::count;
    for (int64_t w = pixels.begin; w < pixels.end; ++w, target += to.strides[2]) {
      spans[2] = box(2, w);
      if (spans[2].size() != side) {
        pixel(n, spans, channels, target);
        continue;
      }
      const S* const source = from.at(n, spans[0].begin, spans[1].begin, spans[2].begin);
      int64_t c = channels.begin;
      for (; c + 3 * L::count <= last; c += 4 * L::count)
        small_box<L, 4, side>(source + c, target + c);
      // Some are computed twice.
      for (; c < channels.end; c += L::count)
        small_box<L, 1, side>(source + smaller(c, last), target + smaller(c, last));
    }
  }

  // The targets of a row one by one.
  void row(int64_t n, Span* spans, Span pixels, Span channels, S* target) const {
    if constexpr (wide<S>) {
      if (spans[0].size() == 1 && channels.size() >= Many<S, T>::count) {
        const Axis& a = p.axes[2];
        const int64_t columns = gathers_windows ? ceil_div(a.window, a.stride) : a.window;
        if constexpr (F::adds) {
          if (columns == 1 && spans[1].size() == 1)
            return small_boxes<1>(n, spans, pixels, channels, target);
        }
        if (columns == 2 && spans[1].size() == 2)
          return small_boxes<2>(n, spans, pixels, channels, target);
      }
    }
    for (int64_t w = pixels.begin; w < pixels.end; ++w, target += to.strides[2]) {
      spans[2] = box(2, w);
      pixel(n, spans, channels, target);
    }
  }

  // ---- few channels: the rows of a box are folded to a line in vectors, then places of the line --

  // Of the targets of a row, how many see no more than a line holds; zero if there is no line.
  int64_t targets_of_line() const {
    const Axis& a = p.axes[2];
    const int64_t pixels = line_elements / p.channels;
    if (!wide<S> || p.channels >= Many<S, T>::count || from.strides[2] != p.channels) return 0;
    if (gathers_windows) return larger((pixels - 1) * a.stride - a.window + 2, 0);
    return pixels < a.window ? 0 : (pixels - a.window) / a.stride + 1;
  }

  template <class L> void fold_rows(const S* source, const Span* spans, T* line) const {
    typename F::template of<typename L::V> total;
    for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
      for (int64_t h = spans[1].begin; h < spans[1].end; ++h)
        total.take(L::load(source + d * from.strides[0] + h * from.strides[1]));
    }
    const typename L::V value = total.value();
    __builtin_memcpy(line, &value, sizeof value);
  }

  template <class L> void fold_line(const T* line, int64_t count, S* target) const {
    typename F::template of<typename L::V> total;
    repeat(count, [&](int64_t i) {
      typename L::V next;
      __builtin_memcpy(&next, line + i * p.channels, sizeof next);
      total.take(next);
    });
    L::store(target, finished(total.value()));
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
      if constexpr (wide<S>) {
        for (int64_t i = 0; line && i < count; i += line)
          row_by_line(n, spans, {w + i, w + smaller(i + line, count)}, target + i * to.strides[2]);
      }
      if (!line) row(n, spans, {w, w + count}, channels, target);
      begin += count;
    }
  }

  void run() const {
    constexpr int64_t enough_pixels = 64;
    const int64_t all = p.batch * targets(0) * targets(1) * targets(2);
    if (all * p.channels == 0) return;
    const int64_t line = targets_of_line();
    const int64_t each = inline_elements / (p.most_seen() * p.channels + 1) + 1;
    // Of few pixels blocks of channels are tasks.
    const bool whole = line || all >= enough_pixels;
    const int64_t block = whole ? p.channels : 4 * Many<S, T>::count;
    const int64_t blocks = ceil_div(p.channels, block);
    mlxk::parallel_for(all * blocks, each * blocks, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end;) {
        const int64_t c = i % blocks * block, count = whole ? end - i : 1;
        pixels(i / blocks, i / blocks + count, {c, smaller(c + block, p.channels)}, line);
        i += count;
      }
    });
  }
};

}  // namespace
