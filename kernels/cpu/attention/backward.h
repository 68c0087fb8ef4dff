// The gradients of attention, by tiles: the softmax is made again from the statistics of its rows.
//
// With P = softmax(S), S = scale * Q Kᵀ + mask, and the cotangent C of P V:
//   gV = Pᵀ C,   gP = C Vᵀ,   gS = P ∘ (gP - d), where d is the sum of C ∘ out along a row,
//   gK = scale * gSᵀ Q,   gQ = scale * gS K,   gmask = gS summed over what the mask is broadcast
//   along.
//
// Sums over keys and over rows run in one order, however the work is cut: so one pass, which makes
// every tile once but can only be cut by heads, and two passes, which make it twice and can be cut
// at will, give the same bits.
#pragma once

#include "cpu/attention/forward.h"
#include "cpu/integers.h"

namespace {

constexpr int64_t row_block = 48;

template <class S, class T> struct Backward {
  struct Scratch {
    int64_t width, value_width, keys;  // distances of rows
    T *q, *c, *k, *keys_turned, *values_turned, *weights, *slopes, *gk, *gv, *gq, *d, *gmask;
    size_t bytes;
    // gq_rows: rows whose gradient is summed up at once.
    Scratch(const Problem& p, int64_t gq_rows, char* memory) {
      width = Tile<T>::stride(p.width);
      value_width = Tile<T>::stride(p.value_width);
      keys = Tile<T>::stride(key_block);
      const int64_t key_rows = round_up(key_block, Tile<T>::rows),
                    most = width > value_width ? width : value_width;
      Cutter cut{memory};
      q = cut.take<T>(row_block, width);
      c = cut.take<T>(row_block, value_width);
      k = cut.take<T>(key_block, most);
      keys_turned = cut.take<T>(p.width, keys);
      values_turned = cut.take<T>(p.value_width, keys);
      weights = cut.take<T>(row_block, keys);
      slopes = cut.take<T>(row_block, keys);
      gk = cut.take<T>(key_rows, width);
      gv = cut.take<T>(key_rows, value_width);
      gq = cut.take<T>(round_up(gq_rows, row_block), width);
      d = cut.take<T>(1, row_block);
      gmask = cut.take<T>(row_block, keys);
      bytes = cut.bytes;
    }
  };

  // Rows first, first + step, ... of a head. Keys of the scratch's block.
  struct Block {
    int64_t b, h, first, step, count;
    int64_t row(int64_t i) const { return first + i * step; }
  };

  const Problem& p;
  const KernelCall& call;
  const Rows q{call.inputs[0]}, k{call.inputs[1]}, v{call.inputs[2]}, c{call.inputs[3]},
      out{call.inputs[4]};

  Backward(const Problem& problem, const KernelCall& kernel_call) : p(problem), call(kernel_call) {}

  // What the forward kernel found out about a row.
  T statistic(uint32_t input, int64_t b, int64_t h, int64_t row) const {
    const Tensor& t = call.inputs[input];
    const int64_t head = h * p.group + row % p.group, query = row / p.group;
    return static_cast<const T*>(
        t.data)[b * t.strides[0] + head * t.strides[1] + query * t.strides[2]];
  }

  int64_t sees(const Block& rows) const {
    const int64_t last = rows.row(rows.count - 1);
    return p.visible(rows.row(0)) <= 0 ? p.keys : p.visible(last);
  }

  __attribute__((noinline)) void load_keys(int64_t b, int64_t h, int64_t first, int64_t n,
                                           const Scratch& s) const {
    for (int64_t j = 0; j < n; ++j) {  // the values' rows pass through the keys' place
      load_scaled(v.at<const S>(b, h, first + j), p.value_width, T{1}, s.k + j * s.value_width);
    }
    turn(s.k, s.value_width, n, p.value_width, s.values_turned, s.keys);
    for (int64_t j = 0; j < n; ++j)
      load_scaled(k.at<const S>(b, h, first + j), p.width, T{1}, s.k + j * s.width);
    turn(s.k, s.width, n, p.width, s.keys_turned, s.keys);
  }

  __attribute__((noinline)) void load_rows(const Block& rows, const Scratch& s) const {
    const int64_t padded = round_up(rows.count, Tile<T>::rows);
    for (int64_t i = 0; i < padded; ++i) {
      if (i >= rows.count) {
        clear(s.q + i * s.width, p.width);
        clear(s.c + i * s.value_width, p.value_width);
        continue;
      }
      load_scaled(q.of<const S>(p, rows.b, rows.h, rows.row(i)), p.width, static_cast<T>(p.scale),
                  s.q + i * s.width);
      T* const cotangent = s.c + i * s.value_width;
      load_scaled(c.of<const S>(p, rows.b, rows.h, rows.row(i)), p.value_width, T{1}, cotangent);
      s.d[i] = dot(cotangent, out.of<const S>(p, rows.b, rows.h, rows.row(i)), p.value_width);
    }
  }
  static T dot(const T* a, const S* b, int64_t n) {
    Vec<T> sum = {};
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) sum += load(a + i) * load_as(b + i);
    T total = sum_lanes<T>(sum);
    for (; i < n; ++i) total += a[i] * widen<T>(b[i]);
    return total;
  }

  // P and gS for some rows and keys [first, first + n), zero behind them.
  __attribute__((noinline)) void make_tile(const Block& rows, int64_t first, int64_t n,
                                           const Scratch& s) const {
    const bool forbids = p.causal || (p.mask && p.mask->dtype == Dtype::bool_);
    multiply<T, Into::set>(rows.count, n, p.width, {s.q, s.width, 1}, s.keys_turned, s.keys,
                           s.weights, s.keys);
    multiply<T, Into::set>(rows.count, n, p.value_width, {s.c, s.value_width, 1}, s.values_turned,
                           s.keys, s.slopes, s.keys);
    for (int64_t i = 0; i < rows.count; ++i) {
      T* const weights = s.weights + i * s.keys;
      T* const slopes = s.slopes + i * s.keys;
      const int64_t row = rows.row(i);
      if (p.mask || p.visible(row) < first + n)
        mask_scores<S>(p, rows.b, rows.h, row, first, n, weights);
      const T greatest = statistic(5, rows.b, rows.h, row),
              share = 1 / statistic(6, rows.b, rows.h, row);
      const Vec<T> high = ms::splat<Vec<T>>(greatest), scale = ms::splat<Vec<T>>(share),
                   d = ms::splat<Vec<T>>(s.d[i]);
      for (int64_t j = 0; j < n; j += lanes<T>) {
        const Vec<T> weight = ms::exp_of_nonpositive(load(weights + j) - high) * scale;
        store(weights + j, weight);
        store(slopes + j, weight * (load(slopes + j) - d));
      }
      // A row that sees nothing attends to all keys, but its scores are constant.
      if (forbids && greatest == masked_score<T>) clear(slopes, n);
      clear(weights + n, s.keys - n);
      clear(slopes + n, s.keys - n);
    }
  }

  void add_to_keys(const Block& rows, int64_t n, const Scratch& s) const {
    multiply<T, Into::add>(n, p.value_width, rows.count, {s.weights, 1, s.keys}, s.c, s.value_width,
                           s.gv, s.value_width);
    multiply<T, Into::add>(n, p.width, rows.count, {s.slopes, 1, s.keys}, s.q, s.width, s.gk,
                           s.width);
  }
  void add_to_rows(const Block& rows, int64_t n, const Scratch& s, T* gq) const {
    multiply<T, Into::add>(rows.count, p.width, n, {s.slopes, s.keys, 1}, s.k, s.width, gq,
                           s.width);
  }

  void store_keys(int64_t b, int64_t h, int64_t first, int64_t n, const Scratch& s) const {
    const Rows gk(call.outputs[1]), gv(call.outputs[2]);
    for (int64_t j = 0; j < n; ++j) {
      store_scaled(s.gk + j * s.width, p.width, T{1}, gk.at<S>(b, h, first + j));
      store_scaled(s.gv + j * s.value_width, p.value_width, T{1}, gv.at<S>(b, h, first + j));
    }
  }
  void store_rows(const Block& rows, const T* gq, const Scratch& s) const {
    const Rows to(call.outputs[0]);
    for (int64_t i = 0; i < rows.count; ++i) {
      store_scaled(gq + i * s.width, p.width, static_cast<T>(p.scale),
                   to.of<S>(p, rows.b, rows.h, rows.row(i)));
    }
  }

  Block block(int64_t b, int64_t h, int64_t first) const {
    return {b, h, first, 1, p.rows() - first < row_block ? p.rows() - first : row_block};
  }
  int64_t keys_from(int64_t first) const {
    return p.keys - first < key_block ? p.keys - first : key_block;
  }

  // All rows against the keys from `first` on. gq: the sums of all rows of the head, or null where
  // they are made elsewhere.
  __attribute__((noinline)) void keys_pass(int64_t b, int64_t h, int64_t first, const Scratch& s,
                                           T* gq) const {
    const int64_t n = keys_from(first);
    load_keys(b, h, first, n, s);
    clear(s.gk, key_block * s.width);
    clear(s.gv, key_block * s.value_width);
    for (int64_t i = 0; i < p.rows(); i += row_block) {
      const Block rows = block(b, h, i);
      const int64_t seen = sees(rows) - first < n ? sees(rows) - first : n;
      if (seen <= 0) continue;
      load_rows(rows, s);
      make_tile(rows, first, seen, s);
      add_to_keys(rows, seen, s);
      if (gq) add_to_rows(rows, seen, s, gq + i * s.width);
    }
    store_keys(b, h, first, n, s);
  }
  void rows_pass(const Block& rows, const Scratch& s) const {
    clear(s.gq, row_block * s.width);
    load_rows(rows, s);
    const int64_t last = sees(rows);
    for (int64_t j = 0; j < last; j += key_block) {
      const int64_t n = keys_from(j), seen = last - j < n ? last - j : n;
      load_keys(rows.b, rows.h, j, n, s);
      make_tile(rows, j, seen, s);
      add_to_rows(rows, seen, s, s.gq);
    }
    store_rows(rows, s.gq, s);
  }

  struct Cut {
    int64_t pairs, key_blocks, row_blocks, workers;
    bool one_pass;
    explicit Cut(const Problem& p) {
      pairs = p.batch * p.heads;
      key_blocks = ceil_div(p.keys, key_block);
      row_blocks = ceil_div(p.rows(), row_block);
      // Five products a tile by heads, or seven cut at will.
      const int64_t threads = mlxk::thread_count();
      one_pass = 5 * ceil_div(pairs, threads) * threads <= 7 * pairs || key_blocks * row_blocks < 4;
      const int64_t most =
          one_pass ? pairs : pairs * (key_blocks > row_blocks ? key_blocks : row_blocks);
      const int64_t work = pairs * p.rows() * p.keys * (p.width + p.value_width);
      workers = work < inline_work ? 1 : worker_count(most);
    }
    int64_t gq_rows(const Problem& p) const { return one_pass ? p.rows() : row_block; }
    static constexpr int64_t inline_work = 1 << 18;
  };

  static size_t workspace(const Problem& p) {
    const Cut cut(p);
    return static_cast<size_t>(cut.workers) * Scratch(p, cut.gq_rows(p), nullptr).bytes;
  }

  void run() const {
    const Cut cut(p);
    const size_t bytes = Scratch(p, cut.gq_rows(p), nullptr).bytes;
    const auto scratch = [&](int64_t worker) {
      return Scratch(p, cut.gq_rows(p),
                     static_cast<char*>(call.workspace) + static_cast<size_t>(worker) * bytes);
    };
    if (cut.one_pass) {
      run_tasks(cut.pairs, cut.workers, [&](int64_t pair, int64_t worker) {
        const Scratch s = scratch(worker);
        const int64_t b = pair / p.heads, h = pair % p.heads;
        clear(s.gq, round_up(p.rows(), row_block) * s.width);
        for (int64_t j = 0; j < p.keys; j += key_block) keys_pass(b, h, j, s, s.gq);
        for (int64_t i = 0; i < p.rows(); i += row_block)
          store_rows(block(b, h, i), s.gq + i * s.width, s);
      });
      return;
    }
    run_tasks(cut.pairs * cut.key_blocks, cut.workers, [&](int64_t task, int64_t worker) {
      const int64_t pair = task / cut.key_blocks;
      keys_pass(pair / p.heads, pair % p.heads, task % cut.key_blocks * key_block, scratch(worker),
                nullptr);
    });
    run_tasks(cut.pairs * cut.row_blocks, cut.workers, [&](int64_t task, int64_t worker) {
      const int64_t pair = task / cut.row_blocks;
      rows_pass(block(pair / p.heads, pair % p.heads, task % cut.row_blocks * row_block),
                scratch(worker));
    });
  }

  // ---- the mask ---------------------------------------------------------------------------------

  struct MaskCut {
    int64_t row_blocks, tasks, workers;
    explicit MaskCut(const Problem& p) {
      row_blocks = ceil_div(p.queries, row_block);
      tasks = p.mask->shape[0] * p.mask->shape[1] * row_blocks;
      workers = worker_count(tasks);
    }
  };
  static size_t mask_workspace(const Problem& p) {
    return static_cast<size_t>(MaskCut(p).workers) * Scratch(p, 0, nullptr).bytes;
  }
  void run_mask() const {
    const MaskCut cut(p);
    const size_t bytes = Scratch(p, 0, nullptr).bytes;
    const int64_t mask_batch = p.mask->shape[0], mask_heads = p.mask->shape[1];
    run_tasks(cut.tasks, cut.workers, [&](int64_t task, int64_t worker) {
      const Scratch s(p, 0,
                      static_cast<char*>(call.workspace) + static_cast<size_t>(worker) * bytes);
      const int64_t place = task / cut.row_blocks, query = task % cut.row_blocks * row_block;
      const int64_t b = place / mask_heads, head = place % mask_heads;
      const int64_t b_end = mask_batch == 1 ? p.batch : b + 1,
                    head_end = mask_heads == 1 ? p.query_heads() : head + 1;
      const int64_t count = p.queries - query < row_block ? p.queries - query : row_block;
      for (int64_t j = 0; j < p.keys; j += key_block) {
        const int64_t n = keys_from(j);
        clear(s.gmask, row_block * s.keys);
        for (int64_t one = b; one < b_end; ++one) {
          for (int64_t h = head; h < head_end; ++h) add_to_mask(one, h, query, count, j, n, s);
        }
        for (int64_t i = 0; i < count; ++i) {
          S* const to =
              static_cast<S*>(call.outputs[0].data) + (place * p.queries + query + i) * p.keys + j;
          store_scaled(s.gmask + i * s.keys, n, T{1}, to);
        }
      }
    });
  }
  void add_to_mask(int64_t b, int64_t query_head, int64_t query, int64_t count, int64_t first,
                   int64_t n, const Scratch& s) const {
    const int64_t h = query_head / p.group;
    const Block rows{b, h, query * p.group + query_head % p.group, p.group, count};
    load_keys(b, h, first, n, s);
    load_rows(rows, s);
    make_tile(rows, first, n, s);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < n; j += lanes<T>) {
        T* const sum = s.gmask + i * s.keys + j;
        store(sum, load(sum) + load(s.slopes + i * s.keys + j));
      }
    }
  }
};

}  // namespace
