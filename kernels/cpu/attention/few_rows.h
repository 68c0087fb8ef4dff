// Attention of a few rows, as in generating one token after the other: every key and value is read
// once, where it lies.
//
// Long sequences are cut into pieces by length alone; each gives unnormalised sums, which are put
// together afterwards.
#pragma once

#include "cpu/attention/forward.h"
#include "cpu/integers.h"

namespace {

constexpr int64_t few_rows_limit = 12;
constexpr int64_t piece_keys = 1024;

template <class S, class T> struct FewRows {
  static constexpr int width = lanes<T>;
  using V = Vec<T>;

  struct Scratch {
    int64_t width, value_width;
    T *q, *scores;
    size_t bytes;
    Scratch(const Problem& p, char* memory) {
      width = Tile<T>::stride(p.width);
      Cutter cut{memory};
      q = cut.take<T>(p.rows(), width);
      scores = cut.take<T>(p.rows(), key_block);
      bytes = cut.bytes;
    }
  };
  // What a piece found out about its rows.
  struct Partial {
    int64_t stride;
    T *sums, *greatest, *sum;
    size_t bytes;
    Partial(const Problem& p, char* memory) {
      stride = round_up(p.value_width, 2 * lanes<T>);
      Cutter cut{memory};
      sums = cut.take<T>(p.rows(), stride);
      greatest = cut.take<T>(1, p.rows());
      sum = cut.take<T>(1, p.rows());
      bytes = cut.bytes;
    }
  };

  struct Cut {
    int64_t pieces, tasks, workers;
    explicit Cut(const Problem& p) {
      pieces = p.keys > piece_keys ? ceil_div(p.keys, piece_keys) : 1;
      tasks = p.batch * p.heads * pieces;
      const int64_t elements = p.batch * p.heads * p.keys * (p.width + p.value_width);
      workers = elements < 2 * inline_elements ? 1 : worker_count(tasks);
    }
  };

  static size_t workspace(const Problem& p) {
    const Cut cut(p);
    return static_cast<size_t>(cut.workers) * Scratch(p, nullptr).bytes +
           static_cast<size_t>(cut.tasks) * Partial(p, nullptr).bytes;
  }

  static void run(const Problem& p, const KernelCall& call) {
    const Cut cut(p);
    char* const memory = static_cast<char*>(call.workspace);
    const size_t scratch_bytes = Scratch(p, nullptr).bytes,
                 partial_bytes = Partial(p, nullptr).bytes;
    char* const partials = memory + static_cast<size_t>(cut.workers) * scratch_bytes;
    const auto partial = [&](int64_t task) {
      return Partial(p, partials + static_cast<size_t>(task) * partial_bytes);
    };
    run_tasks(cut.tasks, cut.workers, [&](int64_t task, int64_t worker) {
      const int64_t pair = task / cut.pieces, first = task % cut.pieces * piece_keys;
      const int64_t last = task % cut.pieces == cut.pieces - 1 ? p.keys : first + piece_keys;
      const Scratch scratch(p, memory + static_cast<size_t>(worker) * scratch_bytes);
      piece(p, call, pair / p.heads, pair % p.heads, first, last, scratch, partial(task));
    });
    for (int64_t pair = 0; pair < p.batch * p.heads; ++pair) {
      const Partial total = partial(pair * cut.pieces);
      for (int64_t i = 1; i < cut.pieces; ++i) merge(p, total, partial(pair * cut.pieces + i));
      for (int64_t r = 0; r < p.rows(); ++r) {
        finish_row<S>(p, call, pair / p.heads, pair % p.heads, r, total.sums + r * total.stride,
                      total.greatest[r], total.sum[r]);
      }
    }
  }

  static void merge(const Problem& p, const Partial& total, const Partial& next) {
    for (int64_t r = 0; r < p.rows(); ++r) {
      const T a = total.greatest[r], b = next.greatest[r], now = ms::greater(b, a);
      const T shrink_a = a == now ? static_cast<T>(1) : ms::exp_of_nonpositive(a - now);
      const T shrink_b = b == now ? static_cast<T>(1) : ms::exp_of_nonpositive(b - now);
      T* const sums = total.sums + r * total.stride;
      const T* const more = next.sums + r * next.stride;
      for (int64_t i = 0; i < p.value_width; ++i) sums[i] = sums[i] * shrink_a + more[i] * shrink_b;
      total.sum[r] = total.sum[r] * shrink_a + next.sum[r] * shrink_b;
      total.greatest[r] = now;
    }
  }

  // All rows of a head, keys [first, last).
  static void piece(const Problem& p, const KernelCall& call, int64_t b, int64_t h, int64_t first,
                    int64_t last, const Scratch& s, const Partial& found) {
    const Rows q(call.inputs[0]), k(call.inputs[1]), v(call.inputs[2]);
    const int64_t rows = p.rows();
    for (int64_t r = 0; r < rows; ++r) {
      load_scaled(q.of<const S>(p, b, h, r), p.width, static_cast<T>(p.scale), s.q + r * s.width);
      found.greatest[r] = -static_cast<T>(__builtin_inf());
      found.sum[r] = 0;
    }
    clear(found.sums, rows * found.stride);
    for (int64_t j = first; j < last; j += key_block) {
      const int64_t n = last - j < key_block ? last - j : key_block;
      by_fours(rows, [&](auto count, int64_t r) {
        dots<count.value>(s.q + r * s.width, s.width, k.at<const S>(b, h, j), k.row_stride, n,
                          p.width, s.scores + r * key_block);
      });
      T shrink[few_rows_limit];
      for (int64_t r = 0; r < rows; ++r) {
        T* const scores = s.scores + r * key_block;
        if (p.mask || p.visible(r) < j + n) mask_scores<S>(p, b, h, r, j, n, scores);
        const int64_t padded = round_up(n, 2 * width);
        for (int64_t i = n; i < padded; ++i) scores[i] = -static_cast<T>(__builtin_inf());
        shrink[r] = exponentials(scores, padded, found.greatest + r, found.sum + r);
      }
      by_fours(rows, [&](auto count, int64_t r) {
        add_values<count.value>(s.scores + r * key_block, shrink + r, v.at<const S>(b, h, j),
                                v.row_stride, n, p.value_width, found.sums + r * found.stride,
                                found.stride);
      });
    }
  }

  template <int n> struct Count {
    static constexpr int value = n;
  };
  // body(Count, first row) for four rows at once, and for what is left; in float64, which is rare,
  // for one.
  template <class Body> static void by_fours(int64_t rows, const Body& body) {
    int64_t r = 0;
    if constexpr (ms::same_type<T, float>::value) {
      for (; r + 4 <= rows; r += 4) body(Count<4>(), r);
      if (rows - r == 3) return body(Count<3>(), r);
      if (rows - r == 2) return body(Count<2>(), r);
    }
    for (; r < rows; ++r) body(Count<1>(), r);
  }

  // scores[r][j] = q[r] . k[j] for R rows and n keys.
  template <int R>
  static void dots(const T* q, int64_t q_stride, const S* k, int64_t k_stride, int64_t n,
                   int64_t depth, T* scores) {
    constexpr int at_once = R == 1 ? 8 : R == 2 ? 4 : 3;
    int64_t j = 0;
    for (; j + at_once <= n; j += at_once)
      some_dots<R, at_once>(q, q_stride, k + j * k_stride, k_stride, depth, scores + j);
    for (; j < n; ++j) some_dots<R, 1>(q, q_stride, k + j * k_stride, k_stride, depth, scores + j);
  }
  template <int R, int K>
  static MLXK_MEMBER void some_dots(const T* q, int64_t q_stride, const S* k, int64_t k_stride,
                                    int64_t depth, T* scores) {
    V sums[R][K] = {};
    int64_t d = 0;
    for (; d + width <= depth; d += width) {
      V x[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) x[r] = load(q + r * q_stride + d);
#pragma GCC unroll 8
      for (int i = 0; i < K; ++i) {
        const V y = load_as(k + i * k_stride + d);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) sums[r][i] += x[r] * y;
      }
    }
    V kept[R][K];  // in memory, so that what is left need not be unrolled
    __builtin_memcpy(kept, sums, sizeof kept);
#pragma GCC unroll 1
    for (int i = 0; i < K; ++i) {
#pragma GCC unroll 1
      for (int r = 0; r < R; ++r) {
        T total = sum_lanes<T>(kept[r][i]);
        for (int64_t rest = d; rest < depth; ++rest)
          total += q[r * q_stride + rest] * widen<T>(k[i * k_stride + rest]);
        scores[r * key_block + i] = total;
      }
    }
  }

  // sums[r] = sums[r] * shrink[r] + scores[r] . v for R rows and n keys, a few keys at a time so
  // that v streams.
  template <int R>
  static void add_values(const T* scores, const T* shrink, const S* v, int64_t v_stride, int64_t n,
                         int64_t columns, T* sums, int64_t stride) {
    for (int r = 0; r < R; ++r) {
      for (int64_t i = 0; i < columns; ++i) sums[r * stride + i] *= shrink[r];
    }
    constexpr int at_once = 8;
    int64_t j = 0;
    for (; j + at_once <= n; j += at_once) {
      some_values<R, at_once>(scores + j, v + j * v_stride, v_stride, columns, sums, stride);
    }
    for (; j < n; ++j)
      some_values<R, 1>(scores + j, v + j * v_stride, v_stride, columns, sums, stride);
  }
  template <int R, int K>
  static MLXK_MEMBER void some_values(const T* scores, const S* v, int64_t v_stride,
                                      int64_t columns, T* sums, int64_t stride) {
    int64_t i = 0;
    for (; i + 2 * width <= columns; i += 2 * width) {
      V total[R][2];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        total[r][0] = load(sums + r * stride + i);
        total[r][1] = load(sums + r * stride + i + width);
      }
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        const V a = load_as(v + k * v_stride + i), b = load_as(v + k * v_stride + i + width);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const V weight = ms::splat<V>(scores[r * key_block + k]);
          total[r][0] += weight * a;
          total[r][1] += weight * b;
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        store(sums + r * stride + i, total[r][0]);
        store(sums + r * stride + i + width, total[r][1]);
      }
    }
    for (; i < columns; ++i) {
#pragma GCC unroll 1
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 1
        for (int k = 0; k < K; ++k)
          sums[r * stride + i] += scores[r * key_block + k] * widen<T>(v[k * v_stride + i]);
      }
    }
  }
};

}  // namespace
