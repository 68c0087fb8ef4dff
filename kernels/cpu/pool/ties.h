// What follows the greatest elements of windows: tangents forward, cotangents back. Elements that
// are equally great share alike; what stands around the image counts among them. The windows are
// looked at again, so no places have to be remembered.
//
// Cotangents are added up in boxes of the image. A box belongs to one thread, which looks at all
// windows that touch it, in order: sums do not depend on how the image is cut.
#pragma once

#include "cpu/integers.h"
#include "cpu/pool/fold.h"
#include "cpu/workers.h"

namespace {

// `value` where x is as great as the greatest element; everywhere, if that is NaN.
template <class V, class W> MLXK_FN W where_greatest(V x, V greatest, W value) {
  if constexpr (ms::same_type<V, ms::complex64>::value) {
    const bool same = (x.re == greatest.re) & (x.im == greatest.im);
    return (same | ms::is_nan(greatest)) ? value : W{};
  } else {
    return ms::select(x < greatest, W{}, value);
  }
}
// The share of one of `count` elements; NaN for that.
template <class V, class N> MLXK_FN V share_of(V value, N count, V greatest) {
  if constexpr (ms::same_type<V, ms::complex64>::value) {
    const float none = __builtin_nanf("");
    return ms::is_nan(greatest) ? V{none, none} : V{value.re / count, value.im / count};
  } else {
    using T = ms::lane_t<V>;
    return ms::select(ms::is_nan(greatest), ms::splat<V>(static_cast<T>(__builtin_nan(""))),
                      value / count);
  }
}
template <class V> struct count_of {
  using type = V;
};
template <> struct count_of<ms::complex64> {
  using type = float;
};

// body(element) for all elements that a box of an image holds.
template <class E, class Body>
MLXK_FN void for_each(const Image<E>& image, E* first, const Span* spans, const Body& body) {
  for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
    for (int64_t h = spans[1].begin; h < spans[1].end; ++h) {
      E* row =
          first + d * image.strides[0] + h * image.strides[1] + spans[2].begin * image.strides[2];
      repeat(spans[2].size(),
             [&](int64_t i) __attribute__((always_inline)) { body(row + i * image.strides[2]); });
    }
  }
}

// The greatest elements of a window, for `width` vectors of channels, and how many are as great.
template <class L, int width> struct Winners {
  using V = typename L::V;
  using N = typename count_of<V>::type;
  V greatest[width];
  N count[width];

  template <class S>
  MLXK_MEMBER void look(const Problem& p, const Image<S>& x, S* source, const Span* spans) {
    const double missing = p.window() - static_cast<double>(volume(spans));
    Greatest::of<V> most[width];
    if (missing > 0) {
      for (auto& one : most) one.take(margin<V>());
    }
    for_each(x, source, spans, [&](S* at) __attribute__((always_inline)) {
      for (int k = 0; k < width; ++k) most[k].take(L::load(at + k * L::count));
    });
    for (int k = 0; k < width; ++k) greatest[k] = most[k].value();
    for (int k = 0; k < width; ++k) count[k] = N{};
    for_each(x, source, spans, [&](S* at) __attribute__((always_inline)) {
      for (int k = 0; k < width; ++k) {
        count[k] += where_greatest(L::load(at + k * L::count), greatest[k], ms::splat<N>(1));
      }
    });
    if (missing > 0) {
      const N more = ms::splat<N>(static_cast<ms::lane_t<N>>(missing));
      for (int k = 0; k < width; ++k) count[k] += where_greatest(margin<V>(), greatest[k], more);
    }
  }
};

// ---- tangents -----------------------------------------------------------------------------------

template <class S, class T> struct TangentOfGreatest {
  const Problem& p;
  const Image<const S> x, tangent;
  const Image<S> to;

  template <class L, int width>
  void channel_block(const S* source, const S* moving, const Span* spans, S* target) const {
    using V = typename L::V;
    Winners<L, width> winners;
    winners.look(p, x, source, spans);
    V total[width] = {};
    for (int64_t d = spans[0].begin; d < spans[0].end; ++d) {
      for (int64_t h = spans[1].begin; h < spans[1].end; ++h) {
        for (int64_t w = spans[2].begin; w < spans[2].end; ++w) {
          const S* at = source + d * x.strides[0] + h * x.strides[1] + w * x.strides[2];
          const S* of =
              moving + d * tangent.strides[0] + h * tangent.strides[1] + w * tangent.strides[2];
          for (int k = 0; k < width; ++k) {
            total[k] = total[k] + where_greatest(L::load(at + k * L::count), winners.greatest[k],
                                                 L::load(of + k * L::count));
          }
        }
      }
    }
    for (int k = 0; k < width; ++k) {
      L::store(target + k * L::count, share_of(total[k], winners.count[k], winners.greatest[k]));
    }
  }

  void pixel(int64_t n, const Span* spans, S* target) const {
    using L = Many<S, T>;
    const S* const source = x.at(n, 0, 0, 0);
    const S* const moving = tangent.at(n, 0, 0, 0);
    int64_t c = 0;
    for (; c + L::count <= p.channels; c += L::count)
      channel_block<L, 1>(source + c, moving + c, spans, target + c);
    for (; c < p.channels; ++c)
      channel_block<One<S, T>, 1>(source + c, moving + c, spans, target + c);
  }

  void run() const {
    const Axis* a = p.axes;
    const int64_t all = p.batch * a[0].out * a[1].out * a[2].out;
    const int64_t grain = inline_elements / (p.most_seen() * p.channels + 1) + 1;
    mlxk::parallel_for(all, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t w = i % a[2].out, h = i / a[2].out % a[1].out;
        const int64_t d = i / a[2].out / a[1].out % a[0].out,
                      n = i / a[2].out / a[1].out / a[0].out;
        const Span spans[3] = {a[0].seen(d), a[1].seen(h), a[2].seen(w)};
        pixel(n, spans, to.at(n, d, h, w));
      }
    });
  }
};

// ---- cotangents ---------------------------------------------------------------------------------

// How the image is cut into boxes, for sums in the result or in memory of the worker.
struct Cut {
  static constexpr int64_t wanted_boxes = 16, scratch_elements = 1 << 15, channel_line = 64;
  int64_t sizes[4];  // depth, height, width, channels

  Cut(const Problem& p, bool in_place)
      : sizes{p.axes[0].in, p.axes[1].in, p.axes[2].in, p.channels} {
    int64_t limit = larger(ceil_div(p.batch * elements(), wanted_boxes), inline_elements / 8);
    if (!in_place) limit = smaller(limit, scratch_elements);
    // Windows that touch two boxes are looked at twice: a box is not much smaller than they are.
    shrink(0, 2 * p.axes[0].window, limit);
    shrink(1, 2 * p.axes[1].window, limit);
    shrink(3, channel_line, limit);
    shrink(2, 2 * p.axes[2].window, limit);
    if (in_place) return;
    for (int i : {0, 1, 2}) shrink(i, 1, limit);
  }
  int64_t elements() const { return sizes[0] * sizes[1] * sizes[2] * sizes[3]; }
  void shrink(int i, int64_t least, int64_t limit) {
    if (elements() <= limit) return;
    const double share = static_cast<double>(limit) / static_cast<double>(elements());
    const int64_t wanted =
        larger(static_cast<int64_t>(static_cast<double>(sizes[i]) * share), least);
    sizes[i] = smaller(i == 3 ? ceil_div(wanted, channel_line) * channel_line : wanted, sizes[i]);
  }
  int64_t count(const Problem& p, int i) const {
    return ceil_div(i == 3 ? p.channels : p.axes[i].in, sizes[i]);
  }
  int64_t boxes(const Problem& p) const {
    return p.batch * count(p, 0) * count(p, 1) * count(p, 2) * count(p, 3);
  }
};

struct Box {
  int64_t image;
  Span spans[3], channels;

  Box(const Problem& p, const Cut& cut, int64_t index) {
    for (int i : {3, 2, 1, 0}) {
      const int64_t at = index % cut.count(p, i) * cut.sizes[i];
      index /= cut.count(p, i);
      (i == 3 ? channels : spans[i]) =
          Span{at, smaller(at + cut.sizes[i], i == 3 ? p.channels : p.axes[i].in)};
    }
    image = index;
  }
};

template <class S, class T> struct CotangentOfGreatest {
  const Problem& p;
  const Image<const S> x, cotangent;
  const Image<S> to;
  const bool tiled = is_tiled(p);

  // Sums of 16-bit cotangents are kept elsewhere until they are rounded.
  static bool in_place(const Problem& p) { return ms::same_type<S, T>::value || is_disjoint(p); }

  // Gives the cotangent of a window to the elements inside of a box. `sums` begins with the first
  // pixel of the box and lies like `layout`; `skip` channels have been given theirs before.
  template <bool disjoint, class L, class Sums, int width, class U>
  MLXK_MEMBER void give(const S* source, const S* given, const Span* spans, const Box& box, U* sums,
                        const Image<U>& layout, int64_t skip = 0) const {
    using V = typename L::V;
    Winners<L, width> winners;
    winners.look(p, x, source, spans);
    V share[width];
    for (int k = 0; k < width; ++k) {
      share[k] = share_of(L::load(given + k * L::count), winners.count[k], winners.greatest[k]);
    }
    if (skip && !disjoint) {
      T each[L::count];
      __builtin_memcpy(each, share, sizeof each);
      for (int64_t k = 0; k < skip; ++k) each[k] = T{};
      __builtin_memcpy(share, each, sizeof each);
    }
    const Span* b = box.spans;
    for (int64_t d = larger(spans[0].begin, b[0].begin); d < smaller(spans[0].end, b[0].end); ++d) {
      for (int64_t h = larger(spans[1].begin, b[1].begin); h < smaller(spans[1].end, b[1].end);
           ++h) {
        const int64_t begin = larger(spans[2].begin, b[2].begin);
        const int64_t end = smaller(spans[2].end, b[2].end);
        const S* at = source + d * x.strides[0] + h * x.strides[1] + begin * x.strides[2];
        U* sum = sums + (d - b[0].begin) * layout.strides[0] +
                 (h - b[1].begin) * layout.strides[1] + (begin - b[2].begin) * layout.strides[2];
        repeat(end - begin, [&](int64_t) __attribute__((always_inline)) {
          V part[width];
          for (int k = 0; k < width; ++k)
            part[k] = where_greatest(L::load(at + k * L::count), winners.greatest[k], share[k]);
          if constexpr (!disjoint) {
            for (int k = 0; k < width; ++k) part[k] = Sums::load(sum + k * L::count) + part[k];
          }
          for (int k = 0; k < width; ++k) Sums::store(sum + k * L::count, part[k]);
          at += x.strides[2];
          sum += layout.strides[2];
        });
      }
    }
  }

  template <bool disjoint, class U>
  void window(const S* given, const Span* spans, const Box& box, U* sums,
              const Image<U>& layout) const {
    using L = Many<S, T>;
    const Span channels = box.channels;
    const S* const source = x.at(box.image, 0, 0, 0) + channels.begin;
    given += channels.begin;
    int64_t c = 0;
    if constexpr (wide<S>) {
      for (; c + 4 * L::count <= channels.size(); c += 4 * L::count)
        give<disjoint, L, Many<U, T>, 4>(source + c, given + c, spans, box, sums + c, layout);
    }
    if (channels.size() >= L::count) {
      for (; c < channels.size(); c += L::count) {
        const int64_t at = smaller(c, channels.size() - L::count);
        give<disjoint, L, Many<U, T>, 1>(source + at, given + at, spans, box, sums + at, layout,
                                         c - at);
      }
    } else if constexpr (L::count > 1) {
      for (; c + 2 <= channels.size(); c += 2)
        give<disjoint, One<S, T>, One<U, T>, 2>(source + c, given + c, spans, box, sums + c,
                                                layout);
      if (c < channels.size())
        give<disjoint, One<S, T>, One<U, T>, 1>(source + c, given + c, spans, box, sums + c,
                                                layout);
    }
  }

  template <class U>
  void clear(const Box& box, U* sums, const Image<U>& layout, Span planes, Span rows) const {
    if (tiled) return;  // a window writes each
    int64_t channels = box.channels.size(), pixels = box.spans[2].size();
    if (layout.strides[2] == channels) {
      channels *= pixels;
      pixels = 1;
    }
    for (int64_t d = planes.begin; d < planes.end; ++d) {
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        U* at = sums + (d - box.spans[0].begin) * layout.strides[0] +
                (h - box.spans[1].begin) * layout.strides[1];
        for (int64_t w = 0; w < pixels; ++w, at += layout.strides[2])
          __builtin_memset(at, 0, static_cast<size_t>(channels) * sizeof(U));
      }
    }
  }

  template <bool disjoint, class U>
  void fill(const Box& box, U* sums, const Image<U>& layout) const {
    const Span* b = box.spans;
    Span outputs[3];
    for (int i = 0; i < 3; ++i) {
      outputs[i] = {p.axes[i].seeing(b[i].begin).begin, p.axes[i].seeing(b[i].end - 1).end};
    }
    // Rows are cleared just before the first window adds to them.
    Span spans[3], planes{b[0].begin, b[0].begin};
    for (int64_t d = outputs[0].begin; d < outputs[0].end; ++d) {
      spans[0] = p.axes[0].seen(d);
      planes = {planes.end, larger(planes.end, smaller(spans[0].end, b[0].end))};
      Span rows{b[1].begin, b[1].begin};
      for (int64_t h = outputs[1].begin; h < outputs[1].end; ++h) {
        spans[1] = p.axes[1].seen(h);
        rows = {rows.end, larger(rows.end, smaller(spans[1].end, b[1].end))};
        clear(box, sums, layout, planes, rows);
        for (int64_t w = outputs[2].begin; w < outputs[2].end; ++w) {
          spans[2] = p.axes[2].seen(w);
          window<disjoint>(cotangent.at(box.image, d, h, w), spans, box, sums, layout);
        }
      }
      clear(box, sums, layout, planes, {rows.end, b[1].end});
    }
    clear(box, sums, layout, {planes.end, b[0].end}, b[1]);
  }

  void box_by_scratch(const Box& box, const Cut& cut, T* scratch) const {
    const Image<T> layout(scratch, cut.sizes[1], cut.sizes[2], cut.sizes[3]);
    fill<false>(box, scratch, layout);
    const Span* b = box.spans;
    for (int64_t d = b[0].begin; d < b[0].end; ++d) {
      for (int64_t h = b[1].begin; h < b[1].end; ++h) {
        for (int64_t w = b[2].begin; w < b[2].end; ++w) {
          const T* const from = layout.at(0, d - b[0].begin, h - b[1].begin, w - b[2].begin);
          S* const target = to.at(box.image, d, h, w) + box.channels.begin;
          int64_t c = 0;
          for (; c + lanes<T> <= box.channels.size(); c += lanes<T>)
            store_as(target + c, load(from + c));
          for (; c < box.channels.size(); ++c) target[c] = narrow<S>(from[c]);
        }
      }
    }
  }

  static int64_t workers(const Problem& p, const Cut& cut) {
    const int64_t all = p.batch * p.axes[0].in * p.axes[1].in * p.axes[2].in * p.channels;
    return all < inline_elements / 4 ? 1 : worker_count(cut.boxes(p));
  }
  static size_t workspace(const Problem& p) {
    if (in_place(p)) return 0;
    const Cut cut(p, false);
    return static_cast<size_t>(workers(p, cut) * cut.elements()) * sizeof(T);
  }

  void run(void* memory) const {
    const bool disjoint = is_disjoint(p);
    const Cut cut(p, in_place(p));
    run_tasks(cut.boxes(p), workers(p, cut), [&](int64_t task, int64_t worker) {
      const Box box(p, cut, task);
      const Span* b = box.spans;
      S* const first = to.at(box.image, b[0].begin, b[1].begin, b[2].begin) + box.channels.begin;
      if (disjoint) return fill<true>(box, first, to);
      if constexpr (ms::same_type<S, T>::value) {
        fill<false>(box, first, to);
      } else {
        box_by_scratch(box, cut, static_cast<T*>(memory) + worker * cut.elements());
      }
    });
  }
};

}  // namespace
