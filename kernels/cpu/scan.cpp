// Scans along one axis: cumsum, cumprod, cummax, cummin, logcumsumexp; forwards or in reverse,
// inclusive or not.
//
// A chain of additions waits for each one, so eight chains run side by side: eight rows, or eight
// segments of a long row that are then shifted by what came before. How a row is cut follows from
// its length alone.
#include "cpu/axes.h"
#include "cpu/integers.h"
#include "scalar/complex.h"

// The loops that gain from vectors are written in vectors; letting g++ look for more takes minutes.
#if !defined(__clang__)
#pragma GCC optimize("no-tree-vectorize")
#endif

namespace {

using mlxk::KernelCall;

constexpr int chains = 8;
constexpr int64_t segment = 512;  // of a row longer than a block
constexpr int64_t block = chains * segment;
constexpr int64_t long_scan = 1 << 17;  // a row that several threads share when there are few rows
constexpr int64_t piece_blocks = 16;    // blocks of such a row that one thread takes at a time
constexpr int64_t tile_columns = 512;

struct CumSum {
  template <class T> static MLXK_MEMBER T identity() { return ms::number<T>(0); }
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::add(acc, x); }
};
struct CumProd {
  template <class T> static MLXK_MEMBER T identity() { return ms::number<T>(1); }
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::multiply(acc, x); }
};
// A NaN stays, and of two equal values the later one is taken.
struct CumMax {
  template <class T> static MLXK_MEMBER T identity() { return ms::least<T>(); }
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::maximum(acc, x); }
};
struct CumMin {
  template <class T> static MLXK_MEMBER T identity() { return ms::greatest<T>(); }
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::minimum(acc, x); }
};
struct LogCumSumExp {
  template <class T> static MLXK_MEMBER T identity() {
    if constexpr (ms::same_type<T, ms::complex64>::value) return {-__builtin_inff(), 0};
    return ms::least<T>();
  }
  template <class T> static __attribute__((noinline)) T of(T acc, T x) {
    return ms::logaddexp(acc, x);
  }
  static __attribute__((noinline)) ms::complex64 of(ms::complex64 acc, ms::complex64 x) {
    return acc.re == -__builtin_inff() ? x : ms::logaddexp(acc, x);
  }
};

struct Loops;

struct ScanJob {
  const Loops* loops;
  const char* in;
  char* out;
  int64_t outer, length, inner, itemsize;
  bool reverse, inclusive;
  char* workspace;

  // Where the element lies that comes at `index` in the order of the scan.
  int64_t place(int64_t index) const { return reverse ? length - 1 - index : index; }
};

constexpr int64_t carry_bytes = 8;  // the largest T

// What depends on the op and on the dtype. Carries are T's, carry_bytes apart where there are
// several rows.
struct Loops {
  void (*begin)(void* carries, int64_t count);  // sets T's, side by side, to the identity
  void (*chains)(const ScanJob& job, const void* in, void* out);  // eight rows that lie end to end
  void (*span)(const ScanJob& job, const void* in, void* out, int64_t begin, int64_t end,
               void* carry);
  void (*total)(const ScanJob& job, const void* in, int64_t begin, int64_t end, void* total);
  void (*join)(void* carry, const void* next);
  void (*columns)(const void* in, void* out, void* carries, int64_t count, bool inclusive);
};

template <class Op, class S, class T> struct Scan {
  static constexpr bool vectors =
      ms::same_type<S, T>::value && !ms::same_type<T, ms::complex64>::value;

  // `count` chains of n elements, `apart` elements from each other, forwards or backwards. Each
  // begins with its carry, and leaves its total there.
  template <int count>
  static __attribute__((noinline)) void run_chains(const S* in, S* out, int64_t apart, int64_t n,
                                                   int64_t step, bool inclusive, T* carry) {
    T acc[count];
    for (int k = 0; k < count; ++k) acc[k] = carry[k];
    for (int64_t left = n; left > 0; --left, in += step, out += step) {
      for (int k = 0; k < count; ++k) {
        const T before = acc[k];
        acc[k] = Op::of(before, widen<T>(in[k * apart]));
        out[k * apart] = narrow<S>(inclusive ? acc[k] : before);
      }
    }
    for (int k = 0; k < count; ++k) carry[k] = acc[k];
  }

  static void begin(void* carries, int64_t count) {
    for (int64_t i = 0; i < count; ++i) static_cast<T*>(carries)[i] = Op::template identity<T>();
  }

  static void chains_of_rows(const ScanJob& job, const void* in, void* out) {
    T carry[chains];
    begin(carry, chains);
    const int64_t at = job.place(0);
    run_chains<chains>(static_cast<const S*>(in) + at, static_cast<S*>(out) + at, job.length,
                       job.length, job.reverse ? -1 : 1, job.inclusive, carry);
  }

  static void shift(S* out, T carry) {
    if constexpr (vectors) {
      const Vec<T> c = ms::splat<Vec<T>>(carry);
      for (int64_t i = 0; i < segment; i += lanes<T>) store(out + i, Op::of(c, load(out + i)));
    } else {
      for (int64_t i = 0; i < segment; ++i) out[i] = narrow<S>(Op::of(carry, widen<T>(out[i])));
    }
  }

  // Blocks of a row: eight segments at once, then each combined with all that came before it.
  static void span(const ScanJob& job, const void* from, void* to, int64_t begin, int64_t end,
                   void* carried) {
    const S* const in = static_cast<const S*>(from);
    S* const out = static_cast<S*>(to);
    const int64_t step = job.reverse ? -1 : 1;
    T carry = *static_cast<T*>(carried);
    // Rounding to a 16-bit result before the shift would round twice: those run as one chain, as
    // does what costs more than the wait for the last addition.
    if constexpr (ms::same_type<S, T>::value && !ms::same_type<Op, LogCumSumExp>::value) {
      for (; begin + block <= end; begin += block) {
        T totals[chains];
        for (T& t : totals) t = Op::template identity<T>();
        const int64_t at = job.place(begin);
        run_chains<chains>(in + at, out + at, step * segment, segment, step, job.inclusive, totals);
        for (int k = 0; k < chains; ++k) {
          const int64_t first = begin + k * segment;
          shift(out + (job.reverse ? job.place(first + segment - 1) : first), carry);
          carry = Op::of(carry, totals[k]);
        }
      }
    }
    if (begin < end) {
      const int64_t at = job.place(begin);
      run_chains<1>(in + at, out + at, 0, end - begin, step, job.inclusive, &carry);
    }
    *static_cast<T*>(carried) = carry;
  }

  static void total(const ScanJob& job, const void* from, int64_t begin, int64_t end,
                    void* result) {
    const S* const in = static_cast<const S*>(from);
    T acc[chains];
    for (T& a : acc) a = Op::template identity<T>();
    const int64_t part = (end - begin) / chains;
    for (int64_t i = 0; i < part; ++i) {
      for (int k = 0; k < chains; ++k)
        acc[k] = Op::of(acc[k], widen<T>(in[job.place(begin + k * part + i)]));
    }
    for (int k = 1; k < chains; ++k) acc[0] = Op::of(acc[0], acc[k]);
    for (int64_t i = begin + chains * part; i < end; ++i)
      acc[0] = Op::of(acc[0], widen<T>(in[job.place(i)]));
    *static_cast<T*>(result) = acc[0];
  }

  static void join(void* carry, const void* next) {
    *static_cast<T*>(carry) = Op::of(*static_cast<T*>(carry), *static_cast<const T*>(next));
  }

  static void columns(const void* from, void* to, void* carries, int64_t n, bool inclusive) {
    const S* const in = static_cast<const S*>(from);
    S* const out = static_cast<S*>(to);
    T* const acc = static_cast<T*>(carries);
    int64_t i = 0;
    if constexpr (vectors) {
      for (; i + lanes<T> <= n; i += lanes<T>) {
        const Vec<T> before = load(acc + i), after = Op::of(before, load(in + i));
        store(acc + i, after);
        store(out + i, inclusive ? after : before);
      }
    }
    for (; i < n; ++i) {
      const T before = acc[i];
      acc[i] = Op::of(before, widen<T>(in[i]));
      out[i] = narrow<S>(inclusive ? acc[i] : before);
    }
  }

  static constexpr Loops loops{begin, chains_of_rows, span, total, join, columns};
};

// Few long rows, in two passes: totals of the pieces, then the pieces with what came before.
static void long_rows(const ScanJob& job) {
  const int64_t n = job.length, size = piece_blocks * block, pieces = ceil_div(n, size);
  char* const totals = job.workspace;
  const auto each = [&](auto body) {
    mlxk::parallel_for(job.outer * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % pieces * size;
        body(totals + i * carry_bytes, i / pieces * n * job.itemsize, first,
             first + size < n ? first + size : n);
      }
    });
  };
  each([&](char* total, int64_t row, int64_t begin, int64_t end) {
    job.loops->total(job, job.in + row, begin, end, total);
  });
  for (int64_t r = 0; r < job.outer; ++r) {
    uint64_t carry, next;
    job.loops->begin(&carry, 1);
    for (int64_t k = 0; k < pieces; ++k) {
      char* const total = totals + (r * pieces + k) * carry_bytes;
      next = carry;
      job.loops->join(&next, total);
      __builtin_memcpy(total, &carry, carry_bytes);
      carry = next;
    }
  }
  each([&](char* carry, int64_t row, int64_t begin, int64_t end) {
    job.loops->span(job, job.in + row, job.out + row, begin, end, carry);
  });
}

static void rows(const ScanJob& job) {
  const int64_t n = job.length, row_bytes = n * job.itemsize;
  if (n >= long_scan && job.outer < 16) return long_rows(job);
  mlxk::parallel_for(job.outer, inline_elements / (n + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end;) {
      if (n < block && end - r >= chains) {
        job.loops->chains(job, job.in + r * row_bytes, job.out + r * row_bytes);
        r += chains;
      } else {
        uint64_t carry;
        job.loops->begin(&carry, 1);
        job.loops->span(job, job.in + r * row_bytes, job.out + r * row_bytes, 0, n, &carry);
        ++r;
      }
    }
  });
}

// Not the last axis: whole rows of columns, a tile of them at a time.
static void columns(const ScanJob& job) {
  const int64_t tiles_a_row = ceil_div(job.inner, tile_columns);
  const int64_t width = job.inner < tile_columns ? job.inner : tile_columns;
  const int64_t grain = inline_elements / (width * job.length + 1) + 1;
  mlxk::parallel_for(job.outer * tiles_a_row, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      alignas(64) char carries[tile_columns * carry_bytes];
      const int64_t column = t % tiles_a_row * tile_columns;
      const int64_t n = job.inner - column < tile_columns ? job.inner - column : tile_columns;
      const int64_t base = t / tiles_a_row * job.length * job.inner + column;
      job.loops->begin(carries, n);
      for (int64_t r = 0; r < job.length; ++r) {
        const int64_t at = (base + job.place(r) * job.inner) * job.itemsize;
        job.loops->columns(job.in + at, job.out + at, carries, n, job.inclusive);
      }
    }
  });
}

// Signed and unsigned integers wrap alike.
template <class Op> static const Loops* wrapping_loops(Dtype dtype) {
  switch (dtype) {
    case Dtype::bool_: return &Scan<Op, char, char>::loops;
    case Dtype::uint8:
    case Dtype::int8: return &Scan<Op, ms::uint8, ms::uint8>::loops;
    case Dtype::uint16:
    case Dtype::int16: return &Scan<Op, ms::uint16, ms::uint16>::loops;
    case Dtype::uint32:
    case Dtype::int32: return &Scan<Op, ms::uint32, ms::uint32>::loops;
    case Dtype::uint64:
    case Dtype::int64: return &Scan<Op, ms::uint64, ms::uint64>::loops;
    default: return nullptr;
  }
}
template <class Op> static const Loops* ordered_loops(Dtype dtype) {
  switch (dtype) {
    case Dtype::int8: return &Scan<Op, ms::int8, ms::int8>::loops;
    case Dtype::int16: return &Scan<Op, ms::int16, ms::int16>::loops;
    case Dtype::int32: return &Scan<Op, ms::int32, ms::int32>::loops;
    case Dtype::int64: return &Scan<Op, ms::int64, ms::int64>::loops;
    default: return wrapping_loops<Op>(dtype);
  }
}
static const Loops* no_loops(Dtype) { return nullptr; }

template <class Op> static const Loops* real_loops(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return &Scan<Op, f16_bits, float>::loops;
    case Dtype::bfloat16: return &Scan<Op, bf16_bits, float>::loops;
    case Dtype::float32: return &Scan<Op, float, float>::loops;
    case Dtype::float64: return &Scan<Op, double, double>::loops;
    default: return &Scan<Op, ms::complex64, ms::complex64>::loops;
  }
}

// params: axis, reverse, inclusive. The input is row-major and of the output's dtype.
static ScanJob scan_job(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const mlxk::Params& params = *call.params;
  const int64_t axis = params[0].integer();
  ScanJob job{nullptr,
              static_cast<const char*>(x.data),
              static_cast<char*>(call.outputs[0].data),
              1,
              1,
              1,
              static_cast<int64_t>(mlxk::itemsize(x.dtype)),
              params[1].boolean(),
              params[2].boolean(),
              static_cast<char*>(call.workspace)};
  for (int i = 0; i < x.ndim; ++i)
    (i < axis ? job.outer : i > axis ? job.inner : job.length) *= x.shape[i];
  return job;
}

template <class Op, const Loops* (*exact_loops)(Dtype)> static void scan(const KernelCall& call) {
  const Dtype dtype = call.inputs[0].dtype;
  ScanJob job = scan_job(call);
  job.loops = mlxk::is_inexact(dtype) ? real_loops<Op>(dtype) : exact_loops(dtype);
  if (!job.loops)
    mlxk::raise(mlxk::ErrorKind::runtime, "[scan] no kernel for %s.", mlxk::name(dtype));
  if (call.inputs[0].size == 0) return;
  if (job.inner == 1) {
    rows(job);
  } else {
    columns(job);
  }
}

static size_t workspace(const KernelCall& call) {
  const ScanJob job = scan_job(call);
  if (job.inner != 1 || job.length < long_scan || job.outer >= 16) return 0;
  return static_cast<size_t>(job.outer * ((job.length - 1) / (piece_blocks * block) + 1) *
                             carry_bytes);
}

}  // namespace

MLXK_STEM(scan, table) {
  const auto add = [&](const char* name, void (*run)(const KernelCall&)) {
    table.add(
        name,
        {.run = run, .workspace = workspace, .accepts = mlxk::Accepts::contiguous, .donates = 0});
  };
  add("cumsum", scan<CumSum, wrapping_loops<CumSum>>);
  add("cumprod", scan<CumProd, wrapping_loops<CumProd>>);
  add("cummax", scan<CumMax, ordered_loops<CumMax>>);
  add("cummin", scan<CumMin, ordered_loops<CumMin>>);
  add("logcumsumexp", scan<LogCumSumExp, no_loops>);
}
