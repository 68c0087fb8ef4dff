// Copies between any two layouts, with conversion between any two dtypes.
//
// Conversions are the elementwise machine's: a copy that changes the dtype runs a chain of one
// cast, tile by tile where the output is not row-major. Same-dtype copies move items of 1, 2, 4 or
// 8 bytes: whole rows where both sides have stride one, square blocks where the two sides have
// their short strides on different axes, else item by item.
#include "cpu/elementwise/transpose.h"
#include "cpu/integers.h"
#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

#include <cstring>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t parallel_bytes = 1 << 17;  // what a thread is handed at least

// The axes of a copy, outermost first, joined where both sides allow it. Sizes are never one.
struct Axes {
  int count;
  int64_t *shape, *from, *to;  // strides in items
};

// Sorts by the output's strides, so that writes go forward, and joins neighbours. `storage`: 3 *
// (ndim + 1) numbers.
Axes joined_axes(const Tensor& input, const Tensor& output, int64_t* storage) {
  const int ndim = output.ndim;
  Axes axes{0, storage, storage + ndim + 1, storage + 2 * (ndim + 1)};
  for (int d = 0; d < ndim; d++) {
    if (output.shape[d] == 1) continue;
    int at = axes.count++;
    const auto size_of = [](int64_t stride) { return stride < 0 ? -stride : stride; };
    while (at > 0 && size_of(axes.to[at - 1]) < size_of(output.strides[d])) {
      axes.shape[at] = axes.shape[at - 1];
      axes.from[at] = axes.from[at - 1];
      axes.to[at] = axes.to[at - 1];
      at--;
    }
    axes.shape[at] = output.shape[d];
    axes.from[at] = input.strides[d];
    axes.to[at] = output.strides[d];
  }
  int kept = 0;
  for (int d = 0; d < axes.count; d++) {
    if (kept > 0 && axes.from[kept - 1] == axes.from[d] * axes.shape[d] &&
        axes.to[kept - 1] == axes.to[d] * axes.shape[d]) {
      axes.shape[kept - 1] *= axes.shape[d];
    } else {
      axes.shape[kept] = axes.shape[d];
      kept++;
    }
    axes.from[kept - 1] = axes.from[d];
    axes.to[kept - 1] = axes.to[d];
  }
  if (kept == 0) {
    axes.shape[0] = 1;
    axes.from[0] = axes.to[0] = 1;
    kept = 1;
  }
  axes.count = kept;
  return axes;
}

// ---- rows ---------------------------------------------------------------------------------------

#if defined(__AVX512F__)
typedef __m512i Wide;
#define MLXK_STREAM(to, v) _mm512_stream_si512(to, v)
#elif defined(__AVX2__)
typedef __m256i Wide;
#define MLXK_STREAM(to, v) _mm256_stream_si256(to, v)
#elif defined(__SSE2__)
typedef __m128i Wide;
#define MLXK_STREAM(to, v) _mm_stream_si128(to, v)
#endif

// memcpy past the caches.
void stream_bytes(const char* from, char* to, int64_t bytes) {
#if defined(MLXK_STREAM)
  const int64_t head = -reinterpret_cast<intptr_t>(to) & (sizeof(Wide) - 1);
  if (bytes > head + 256) {
    memcpy(to, from, head);
    int64_t i = head;
    for (; i + 4 * static_cast<int64_t>(sizeof(Wide)) <= bytes; i += 4 * sizeof(Wide)) {
      Wide w[4];
      memcpy(w, from + i, sizeof w);
      for (int k = 0; k < 4; k++) MLXK_STREAM(reinterpret_cast<Wide*>(to + i) + k, w[k]);
    }
    memcpy(to + i, from + i, bytes - i);
    _mm_sfence();
    return;
  }
#endif
  memcpy(to, from, bytes);
}

template <class T>
void copy_row(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t count) {
  if (from_stride == 1 && to_stride == 1) {
    memcpy(to, from, count * sizeof(T));
  } else if (from_stride == 0 && to_stride == 1) {
    const T value = *from;
    for (int64_t i = 0; i < count; i++) to[i] = value;
  } else if (to_stride == 1) {
    for (int64_t i = 0; i < count; i++) to[i] = from[i * from_stride];
  } else {
    for (int64_t i = 0; i < count; i++) to[i * to_stride] = from[i * from_stride];
  }
}

// ---- any layout ---------------------------------------------------------------------------------

// Calls body(offset in the input, offset in the output) for items [begin, end) of the outer `count`
// axes.
template <class Body>
void walk(const Axes& axes, int count, int64_t begin, int64_t end, const Body& body) {
  int64_t* index = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * (count + 1)));
  int64_t from = 0, to = 0, rest = begin;
  for (int d = count - 1; d >= 0; d--) {
    index[d] = rest % axes.shape[d];
    rest /= axes.shape[d];
    from += index[d] * axes.from[d];
    to += index[d] * axes.to[d];
  }
  for (int64_t k = begin; k < end; k++) {
    body(from, to);
    for (int d = count - 1; d >= 0; d--) {
      from += axes.from[d];
      to += axes.to[d];
      if (++index[d] < axes.shape[d]) break;
      from -= index[d] * axes.from[d];
      to -= index[d] * axes.to[d];
      index[d] = 0;
    }
  }
}

template <class T> void copy_items(const Axes& axes, int64_t size, const T* from, T* to) {
  const int last = axes.count - 1;
  const int64_t width = axes.shape[last], from_stride = axes.from[last], to_stride = axes.to[last];
  const bool streams = size * sizeof(T) > cache_bytes();
  if (last == 0 && from_stride == 1 && to_stride == 1) {
    parallel_for(size, parallel_bytes / sizeof(T), [&](int64_t begin, int64_t end) {
      const int64_t bytes = (end - begin) * sizeof(T);
      if (streams)
        stream_bytes(reinterpret_cast<const char*>(from + begin),
                     reinterpret_cast<char*>(to + begin), bytes);
      else
        memcpy(to + begin, from + begin, bytes);
    });
    return;
  }
  if (last == 0) {
    parallel_for(size, parallel_bytes / sizeof(T) / 4, [&](int64_t begin, int64_t end) {
      copy_row(from + begin * from_stride, from_stride, to + begin * to_stride, to_stride,
               end - begin);
    });
    return;
  }
  // The axis on which the input has stride one, where it is not the last.
  int turned = -1;
  for (int d = 0; d < last && from_stride != 1 && from_stride != 0 && to_stride == 1; d++)
    if (axes.from[d] == 1 && axes.shape[d] >= 4) turned = d;
  if (turned >= 0) {
    // Planes of (turned, last); the rows of `turned` are cut in strips for the pool.
    Axes outer = axes;
    int64_t* numbers = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * 3 * axes.count));
    outer.shape = numbers, outer.from = numbers + axes.count, outer.to = numbers + 2 * axes.count;
    int n = 0;
    constexpr int64_t strip = 4 * line_items<T>;
    int64_t planes = 1;
    for (int d = 0; d < last; d++) {
      if (d == turned) continue;
      outer.shape[n] = axes.shape[d], outer.from[n] = axes.from[d], outer.to[n] = axes.to[d];
      planes *= axes.shape[d];
      n++;
    }
    const int64_t rows = axes.shape[turned], row_stride = axes.to[turned];
    bool streams_lines = streams && axes.to[turned] * sizeof(T) % 64 == 0 &&
                         reinterpret_cast<uintptr_t>(to) % 64 == 0;
    for (int d = 0; d < n; d++) streams_lines &= outer.to[d] * sizeof(T) % 64 == 0;
    const int64_t strips = ceil_div(rows, strip);
    outer.shape[n] = strips, outer.from[n] = strip, outer.to[n] = strip * row_stride;
    outer.count = n + 1;
    const int64_t grain = parallel_bytes / (static_cast<int64_t>(sizeof(T)) * width * strip) + 1;
    parallel_for(planes * strips, grain, [&](int64_t begin, int64_t end) {
      int64_t k = begin;
      walk(outer, outer.count, begin, end, [&](int64_t from_offset, int64_t to_offset) {
        const int64_t first = k++ % strips * strip;
        transpose(from + from_offset, from_stride, to + to_offset, row_stride,
                  rows - first < strip ? rows - first : strip, width, streams_lines);
      });
      if (streams_lines) end_lines();
    });
    return;
  }
  // Whole rows.
  const int64_t grain = parallel_bytes / 4 / (static_cast<int64_t>(sizeof(T)) * width) + 1;
  parallel_for(size / width, grain, [&](int64_t begin, int64_t end) {
    walk(axes, last, begin, end, [&](int64_t from_offset, int64_t to_offset) {
      copy_row(from + from_offset, from_stride, to + to_offset, to_stride, width);
    });
  });
}

void copy_same_dtype(const Tensor& input, const Tensor& output) {
  int64_t* numbers =
      static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * 3 * (output.ndim + 1)));
  const Axes axes = joined_axes(input, output, numbers);
  switch (itemsize(output.dtype)) {
    case 1:
      return copy_items(axes, output.size, static_cast<const uint8_t*>(input.data),
                        static_cast<uint8_t*>(output.data));
    case 2:
      return copy_items(axes, output.size, static_cast<const uint16_t*>(input.data),
                        static_cast<uint16_t*>(output.data));
    case 4:
      return copy_items(axes, output.size, static_cast<const uint32_t*>(input.data),
                        static_cast<uint32_t*>(output.data));
    default:
      return copy_items(axes, output.size, static_cast<const uint64_t*>(input.data),
                        static_cast<uint64_t*>(output.data));
  }
}

// ---- conversion ---------------------------------------------------------------------------------

bool is_row_major(const Tensor& t) {
  int64_t expected = 1;
  for (int d = t.ndim - 1; d >= 0; d--) {
    if (t.shape[d] != 1 && t.strides[d] != expected) return false;
    expected *= t.shape[d];
  }
  return true;
}

constexpr size_t cast_bytes = 1024;  // a chain of one cast; checked below

void convert(const Tensor& input, const Tensor& output, const void* compiled) {
  if (is_row_major(output)) {
    fused_engine().run(compiled, &input, &output);
    return;
  }
  // Rows of the last axis through a buffer; the other axes one index at a time.
  const int last = output.ndim - 1;
  const int64_t width = output.shape[last];
  int64_t* shape = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * output.ndim));
  int64_t *from = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * output.ndim)),
          *to = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * output.ndim));
  for (int d = 0; d < output.ndim; d++)
    shape[d] = output.shape[d], from[d] = input.strides[d], to[d] = output.strides[d];
  const Axes axes{output.ndim, shape, from, to};
  const int64_t from_size = itemsize(input.dtype), to_size = itemsize(output.dtype);
  const int64_t grain = parallel_bytes / 4 / (to_size * width) + 1;
  parallel_for(output.size / width, grain, [&](int64_t begin, int64_t end) {
    constexpr int64_t piece = 1024;
    alignas(64) char buffer[piece * 8];
    walk(axes, last, begin, end, [&](int64_t from_offset, int64_t to_offset) {
      for (int64_t i = 0; i < width; i += piece) {
        int64_t count = width - i < piece ? width - i : piece;
        const int64_t one = 1;
        const Tensor part{
            static_cast<char*>(input.data) + (from_offset + i * from[last]) * from_size,
            &count,
            &from[last],
            count,
            1,
            input.dtype};
        const Tensor row{buffer, &count, &one, count, 1, output.dtype};
        const Tensor place{static_cast<char*>(output.data) + (to_offset + i * to[last]) * to_size,
                           &count,
                           &to[last],
                           count,
                           1,
                           output.dtype};
        fused_engine().run(compiled, &part, &row);
        copy_same_dtype(row, place);
      }
    });
  });
}

void copy(const Tensor& input, const Tensor& output) {
  if (output.size == 0) return;
  if (input.dtype == output.dtype) {
    copy_same_dtype(input, output);
    return;
  }
  FusedStep step{};
  step.formula = fused_cast;
  step.arg_count = 1;
  step.dtype = output.dtype;
  step.input_dtype = input.dtype;
  step.args[0] = {FusedArg::input, 0};
  const FusedChain chain{&step, &input.dtype, &output.dtype, nullptr, 1, 1, 1, 0};
  alignas(64) char compiled[cast_bytes];
  if (fused_engine().bytes(chain) > cast_bytes)
    raise(ErrorKind::runtime, "[copy] a cast passes %zu bytes.", cast_bytes);
  fused_engine().compile(chain, compiled);
  convert(input, output, compiled);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(copy, ) { mlxk::set_copy(mlxk::cpu::MLXK_ISA::copy); }
