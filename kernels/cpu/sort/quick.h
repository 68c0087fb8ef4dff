// Quicksort and selection of signed keys in vectors, from one buffer into another and back.
//
// Partitions write both sides with whole vectors whose lanes were brought in order by a table
// (Bramas, A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512, 2017; here for AVX2). Short
// ends are sorted by a bitonic network in registers. What a partition does follows from the keys
// alone: neither the number of threads nor what is packed beside a key changes it, so that a
// selection of keys and one of keys with their places give the same order.
#pragma once

#include "cpu/integers.h"
#include "cpu/sort/radix.h"

#if defined(__AVX2__)
#define MLXK_QUICK 1

#include <immintrin.h>

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int quick_bytes = 32;  // of a vector, with AVX-512 as well
template <class T> using Keys = typename mlxk_scalar::vector_of<T, quick_bytes / sizeof(T)>::type;
template <class T> constexpr int key_lanes = quick_bytes / sizeof(T);

template <class T> MLXK_FN Keys<T> load_keys(const T* from) {
  Keys<T> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
template <class T> MLXK_FN void store_keys(T* to, Keys<T> v) { __builtin_memcpy(to, &v, sizeof v); }

// ---- bitonic network ----------------------------------------------------------------------------

template <class T, int... lane>
MLXK_FN Keys<T> permuted(Keys<T> v, std::integer_sequence<int, lane...>) {
  return __builtin_shufflevector(v, v, lane...);
}
template <class T, int distance, int... lane>
MLXK_FN Keys<T> exchanged(Keys<T> v,
                          std::integer_sequence<int, lane...>) {  // lanes i and i ^ distance
  return permuted<T>(v, std::integer_sequence<int, (lane ^ distance)...>{});
}
template <class T, int bit, int... lane>
MLXK_FN Keys<T> lanes_with(std::integer_sequence<int, lane...>) {
  return Keys<T>{(lane & bit ? T{-1} : T{0})...};
}
// Orders the lanes i and i ^ distance; `bit` is the highest one of distance.
template <class T, int distance, int bit> MLXK_FN Keys<T> ordered(Keys<T> v) {
  constexpr auto all = std::make_integer_sequence<int, key_lanes<T>>{};
  const Keys<T> other = exchanged<T, distance>(v, all);
  const Keys<T> low = v < other ? v : other, high = v < other ? other : v;
  return lanes_with<T, bit>(all) ? high : low;
}
template <class T, int distance> MLXK_FN Keys<T> cleaned(Keys<T> v) {  // a bitonic vector, sorted
  if constexpr (distance > 0)
    return cleaned<T, distance / 2>(ordered<T, distance, distance>(v));
  else
    return v;
}
template <class T, int size> MLXK_FN Keys<T> sorted_vector(Keys<T> v) {  // in runs of `size`
  if constexpr (size == 1)
    return v;
  else
    return cleaned<T, size / 4>(ordered<T, size - 1, size / 2>(sorted_vector<T, size / 2>(v)));
}

template <class T> MLXK_FN void order(Keys<T>& a, Keys<T>& b) {
  const Keys<T> low = a < b ? a : b;
  b = a < b ? b : a;
  a = low;
}
// As many vectors as one has lanes, each sorted: first across them lane by lane, by the shortest
// networks (Knuth, vol. 3, 5.3.4), then transposed.
MLXK_FN void sort_square(Keys<int32_t>* v) {
  constexpr int pairs[19][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6},
                                {5, 7}, {1, 2}, {5, 6}, {0, 4}, {3, 7}, {1, 5}, {2, 6},
                                {1, 4}, {3, 6}, {2, 4}, {3, 5}, {3, 4}};
#pragma GCC unroll 19
  for (int k = 0; k < 19; ++k) order<int32_t>(v[pairs[k][0]], v[pairs[k][1]]);
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) r[j] = (__m256)v[j];
#pragma GCC unroll 4
  for (int j = 0; j < 8; j += 2) {
    t[j] = _mm256_unpacklo_ps(r[j], r[j + 1]);
    t[j + 1] = _mm256_unpackhi_ps(r[j], r[j + 1]);
  }
#pragma GCC unroll 2
  for (int j = 0; j < 8; j += 4) {
    r[j] = _mm256_shuffle_ps(t[j], t[j + 2], 0x44);
    r[j + 1] = _mm256_shuffle_ps(t[j], t[j + 2], 0xee);
    r[j + 2] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0x44);
    r[j + 3] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    v[j] = (Keys<int32_t>)_mm256_permute2f128_ps(r[j], r[j + 4], 0x20);
    v[j + 4] = (Keys<int32_t>)_mm256_permute2f128_ps(r[j], r[j + 4], 0x31);
  }
}
MLXK_FN void sort_square(Keys<int64_t>* v) {
  order<int64_t>(v[0], v[1]);
  order<int64_t>(v[2], v[3]);
  order<int64_t>(v[0], v[2]);
  order<int64_t>(v[1], v[3]);
  order<int64_t>(v[1], v[2]);
  const __m256d a = (__m256d)v[0], b = (__m256d)v[1], c = (__m256d)v[2], d = (__m256d)v[3];
  const __m256d ab = _mm256_unpacklo_pd(a, b), cd = _mm256_unpacklo_pd(c, d);
  const __m256d ab_high = _mm256_unpackhi_pd(a, b), cd_high = _mm256_unpackhi_pd(c, d);
  v[0] = (Keys<int64_t>)_mm256_permute2f128_pd(ab, cd, 0x20);
  v[1] = (Keys<int64_t>)_mm256_permute2f128_pd(ab, cd, 0x31);
  v[2] = (Keys<int64_t>)_mm256_permute2f128_pd(ab_high, cd_high, 0x20);
  v[3] = (Keys<int64_t>)_mm256_permute2f128_pd(ab_high, cd_high, 0x31);
}

// Merges the sorted halves of `count` vectors.
template <class T, int count> MLXK_FN void merge_halves(Keys<T>* v) {
  constexpr int half = count / 2, lanes = key_lanes<T>;
  Keys<T> high[half];
#pragma GCC unroll 16
  for (int j = 0; j < half; ++j) {
    high[j] = exchanged<T, lanes - 1>(v[count - 1 - j], std::make_integer_sequence<int, lanes>{});
    order<T>(v[j], high[j]);
  }
#pragma GCC unroll 16
  for (int j = 0; j < half; ++j) v[half + j] = high[j];
#pragma GCC unroll 8
  for (int step = half / 2; step > 0; step /= 2) {
#pragma GCC unroll 32
    for (int j = 0; j < count; ++j) {
      if (!(j & step)) order<T>(v[j], v[j + step]);
    }
  }
#pragma GCC unroll 32
  for (int j = 0; j < count; ++j) v[j] = cleaned<T, lanes / 2>(v[j]);
}
// Merges runs of vectors, pairwise, until they are one.
template <class T, int size, int count> MLXK_FN void merge_runs(Keys<T>* v) {
#pragma GCC unroll 16
  for (int j = 0; j < count; j += size) merge_halves<T, size>(v + j);
  if constexpr (size < count) merge_runs<T, 2 * size, count>(v);
}
// Sorts `count` vectors, a power of two, as one sequence.
template <class T, int count> MLXK_FN void sort_vectors(Keys<T>* v) {
  constexpr int lanes = key_lanes<T>;
  if constexpr (count == lanes) {
    sort_square(v);
    merge_runs<T, 2, count>(v);
  } else if constexpr (count == 1) {
    v[0] = sorted_vector<T, lanes>(v[0]);
  } else {
    sort_vectors<T, count / 2>(v);
    sort_vectors<T, count / 2>(v + count / 2);
    merge_halves<T, count>(v);
  }
}

template <class T> constexpr T greatest_key = static_cast<T>(~(uint64_t{1} << (sizeof(T) * 8 - 1)));
template <class T> constexpr T least_key = static_cast<T>(-greatest_key<T> - 1);

// What the network sorts: 32 vectors.
template <class T> constexpr int64_t short_run = 32 * key_lanes<T>;

template <class T, int count>
__attribute__((noinline)) void sort_padded(const T* from, int64_t n, T* to) {
  constexpr int lanes = key_lanes<T>;
  alignas(quick_bytes) T padded[count * lanes];
  Keys<T> v[count];
#pragma GCC unroll 32
  for (int j = count / 2; j < count; ++j)
    store_keys(padded + j * lanes, Keys<T>{} + greatest_key<T>);
  __builtin_memcpy(padded, from, static_cast<size_t>(n) * sizeof(T));
#pragma GCC unroll 32
  for (int j = 0; j < count; ++j) v[j] = load_keys(padded + j * lanes);
  sort_vectors<T, count>(v);
#pragma GCC unroll 32
  for (int j = 0; j < count; ++j) store_keys(padded + j * lanes, v[j]);
  __builtin_memcpy(to, padded, static_cast<size_t>(n) * sizeof(T));
}
// At most short_run elements; `from` may be `to`.
template <class T> void sort_short(const T* from, int64_t n, T* to) {
  constexpr int64_t lanes = key_lanes<T>;
  if (n <= lanes) return sort_padded<T, 1>(from, n, to);
  if (n <= 2 * lanes) return sort_padded<T, 2>(from, n, to);
  if (n <= 4 * lanes) return sort_padded<T, 4>(from, n, to);
  if (n <= 8 * lanes) return sort_padded<T, 8>(from, n, to);
  if (n <= 16 * lanes) return sort_padded<T, 16>(from, n, to);
  return sort_padded<T, 32>(from, n, to);
}

// ---- partition ----------------------------------------------------------------------------------

// For each mask the lanes whose bit is clear, then the others, both in order; as 32-bit lanes.
struct LaneOrders {
  uint8_t of4[256][8], of8[16][8];
};
constexpr LaneOrders make_lane_orders() {
  LaneOrders t{};
  for (int mask = 0; mask < 256; ++mask) {
    int n = 0;
    for (int side = 0; side < 2; ++side)
      for (int lane = 0; lane < 8; ++lane)
        if ((mask >> lane & 1) == side) t.of4[mask][n++] = static_cast<uint8_t>(lane);
  }
  for (int mask = 0; mask < 16; ++mask) {
    int n = 0;
    for (int side = 0; side < 2; ++side)
      for (int lane = 0; lane < 8; ++lane)
        if ((mask >> lane / 2 & 1) == side) t.of8[mask][n++] = static_cast<uint8_t>(lane);
  }
  return t;
}
alignas(64) constexpr LaneOrders lane_orders = make_lane_orders();

// A vector whose lanes above the pivot were moved behind the others.
template <class T> struct Parted {
  Keys<T> v;
  int above;

  MLXK_MEMBER Parted(Keys<T> x, Keys<T> pivot) {
    int mask;
    const uint8_t* order;
    if constexpr (sizeof(T) == 4) {
      mask = _mm256_movemask_ps((__m256)(x > pivot));
      order = lane_orders.of4[mask];
    } else {
      mask = _mm256_movemask_pd((__m256d)(x > pivot));
      order = lane_orders.of8[mask];
    }
    above = __builtin_popcount(static_cast<unsigned>(mask));
    const __m256i lanes =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(order)));
    v = (Keys<T>)_mm256_permutevar8x32_epi32((__m256i)x, lanes);
  }
};

constexpr int64_t part_block = 8;  // elements, for keys of any width

// Where the two sides of a partition are written: one forwards, one backwards.
template <class T> struct Sides {
  T* low;
  T* high;

  MLXK_MEMBER void put(T x, T pivot) {
    if (x > pivot)
      *--high = x;
    else
      *low++ = x;
  }
  // Whole vectors, though only a part of them belongs there; room for two is needed between.
  MLXK_MEMBER void put_block(const T* from, Keys<T> pivot) {
    constexpr int lanes = key_lanes<T>, vectors = part_block / lanes;
    T* const end = high;
    int above[vectors];
    Keys<T> v[vectors];
#pragma GCC unroll 2
    for (int k = 0; k < vectors; ++k) {
      const Parted<T> parted(load_keys(from + k * lanes), pivot);
      v[k] = parted.v;
      above[k] = parted.above;
      store_keys(low, v[k]);
      low += lanes - above[k];
    }
    high = end;
#pragma GCC unroll 2
    for (int k = vectors - 1; k >= 0; --k) {
      store_keys(high - lanes, v[k]);
      high -= above[k];
    }
  }
};

// Writes the n elements of `from` that are no greater than the pivot to the front of `to`, the
// others to its end; returns how many come first.
template <class T> int64_t partition_run(const T* from, int64_t n, T pivot, T* to) {
  Sides<T> sides{to, to + n};
  const Keys<T> p = Keys<T>{} + pivot;
  int64_t i = 0;
  for (; i + 2 * part_block <= n; i += part_block) sides.put_block(from + i, p);
  for (; i < n; ++i) sides.put(from[i], pivot);
  return sides.low - to;
}

template <class T> int64_t count_above(const T* from, int64_t n, T pivot) {
  constexpr int lanes = key_lanes<T>;
  Keys<T> sums[4] = {};
  const Keys<T> p = Keys<T>{} + pivot;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) sums[k] -= load_keys(from + i + k * lanes) > p;
  }
  int64_t count = 0;
  for (const Keys<T>& sum : sums)
    for (int k = 0; k < lanes; ++k) count += sum[k];
  for (; i < n; ++i) count += from[i] > pivot;
  return count;
}

// The same where other threads write next to both sides: `below` and `above` say how many there
// are.
template <class T>
void partition_between(const T* from, int64_t n, T pivot, T* low, int64_t below, T* high,
                       int64_t above) {
  Sides<T> sides{low, high + above};
  const T* const low_end = low + below;
  const Keys<T> p = Keys<T>{} + pivot;
  int64_t i = 0;
  while (i + part_block <= n) {
    if (low_end - sides.low >= part_block && sides.high - high >= part_block) {
      sides.put_block(from + i, p);
    } else {
      T low_part[2 * part_block], high_part[2 * part_block];
      Sides<T> block{low_part, high_part + 2 * part_block};
      block.put_block(from + i, p);
      const int64_t lows = block.low - low_part, highs = part_block - lows;
      __builtin_memcpy(sides.low, low_part, static_cast<size_t>(lows) * sizeof(T));
      __builtin_memcpy(sides.high - highs, block.high, static_cast<size_t>(highs) * sizeof(T));
      sides.low += lows;
      sides.high -= highs;
    }
    i += part_block;
  }
  for (; i < n; ++i) sides.put(from[i], pivot);
}

constexpr int64_t shared_run = 131072;  // elements from which on threads share a partition
constexpr int64_t max_chunks = 64;

template <class T> int64_t partition_shared(const T* from, int64_t n, T pivot, T* to) {
  const int64_t least = ceil_div(n, max_chunks), size = least > 32768 ? least : 32768;
  const int64_t chunks = ceil_div(n, size);
  const auto length = [&](int64_t c) { return c + 1 < chunks ? size : n - c * size; };
  int64_t above[max_chunks], low[max_chunks], high[max_chunks];
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) above[c] = count_above(from + c * size, length(c), pivot);
  });
  int64_t below = 0;
  for (int64_t c = 0; c < chunks; ++c) {
    low[c] = below;
    below += length(c) - above[c];
  }
  int64_t at = below;
  for (int64_t c = 0; c < chunks; ++c) {
    high[c] = at;
    at += above[c];
  }
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      partition_between(from + c * size, length(c), pivot, to + low[c], length(c) - above[c],
                        to + high[c], above[c]);
  });
  return below;
}

template <class T> int64_t partition(const T* from, int64_t n, T pivot, T* to) {
  return n < shared_run ? partition_run(from, n, pivot, to) : partition_shared(from, n, pivot, to);
}

// ---- pivots -------------------------------------------------------------------------------------

template <class T> T median_of(const T* from, int64_t n) {
  T sample[64];
  const int64_t count = n < 1024 ? 15 : 63;
  const int64_t step = n / count;
  for (int64_t i = 0; i < count; ++i) sample[i] = from[i * step + step / 2];
  sort_short(sample, count, sample);
  return sample[count / 2];
}

// ---- sort ---------------------------------------------------------------------------------------

template <class T> void fill_keys(T* to, int64_t n, T key) {
  for (int64_t i = 0; i < n; ++i) to[i] = key;
}

// Unlucky pivots end here: keys as unsigned ones, and back.
template <class T> void sort_by_digits(T* data, T* spare, int64_t n) {
  using U = std::make_unsigned_t<T>;
  for (int64_t i = 0; i < n; ++i) data[i] ^= least_key<T>;
  radix_sort(Run<U, false>{reinterpret_cast<U*>(data), nullptr},
             Run<U, false>{reinterpret_cast<U*>(spare), nullptr}, n);
  for (int64_t i = 0; i < n; ++i) data[i] ^= least_key<T>;
}

inline int depth_limit(int64_t n) {
  return 2 * (64 - __builtin_clzll(static_cast<uint64_t>(n) | 1));
}

// One partition of `data` into `spare`: how many keys come first, and whether those behind are all
// alike.
template <class T> struct Split {
  int64_t below;
  bool alike;
};
template <class T> Split<T> split(const T* data, int64_t n, T pivot, T* spare) {
  const int64_t below = partition(data, n, pivot, spare);
  if (below < n) return {below, false};
  // The pivot is the greatest key.
  return {pivot == least_key<T> ? 0 : partition(data, n, static_cast<T>(pivot - 1), spare), true};
}

// Sorts the n keys of `data`, there or into `spare`.
template <class T> void quick_sort(T* data, T* spare, int64_t n, bool into_spare, int depth) {
  T* const target = into_spare ? spare : data;
  if (n <= short_run<T>) return sort_short(data, n, target);
  if (depth == 0) {
    sort_by_digits(data, spare, n);
    if (into_spare) __builtin_memcpy(spare, data, static_cast<size_t>(n) * sizeof(T));
    return;
  }
  const T pivot = median_of(data, n);
  const Split<T> s = split(data, n, pivot, spare);
  quick_sort(spare, data, s.below, !into_spare, depth - 1);
  if (!s.alike)
    quick_sort(spare + s.below, data + s.below, n - s.below, !into_spare, depth - 1);
  else if (!into_spare)
    fill_keys(data + s.below, n - s.below, pivot);
}

// A long line for all threads: they share the first partitions, then each sorts some of the parts.
template <class T> struct SharedSort {
  struct Part {
    T* data;
    T* spare;
    int64_t n;
    bool into_spare;
  };
  static constexpr int max_parts = 128;
  Part parts[max_parts];
  int count = 0;

  void divide(T* data, T* spare, int64_t n, bool into_spare, int wanted) {
    if (wanted <= 1 || n < 32768) {
      parts[count++] = {data, spare, n, into_spare};
      return;
    }
    const T pivot = median_of(data, n);
    const Split<T> s = split(data, n, pivot, spare);
    divide(spare, data, s.below, !into_spare, wanted / 2);
    if (!s.alike)
      divide(spare + s.below, data + s.below, n - s.below, !into_spare, wanted - wanted / 2);
    else if (!into_spare)
      fill_keys(data + s.below, n - s.below, pivot);
  }
  void run() {
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Part& p = parts[i];
        quick_sort(p.data, p.spare, p.n, p.into_spare, depth_limit(p.n));
      }
    });
  }
};

template <class T> void quick_sort(T* data, T* spare, int64_t n) {
  if (n < shared_run || thread_count() == 1)
    return quick_sort(data, spare, n, false, depth_limit(n));
  SharedSort<T> shared;
  const int wanted = 4 * thread_count();
  shared.divide(data, spare, n, false, wanted < 64 ? wanted : 64);
  shared.run();
}

// ---- selection ----------------------------------------------------------------------------------

// How keys with something packed below them are compared: by the key alone.
template <class T, int packed_bits> struct KeyOrder {
  static constexpr T rest = static_cast<T>((uint64_t{1} << packed_bits) - 1);
  static T last_alike(T key) { return static_cast<T>(key | rest); }
  static bool is_least(T key) { return (key | rest) == (least_key<T> | rest); }
  static T last_below(T key) { return static_cast<T>((key & static_cast<T>(~rest)) - 1); }
};

// A key on the far side of the one that sorting would put at `kth`, but near: what a partition by
// it leaves is small (Floyd and Rivest, Expected Time Bounds for Selection, 1975).
template <class T> T pivot_near(const T* from, int64_t n, int64_t kth) {
  constexpr int64_t large_sample = 1023;
  T sample[large_sample], spare[large_sample];
  const bool large = n >= 16 * large_sample;
  const int64_t count = large ? large_sample : 63, margin = large ? 40 : 8;
  const int64_t step = n / count;
  for (int64_t i = 0; i < count; ++i) sample[i] = from[i * step + step / 2];
  quick_sort(sample, spare, count, false, depth_limit(count));
  const int64_t rank = kth / step + (kth < n / 2 ? margin : -margin);
  return sample[rank < 0 ? 0 : rank >= count ? count - 1 : rank];
}

// What a selection leaves to the network: the same for keys of any width, as they must agree.
constexpr int64_t last_selection = short_run<int64_t>;

// Writes the n keys of `from` to `to`, the one that sorting would put at `kth` there, smaller ones
// before it. Both buffers change.
template <class T, int packed_bits> void quick_select(T* from, T* to, int64_t n, int64_t kth) {
  using Order = KeyOrder<T, packed_bits>;
  int64_t at = 0;          // the elements [at, at + n) are still to be placed,
  bool in_result = false;  // and lie in `to`
  const auto keep = [&](int64_t begin, int64_t count) {  // they were partitioned into `from`
    if (in_result)
      __builtin_memcpy(to + begin, from + begin, static_cast<size_t>(count) * sizeof(T));
  };
  for (int depth = depth_limit(n); n > last_selection; --depth) {
    T* const here = (in_result ? to : from) + at;
    T* const there = (in_result ? from : to) + at;
    if (depth == 0) {
      sort_by_digits(here, there, n);
      if (!in_result) __builtin_memcpy(there, here, static_cast<size_t>(n) * sizeof(T));
      return;
    }
    const T pivot = pivot_near(here, n, kth - at);
    int64_t below = partition(here, n, Order::last_alike(pivot), there);
    const bool alike = below == n;  // the pivot is the greatest key
    if (alike)
      below = Order::is_least(pivot) ? 0 : partition(here, n, Order::last_below(pivot), there);
    if (kth - at < below) {
      keep(at + below, n - below);
      n = below;
    } else {
      keep(at, below);
      at += below, n -= below;
      if (alike) return keep(at, n);
    }
    in_result = !in_result;
  }
  sort_short((in_result ? to : from) + at, n, to + at);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
#endif
