// Attention by tiles with an online softmax: Milakov and Gimelshein, Online normalizer calculation
// for softmax, 2018; Dao, Fu, Ermon, Rudra and Re, FlashAttention, 2022.
//
// A task takes a block of the rows of a head through all keys, a block of keys at a time. Its
// scores never leave the cache. How rows are cut into tasks depends on the number of threads, what
// becomes of a row does not.
#pragma once

#include "cpu/attention/problem.h"
#include "cpu/integers.h"
#include "cpu/tile.h"
#include "cpu/workers.h"

namespace {

constexpr int64_t key_block = 128;
constexpr int64_t most_rows = 192;  // of a task: they share the blocks of keys it packs

// The scores of one row for a block of keys become exponentials relative to the greatest score so
// far; returns what the sums of earlier blocks shrink by. `padded` scores: those behind the last
// key are minus infinity.
template <class T> static T exponentials(T* scores, int64_t padded, T* greatest, T* sum) {
  constexpr int width = lanes<T>;
  const T least = -static_cast<T>(__builtin_inf());
  Vec<T> high[2] = {ms::splat<Vec<T>>(least), ms::splat<Vec<T>>(least)};
  for (int64_t j = 0; j < padded; j += 2 * width) {
    high[0] = ms::greater(load(scores + j), high[0]);
    high[1] = ms::greater(load(scores + j + width), high[1]);
  }
  const T before = *greatest,
          now = ms::greater(greatest_lane<T>(ms::greater(high[0], high[1])), before);
  // Where everything is minus infinity so far, nothing is counted yet.
  const Vec<T> shift = ms::splat<Vec<T>>(now == least ? static_cast<T>(0) : now);
  Vec<T> total[2] = {};
  for (int64_t j = 0; j < padded; j += 2 * width) {
    const Vec<T> a = ms::exp_of_nonpositive(load(scores + j) - shift);
    const Vec<T> b = ms::exp_of_nonpositive(load(scores + j + width) - shift);
    store(scores + j, a);
    store(scores + j + width, b);
    total[0] += a;
    total[1] += b;
  }
  const T shrink = before == now ? static_cast<T>(1) : ms::exp_of_nonpositive(before - now);
  *greatest = now;
  *sum = *sum * shrink + sum_lanes<T>(total[0] + total[1]);
  return shrink;
}

// A further score that no value belongs to; returns what the output shrinks by.
template <class S, class T> static T add_sink(const Problem& p, int64_t head, T* greatest, T* sum) {
  if (!p.sinks) return 1;
  const T sink = widen<T>(static_cast<const S*>(p.sinks->data)[head * p.sinks->strides[0]]);
  const T before = *greatest, now = ms::greater(sink, before);
  const T shrink = before == now ? static_cast<T>(1) : static_cast<T>(ms::exp(before - now));
  *greatest = now;
  *sum = *sum * shrink + static_cast<T>(ms::exp(sink - now));
  return shrink;
}

// Writes the output of a row from its unnormalised sums, and the row's statistics for the gradient.
template <class S, class T>
static void finish_row(const Problem& p, const KernelCall& call, int64_t b, int64_t h, int64_t r,
                       const T* sums, T greatest, T sum) {
  const int64_t head = h * p.group + r % p.group, index = statistic_index(p, b, h, r);
  const T shrink = add_sink<S>(p, head, &greatest, &sum);
  S* const out = Rows(call.outputs[0]).of<S>(p, b, h, r);
  if (p.keys == 0) {  // attention to nothing is nothing
    for (int64_t i = 0; i < p.value_width; ++i) out[i] = narrow<S>(static_cast<T>(0));
  } else {
    store_scaled(sums, p.value_width, shrink / sum, out);
  }
  static_cast<T*>(call.outputs[1].data)[index] = greatest;
  static_cast<T*>(call.outputs[2].data)[index] = sum;
}

// The products of a block of rows: of queries with a block of keys, a group of rows at once, and of
// the exponentials of that with the values. Holds what they read, and the sums of the latter.
template <class S, class T> struct ScratchProducts {
  static constexpr int64_t group = 24;
  struct Scope {};  // around all calls of a thread

  const Problem& p;
  int64_t width, value_width, keys;  // distances of rows
  T *queries, *out, *keys_turned, *values;

  ScratchProducts(const Problem& problem, int64_t rows, Cutter& cut)
      : p(problem),
        width(Tile<T>::stride(p.width)),
        value_width(Tile<T>::stride(p.value_width)),
        keys(Tile<T>::stride(key_block)),
        queries(cut.take<T>(rows, width)),
        out(cut.take<T>(rows, value_width)),
        keys_turned(cut.take<T>(p.width, keys)),
        values(cut.take<T>(key_block, width > value_width ? width : value_width)) {}

  // Rows [first, first + count) of a head; no sums yet.
  void begin(const Rows& q, int64_t b, int64_t h, int64_t first, int64_t count) const {
    const int64_t padded = round_up(count, Tile<T>::rows);
    for (int64_t r = 0; r < padded; ++r) {
      T* const to = queries + r * width;
      if (r < count)
        load_scaled(q.of<const S>(p, b, h, first + r), p.width, static_cast<T>(p.scale), to);
      else
        clear(to, p.width);
    }
    clear(out, padded * value_width);
  }
  void load_keys(const Rows& k, const Rows& v, int64_t b, int64_t h, int64_t first,
                 int64_t n) const {
    if constexpr (ms::same_type<S, T>::value) {
      turn(k.at<const T>(b, h, first), k.row_stride, n, p.width, keys_turned, keys);
    } else {
      T* const rows = values;  // their place until they are turned
      for (int64_t j = 0; j < n; ++j)
        load_scaled(k.at<const S>(b, h, first + j), p.width, T{1}, rows + j * width);
      turn(rows, width, n, p.width, keys_turned, keys);
    }
    for (int64_t j = 0; j < n; ++j)
      load_scaled(v.at<const S>(b, h, first + j), p.value_width, T{1}, values + j * value_width);
  }
  // Scores of rows [row, row + rows) with n keys.
  void score(int64_t row, int64_t rows, int64_t n, T* scores, int64_t stride) const {
    multiply<T, Into::set>(rows, n, p.width, {queries + row * width, width, 1}, keys_turned, keys,
                           scores, stride);
  }
  // The sums of these rows, times what they shrink by, and the products of exponentials.
  void add(int64_t row, int64_t rows, int64_t n, const T* exponentials, int64_t stride,
           const T* shrink) const {
    multiply<T, Into::scale_and_add>(rows, p.value_width, n, {exponentials, stride, 1}, values,
                                     value_width, out + row * value_width, value_width, shrink);
  }
  const T* sums_of(int64_t row) const { return out + row * value_width; }
};

template <class S, class T, class Products = ScratchProducts<S, T>> struct Forward {
  static constexpr int64_t group = Products::group;

  struct Scratch {
    Products products;
    int64_t keys = Tile<T>::stride(key_block);  // from row to row of the scores
    T *scores, *greatest, *sum;
    size_t bytes;
    Scratch(const Problem& p, int64_t rows, Cutter cut)
        : products(p, rows, cut),
          scores(cut.take<T>(group, keys)),
          greatest(cut.take<T>(1, rows)),
          sum(cut.take<T>(1, rows)),
          bytes(cut.bytes) {}
  };

  struct Cut {
    int64_t rows, blocks, tasks, workers;
    explicit Cut(const Problem& p) {
      const int64_t pairs = p.batch * p.heads, all = p.rows();
      // Enough tasks for all threads, of as many rows as possible.
      const int64_t wanted = (4 * mlxk::thread_count() + pairs - 1) / (pairs > 0 ? pairs : 1);
      blocks = ceil_div(all, most_rows);
      const int64_t most_blocks = (all + 2 * group - 1) / (2 * group);
      if (blocks < wanted) blocks = wanted < most_blocks ? wanted : most_blocks;
      rows = round_up((all + blocks - 1) / (blocks > 0 ? blocks : 1), group);
      blocks = rows > 0 ? ceil_div(all, rows) : 0;
      tasks = pairs * blocks;
      const int64_t work = 2 * pairs * all * p.keys * (p.width + p.value_width);
      workers = work < inline_work ? 1 : worker_count(tasks);
    }
    static constexpr int64_t inline_work = 1 << 20;
  };

  static void run(const Problem& p, const KernelCall& call) {
    const Cut cut(p);
    const size_t bytes = Scratch(p, cut.rows, {nullptr}).bytes;
    run_tasks(cut.tasks, cut.workers, [&](int64_t task, int64_t worker) {
      const int64_t pair = task / cut.blocks, first = task % cut.blocks * cut.rows;
      const int64_t count = p.rows() - first < cut.rows ? p.rows() - first : cut.rows;
      char* const memory = static_cast<char*>(call.workspace) + static_cast<size_t>(worker) * bytes;
      block(p, call, pair / p.heads, pair % p.heads, first, count, Scratch(p, cut.rows, {memory}));
    });
  }
  static size_t workspace(const Problem& p) {
    const Cut cut(p);
    return static_cast<size_t>(cut.workers) * Scratch(p, cut.rows, {nullptr}).bytes;
  }

  // Rows [first, first + count) of a head.
  static void block(const Problem& p, const KernelCall& call, int64_t b, int64_t h, int64_t first,
                    int64_t count, const Scratch& s) {
    [[maybe_unused]] const typename Products::Scope scope;
    const Rows q(call.inputs[0]), k(call.inputs[1]), v(call.inputs[2]);
    s.products.begin(q, b, h, first, count);
    for (int64_t r = 0; r < count; ++r) {
      s.greatest[r] = -static_cast<T>(__builtin_inf());
      s.sum[r] = 0;
    }
    const int64_t last = sees(p, first, count);
    for (int64_t j = 0; j < last; j += key_block) {
      const int64_t n = p.keys - j < key_block ? p.keys - j : key_block;
      s.products.load_keys(k, v, b, h, j, n);
      for (int64_t g = 0; g < count; g += group) {
        const int64_t rows = count - g < group ? count - g : group;
        const int64_t seen = sees(p, first + g, rows) - j;
        if (seen > 0) attend(p, b, h, first, g, rows, j, seen < n ? seen : n, s);
      }
    }
    for (int64_t r = 0; r < count; ++r)
      finish_row<S>(p, call, b, h, first + r, s.products.sums_of(r), s.greatest[r], s.sum[r]);
  }

  // How many keys have to be looked at for some rows. One that sees none attends to all of them
  // alike.
  static int64_t sees(const Problem& p, int64_t row, int64_t count) {
    return p.visible(row) <= 0 ? p.keys : p.visible(row + count - 1);
  }

  // A group of rows, from row `at` of the block on, and n keys.
  static void attend(const Problem& p, int64_t b, int64_t h, int64_t block, int64_t at,
                     int64_t rows, int64_t first, int64_t n, const Scratch& s) {
    const int64_t padded = round_up(n, Tile<T>::cols);
    T shrink[group];
    s.products.score(at, rows, n, s.scores, s.keys);
    for (int64_t r = 0; r < rows; ++r) {
      T* const scores = s.scores + r * s.keys;
      const int64_t row = block + at + r;
      if (p.mask || p.visible(row) < first + n) mask_scores<S>(p, b, h, row, first, n, scores);
      for (int64_t j = n; j < padded; ++j) scores[j] = -static_cast<T>(__builtin_inf());
      shrink[r] = exponentials(scores, padded, s.greatest + at + r, s.sum + at + r);
    }
    for (int64_t r = rows; r < group; ++r) shrink[r] = 0;
    s.products.add(at, rows, n, s.scores, s.keys, shrink);
  }
};

}  // namespace
