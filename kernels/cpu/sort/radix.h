// Stable sorting of unsigned keys, alone or with an index: insertion for short lines,
// least-significant-digit radix for long ones (Knuth, The Art of Computer Programming, vol.
// 3, 5.2.5), merged halves where threads share a line.
#pragma once

#include <stdint.h>
#include <string.h>

#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t short_line = 48;

// A run of keys and, for an argsort, of the indices that move with them.
template <class K, bool indexed> struct Run {
  K* keys;
  uint32_t* index;
  Run at(int64_t i) const { return {keys + i, indexed ? index + i : nullptr}; }
  void put(int64_t i, const Run& from, int64_t j) const {
    keys[i] = from.keys[j];
    if constexpr (indexed) index[i] = from.index[j];
  }
  void copy(const Run& from, int64_t count) const {
    memcpy(keys, from.keys, static_cast<size_t>(count) * sizeof(K));
    if constexpr (indexed) memcpy(index, from.index, static_cast<size_t>(count) * 4);
  }
};

template <class K, bool indexed> void insertion_sort(Run<K, indexed> run, int64_t count) {
  for (int64_t i = 1; i < count; ++i) {
    const K key = run.keys[i];
    [[maybe_unused]] uint32_t index = 0;
    if constexpr (indexed) index = run.index[i];
    int64_t j = i;
    for (; j > 0 && run.keys[j - 1] > key; --j) run.put(j, run, j - 1);
    run.keys[j] = key;
    if constexpr (indexed) run.index[j] = index;
  }
}

// Sorts `count` elements of `run`; `spare` is room for as many.
template <class K, bool indexed>
void radix_sort(Run<K, indexed> run, Run<K, indexed> spare, int64_t count) {
  if (count <= short_line) return insertion_sort(run, count);
  constexpr int digits = sizeof(K);
  int64_t histogram[digits][256];
  memset(histogram, 0, sizeof histogram);
  for (int64_t i = 0; i < count; ++i) {
    const K key = run.keys[i];
    for (int d = 0; d < digits; ++d) ++histogram[d][static_cast<uint8_t>(key >> (8 * d))];
  }
  Run<K, indexed> from = run, to = spare;
  for (int d = 0; d < digits; ++d) {
    int64_t* starts = histogram[d];
    if (starts[static_cast<uint8_t>(run.keys[0] >> (8 * d))] == count)
      continue;  // one digit everywhere
    int64_t sum = 0;
    for (int v = 0; v < 256; ++v) {
      const int64_t here = starts[v];
      starts[v] = sum;
      sum += here;
    }
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = starts[static_cast<uint8_t>(from.keys[i] >> (8 * d))]++;
      to.put(place, from, i);
    }
    const Run<K, indexed> other = from;
    from = to;
    to = other;
  }
  if (from.keys != run.keys) run.copy(from, count);
}

// How many of the first `rank` elements of the stable merge of a and b come from a.
template <class K>
int64_t co_rank(int64_t rank, const K* a, int64_t count_a, const K* b, int64_t count_b) {
  int64_t low = rank > count_b ? rank - count_b : 0, high = rank < count_a ? rank : count_a;
  while (low < high) {
    const int64_t i = low + (high - low) / 2, j = rank - i;
    if (j > 0 && a[i] <= b[j - 1])
      low = i + 1;
    else
      high = i;
  }
  return low;
}

template <class K, bool indexed>
void merge_part(Run<K, indexed> a, int64_t count_a, Run<K, indexed> b, int64_t count_b,
                Run<K, indexed> out) {
  int64_t i = 0, j = 0, o = 0;
  while (i < count_a && j < count_b) {
    const bool take_b = b.keys[j] < a.keys[i];
    out.keys[o] = take_b ? b.keys[j] : a.keys[i];
    if constexpr (indexed) out.index[o] = take_b ? b.index[j] : a.index[i];
    j += take_b;
    i += !take_b;
    ++o;
  }
  out.at(o).copy(a.at(i), count_a - i);
  out.at(o + count_a - i).copy(b.at(j), count_b - j);
}

// One long line shared by the pool: parts are sorted side by side, then merged pairwise, each merge
// cut into pieces.
template <class K, bool indexed>
void parallel_sort(Run<K, indexed> run, Run<K, indexed> spare, int64_t count) {
  int64_t parts = 1;
  while (parts < thread_count() && count / (parts * 2) >= 32768) parts *= 2;
  const auto start = [&](int64_t p, int64_t of) { return p * count / of; };
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int64_t at = start(p, parts);
      radix_sort(run.at(at), spare.at(at), start(p + 1, parts) - at);
    }
  });
  Run<K, indexed> from = run, to = spare;
  for (int64_t width = parts; width > 1; width /= 2) {
    const int64_t pairs = width / 2;
    const int64_t pieces = parts / pairs;
    parallel_for(pairs * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t pair = t / pieces, piece = t % pieces;
        const int64_t a0 = start(2 * pair, width), b0 = start(2 * pair + 1, width),
                      e = start(2 * pair + 2, width);
        const Run<K, indexed> a = from.at(a0), b = from.at(b0);
        const int64_t low = piece * (e - a0) / pieces, high = (piece + 1) * (e - a0) / pieces;
        const int64_t i0 = co_rank(low, a.keys, b0 - a0, b.keys, e - b0);
        const int64_t i1 = co_rank(high, a.keys, b0 - a0, b.keys, e - b0);
        merge_part(a.at(i0), i1 - i0, b.at(low - i0), (high - i1) - (low - i0), to.at(a0 + low));
      }
    });
    const Run<K, indexed> other = from;
    from = to;
    to = other;
  }
  if (from.keys != run.keys) run.copy(from, count);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
