// How a transform of one length is done, and the tables for it.
//
// A plan lies in one piece of memory, its own tables behind it. It is laid out by the same code
// twice: once to learn its size, once to fill it.
#pragma once

#include "cpu/fft/columns.h"
#include "cpu/fft/roots.h"
#include "cpu/integers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

enum class Method : uint8_t {
  columns,    // as one of row_lanes columns
  line,       // row_lanes interlaced parts as columns, then one step across the lanes
  square,     // as a matrix: columns, then rows
  bluestein,  // as a convolution: any length
};

struct Plan {
  Method method;
  int64_t length;
  Columns columns;          // columns: of all; line: of length / row_lanes; square: first step
  Columns across;           // square: second step
  Roots roots;              // of order 2 length
  const float* lane_roots;  // one row: exp(-2πi l / (2 length)) in lane l
  const float* steps;       // line: (blocks, row_lanes - 1) rows; square: columns.length rows
  const Plan* inner;        // bluestein: the transform of the padded length
  const float *chirp, *filter;
  size_t bytes,
      task_bytes;  // workspace of transform_line: for one thread, and for each further one
};

// Memory taken from front to back; with no memory it only counts.
class Arena {
 public:
  explicit Arena(void* memory) : base_(static_cast<char*>(memory)) {}
  bool writes() const { return base_ != nullptr; }
  size_t used() const { return used_; }
  template <class T> T* take(int64_t count) {
    T* const at = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (sizeof(T) * static_cast<size_t>(count) + 63) & ~size_t{63};
    return at;
  }

 private:
  char* base_;
  size_t used_ = 0;
};

// ---- factors ------------------------------------------------------------------------------------

// The radices of a length, or 0 of them where a prime is too large.
static int factors_of(int64_t n, int* radices) {
  int count = 0, twos = 0;
  for (; n % 2 == 0; n /= 2) ++twos;
  while (twos >= 5 || twos == 3) radices[count++] = 8, twos -= 3;
  for (; twos >= 2; twos -= 2) radices[count++] = 4;
  if (twos) radices[count++] = 2;
  for (int prime = 3; prime <= max_radix && n > 1; prime += 2) {
    for (; n % prime == 0; n /= prime) radices[count++] = prime;
  }
  return n == 1 ? count : 0;
}

static bool smooth(int64_t n) {
  int radices[64];
  return n == 1 || factors_of(n, radices) > 0;
}

// The divisor of n that is nearest to its square root and, as its complement, a multiple of
// row_lanes, if any is.
static int64_t square_side(int64_t n) {
  int64_t best = 1, fallback = 1;
  for (int64_t d = 1; d * d <= n; ++d) {
    if (n % d) continue;
    fallback = d;
    if (d % row_lanes == 0 && n / d % row_lanes == 0) best = d;
  }
  return best > 1 ? best : fallback;
}

// The next length from n on that is a multiple of row_lanes² and has small factors only.
static int64_t padded_length(int64_t n) {
  constexpr int64_t step = row_lanes * row_lanes;
  for (int64_t m = ceil_div(n, step);; ++m) {
    int64_t rest = m;
    for (int prime : {2, 3, 5}) {
      while (rest % prime == 0) rest /= prime;
    }
    if (rest == 1) return m * step;
  }
}

constexpr int64_t longest_line = 1 << 15;
constexpr int64_t shared_length = 8192;  // of a square; below, a hand-off costs more than it saves
constexpr size_t row_bytes = sizeof(float) * row_floats;

static Method method_of(int64_t length, bool as_column) {
  if (!smooth(length)) return Method::bluestein;
  if (as_column) return Method::columns;
  if (length % row_lanes == 0 && length >= row_lanes * row_lanes && length <= longest_line)
    return Method::line;
  return length >= 4 * row_lanes * row_lanes ? Method::square : Method::columns;
}

// ---- tables -------------------------------------------------------------------------------------

static void put_root(float* at, int lane, Root root) {
  at[lane] = static_cast<float>(root.re);
  at[row_lanes + lane] = static_cast<float>(root.im);
}

// `roots` has an order that length divides.
static Columns make_columns(int64_t length, const Roots& roots, Arena& arena) {
  Columns c{};
  c.length = length;
  int radices[64] = {};
  c.count = factors_of(length, radices);
  int64_t block = length;
  for (int i = 0; i < c.count; ++i) {
    Level& level = c.levels[i];
    const int r = radices[i];
    level = {passes_of(r), r, block / r, nullptr, nullptr, nullptr};
    if (level.span > 1) {
      float* w = arena.take<float>(level.span * (r - 1) * 2);
      level.twiddles = w;
      if (arena.writes()) {
        for (int64_t p = 0; p < level.span; ++p) {
          for (int64_t j = 1; j < r; ++j, w += 2) {
            const Root root = roots.at(p * j * (roots.order / block));
            w[0] = static_cast<float>(root.re);
            w[1] = static_cast<float>(root.im);
          }
        }
      }
    }
    if (level.passes == &passes_for<0>) {
      float *cosines = arena.take<float>(r), *sines = arena.take<float>(r);
      level.cosines = cosines, level.sines = sines;
      for (int j = 0; arena.writes() && j < r; ++j) {
        const Root root = exact_root(j, r);
        cosines[j] = static_cast<float>(root.re);
        sines[j] = static_cast<float>(-root.im);
      }
    }
    block = level.span;
  }
  c.order = arena.take<int32_t>(length);
  c.place = arena.take<int32_t>(length);
  for (int64_t place = 0; arena.writes() && place < length; ++place) {
    int64_t frequency = 0, weight = 1, rest = place;
    for (int i = 0; i < c.count; ++i) {
      frequency += rest / c.levels[i].span * weight;
      rest %= c.levels[i].span;
      weight *= c.levels[i].radix;
    }
    c.order[place] = static_cast<int32_t>(frequency);
    c.place[frequency] = static_cast<int32_t>(place);
  }
  return c;
}

// Where the blocks of row_lanes frequencies begin; the last one may overlap the one before.
static int64_t block_start(int64_t block, int64_t length) {
  const int64_t at = block * row_lanes;
  return at + row_lanes <= length ? at : length - row_lanes;
}

static const float* make_line_steps(const Plan& plan, Arena& arena) {
  const int64_t m = plan.columns.length, blocks = ceil_div(m, row_lanes);
  float* const steps = arena.take<float>(blocks * (row_lanes - 1) * row_floats);
  if (!arena.writes()) return steps;
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t part = 1; part < row_lanes; ++part) {
      float* row = steps + (block * (row_lanes - 1) + part - 1) * row_floats;
      for (int lane = 0; lane < row_lanes; ++lane) {
        put_root(row, lane, plan.roots.at(2 * part * (block_start(block, m) + lane_element(lane))));
      }
    }
  }
  return steps;
}

static const float* make_square_steps(const Plan& plan, Arena& arena) {
  float* const steps = arena.take<float>(plan.columns.length * row_floats);
  for (int64_t k = 0; arena.writes() && k < plan.columns.length; ++k) {
    for (int lane = 0; lane < row_lanes; ++lane) {
      // A short last block has lanes beyond the matrix: any number will do.
      const int64_t e = 2 * k * lane_element(lane);
      put_root(steps + k * row_floats, lane, plan.roots.at(e < plan.roots.order ? e : 0));
    }
  }
  return steps;
}

static void make_filter(Plan* plan, Arena& arena);  // in line.h: it is a transform itself

static int64_t square_blocks(const Plan& plan) { return ceil_div(plan.columns.length, row_lanes); }
static size_t matrix_bytes(const Plan& plan) {
  return static_cast<size_t>(square_blocks(plan) * plan.across.length) * row_bytes;
}

static Plan make_plan(int64_t length, bool as_column, Arena& arena) {
  Plan plan{};
  plan.method = method_of(length, as_column);
  plan.length = length;
  plan.roots = make_roots(2 * length, arena);
  float* const lane_roots = arena.take<float>(row_floats);
  plan.lane_roots = lane_roots;
  for (int lane = 0; arena.writes() && lane < row_lanes; ++lane) {
    put_root(lane_roots, lane, exact_root(lane_element(lane) % (2 * length), 2 * length));
  }
  switch (plan.method) {
    case Method::columns:
      plan.columns = make_columns(length, plan.roots, arena);
      plan.bytes = static_cast<size_t>(length) * row_bytes;
      break;
    case Method::line:
      plan.columns = make_columns(length / row_lanes, plan.roots, arena);
      plan.steps = make_line_steps(plan, arena);
      plan.bytes = static_cast<size_t>(plan.columns.length) * row_bytes;
      break;
    case Method::square: {
      const int64_t side = square_side(length);
      plan.columns = make_columns(length / side, plan.roots, arena);
      plan.across = make_columns(side, plan.roots, arena);
      plan.steps = make_square_steps(plan, arena);
      const size_t own = static_cast<size_t>(plan.columns.length) * row_bytes;
      plan.bytes = matrix_bytes(plan) + own;
      plan.task_bytes = length < shared_length ? 0 : own;
      break;
    }
    case Method::bluestein: make_filter(&plan, arena); break;
  }
  return plan;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
