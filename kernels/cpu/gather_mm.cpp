// Products of matrices that are chosen by index, in float32, float64, float16 and bfloat16:
//   "gather_mm" (a, b, l, r): out[i] = a[l[i]] @ b[r[i]];
//   "scatter_mm" (a, b, l, r, t; shape): out[t[i]] += a[l[i]] @ b[r[i]], starting from zero: its
//   transpose.
// An index counts along all batch axes of an operand together, and i along those of the indices.
//
// Matrices are read where they lie. Where a's have few rows, those that meet the same b are stacked
// to one product; where few columns are summed over, those that meet in the same result are. Only
// such thin matrices are ever copied.
#include "cpu/integers.h"
#include "cpu/matmul/batched.h"
#include "cpu/matmul/items.h"
#include "cpu/matmul/pair.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t thin = 16;  // rows or columns up to which stacking pays

enum class Way : uint8_t { one_by_one, stack_rows, stack_sums };

// An operand whose matrices are named by one number each.
struct Stack {
  Operand o;
  int batch_dims;
  int64_t count;
  int64_t batch_shape[max_batch_dims];

  Matrix operator[](int64_t index) const {
    int64_t at = 0;
    for (int i = batch_dims - 1; i >= 0; --i) {
      at += index % batch_shape[i] * o.batch_strides[i];
      index /= batch_shape[i];
    }
    return o.at(at);
  }
  char* prepare_in(char* memory) { return prepare(&o, batch_dims, batch_shape, memory); }
  // Whether all matrices are row-major and lie end to end.
  bool dense() const {
    if (o.col_stride != 1 || o.row_stride != o.cols) return false;
    int64_t expected = o.rows * o.cols;
    for (int i = batch_dims - 1; i >= 0; --i) {
      if (batch_shape[i] != 1 && o.batch_strides[i] != expected) return false;
      expected *= batch_shape[i];
    }
    return true;
  }
};

Stack stack_of(const Tensor& t) {
  Stack s{};
  s.batch_dims = t.ndim - 2;
  s.count = 1;
  for (int i = 0; i < s.batch_dims; ++i) s.count *= s.batch_shape[i] = t.shape[i];
  s.o = read(t, s.batch_dims, s.batch_shape);
  return s;
}

struct Gather {
  Stack a, b;
  int64_t m, n, k, items, results;
  Dtype dtype;
  Way way;
  bool adds;  // scatter_mm
  char* out;
  const Tensor *left, *right, *to;

  int64_t out_bytes() const { return m * n * static_cast<int64_t>(itemsize(dtype)); }
};

Gather gather_of(const KernelCall& call, bool adds) {
  Gather g{};
  const Tensor& out = call.outputs[0];
  g.a = stack_of(call.inputs[0]);
  g.b = stack_of(call.inputs[1]);
  g.m = g.a.o.rows;
  g.k = g.a.o.cols;
  g.n = g.b.o.cols;
  g.dtype = out.dtype;
  g.adds = adds;
  g.out = static_cast<char*>(out.data);
  g.left = &call.inputs[2];
  g.right = &call.inputs[3];
  g.to = adds ? &call.inputs[4] : nullptr;
  g.items = g.left->size;
  g.results = out.size ? out.size / (g.m * g.n) : 0;
  g.way = adds && g.k <= thin ? Way::stack_sums : g.m <= thin ? Way::stack_rows : Way::one_by_one;
  return g;
}

// ---- memory -------------------------------------------------------------------------------------

// Parts of the workspace, in order.
struct Parts {
  size_t indices, by_right, by_result, stacked_left, stacked_right, products, pairs, copies;
  size_t all() const {
    return 3 * indices + by_right + by_result + stacked_left + stacked_right + products + pairs +
           copies;
  }
};

size_t up(int64_t bytes) { return static_cast<size_t>(round_up(bytes, 64)); }

Parts parts_of(const Gather& g) {
  const int64_t size = static_cast<int64_t>(itemsize(g.dtype));
  Parts parts{};
  parts.indices = up(g.items * 8);
  parts.copies = g.a.o.copy_bytes + g.b.o.copy_bytes;
  if (g.adds) parts.by_result = groups_bytes(g.results, g.items);
  if (g.way == Way::stack_rows) {
    parts.by_right = groups_bytes(g.b.count, g.items);
    parts.stacked_left = up(g.items * g.m * g.k * size);
    parts.products = up(g.items * g.m * g.n * size);
    if (g.adds) parts.stacked_right = parts.products;  // all products, until they are added
    parts.pairs = largest_pair_workspace(g.items * g.m, g.n, g.k, g.dtype);
  } else if (g.way == Way::stack_sums) {
    parts.stacked_left = up(g.items * g.m * g.k * size);
    parts.stacked_right = up(g.items * g.k * g.n * size);
    parts.pairs = largest_pair_workspace(g.m, g.n, g.items * g.k, g.dtype);
  } else {
    parts.pairs = largest_pair_workspace(g.m, g.n, g.k, g.dtype);
  }
  return parts;
}

// ---- ways ---------------------------------------------------------------------------------------

struct Indices {
  int64_t *left, *right, *to;
};

// Runs body(index, scratch) for `count` products of about `flops` each: side by side where they are
// small and BLAS does them, which needs no scratch; else one after the other, each by all threads.
template <class Body>
void each_product(const Gather& g, int64_t count, int64_t flops, bool blas_only, void* scratch,
                  const Body& body) {
  if (count > 1 && blas_only && !is_half(g.dtype) && flops < 64 * inline_flops) {
    parallel_for(count, inline_flops / (flops + 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i, nullptr);
    });
    return;
  }
  for (int64_t i = 0; i < count; ++i) body(i, scratch);
}

bool without_few(const Gather& g) { return !few(g.m, g.n, g.k, g.dtype, g.n); }

void one_by_one(const Gather& g, const Indices& at, void* scratch) {
  each_product(g, g.items, 2 * g.m * g.n * g.k, without_few(g), scratch, [&](int64_t i, void* own) {
    const Target out{g.out + i * g.out_bytes(), g.n, g.dtype, 1, 0};
    multiply(g.a[at.left[i]], g.b[at.right[i]], out, own);
  });
}

// The same for results of several items each: the first product overwrites, the others add.
void sum_one_by_one(const Gather& g, const Indices& at, const Groups& by_result, void* scratch) {
  const int64_t flops = 2 * g.m * g.n * g.k * (g.items / (g.results + 1) + 1);
  each_product(g, g.results, flops, without_few(g), scratch, [&](int64_t r, void* own) {
    for (int64_t s = by_result.start[r]; s < by_result.start[r + 1]; ++s) {
      const int64_t i = by_result.order[s];
      const Target out{g.out + r * g.out_bytes(), g.n, g.dtype, 1,
                       s == by_result.start[r] ? 0.0 : 1.0};
      multiply(g.a[at.left[i]], g.b[at.right[i]], out, own);
    }
  });
}

// Whether the items of a group have neighbours in `index`: their matrices then lie end to end.
bool consecutive(const int64_t* order, int64_t count, const int64_t* index) {
  for (int64_t s = 1; s < count; ++s) {
    if (index[order[s]] != index[order[0]] + s) return false;
  }
  return true;
}
bool in_place(const int64_t* order, int64_t count) {
  return order[count - 1] == order[0] + count - 1;
}

// Products of all rows that meet one b. Item i's result goes to place i of `results`.
void stack_rows(const Gather& g, const Indices& at, const Groups& by_right, char* stacked,
                char* products, char* results, void* scratch) {
  const int64_t size = static_cast<int64_t>(itemsize(g.dtype)), row = g.k * size;
  const bool whole = g.a.dense();
  for (int64_t group = 0; group < by_right.count; ++group) {
    const int64_t first = by_right.start[group], count = by_right.start[group + 1] - first;
    if (!count) continue;
    const int64_t* order = by_right.order + first;
    const int64_t rows = count * g.m;
    Matrix a = g.a[at.left[order[0]]];
    if (count > 1) {
      a = {stacked, rows, g.k, g.k, 1, g.dtype};
      if (whole && consecutive(order, count, at.left)) {
        a.data = g.a[at.left[order[0]]].data;
      } else {
        for (int64_t s = 0; s < count; ++s)
          copy_matrix(g.a[at.left[order[s]]], stacked + s * g.m * row, g.k);
      }
    }
    const bool direct = in_place(order, count);
    char* const out = direct ? results + order[0] * g.out_bytes() : products;
    multiply(a, g.b[group], {out, g.n, g.dtype, 1, 0}, scratch);
    for (int64_t s = 0; !direct && s < count; ++s) {
      memcpy(results + order[s] * g.out_bytes(), products + s * g.out_bytes(),
             static_cast<size_t>(g.out_bytes()));
    }
  }
}

// Adds the products of all items to their results.
void add_products(const Gather& g, const Groups& by_result, const char* products) {
  const int64_t grain = 32768 / (g.m * g.n + 1) + 1;
  parallel_for(g.results, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t s = by_result.start[r]; s < by_result.start[r + 1]; ++s) {
        add_numbers(g.dtype, products + by_result.order[s] * g.out_bytes(),
                    g.out + r * g.out_bytes(), g.m * g.n);
      }
    }
  });
}

// One product for each result: its items' columns of a and rows of b end to end.
void stack_sums(const Gather& g, const Indices& at, const Groups& by_result, char* left,
                char* right, void* scratch) {
  const int64_t size = static_cast<int64_t>(itemsize(g.dtype));
  for (int64_t r = 0; r < g.results; ++r) {
    const int64_t first = by_result.start[r], count = by_result.start[r + 1] - first;
    if (!count) continue;
    for (int64_t s = 0; s < count; ++s) {
      const int64_t i = by_result.order[first + s];
      copy_matrix(g.a[at.left[i]].transposed(), left + s * g.k * g.m * size, g.m);
      copy_matrix(g.b[at.right[i]], right + s * g.k * g.n * size, g.n);
    }
    const Matrix a{left, g.m, count * g.k, 1, g.m, g.dtype},
        b{right, count * g.k, g.n, g.n, 1, g.dtype};
    multiply(a, b, {g.out + r * g.out_bytes(), g.n, g.dtype, 1, 0}, scratch);
  }
}

// ---- the ops ------------------------------------------------------------------------------------

void run(Gather g, const char* op, char* memory) {
  if (g.adds || !g.a.count || !g.b.count)
    memset(g.out, 0, static_cast<size_t>(g.results * g.out_bytes()));
  if (!g.a.count || !g.b.count) return;
  const Parts parts = parts_of(g);
  Indices at{};
  const auto take = [&](size_t bytes) {
    char* const taken = memory;
    memory += bytes;
    return taken;
  };
  at.left = reinterpret_cast<int64_t*>(take(parts.indices));
  at.right = reinterpret_cast<int64_t*>(take(parts.indices));
  at.to = reinterpret_cast<int64_t*>(take(parts.indices));
  char* const by_right = take(parts.by_right);
  char* const by_result = take(parts.by_result);
  char* const left = take(parts.stacked_left);
  char* const right = take(parts.stacked_right);
  char* const products = take(parts.products);
  char* const scratch = take(parts.pairs);
  read_indices(op, *g.left, g.a.count, at.left);
  read_indices(op, *g.right, g.b.count, at.right);
  g.b.prepare_in(g.a.prepare_in(memory));
  Groups to{};
  if (g.adds) {
    read_indices(op, *g.to, g.results, at.to);
    to = make_groups(at.to, g.items, g.results, by_result);
  }
  if (g.way == Way::stack_rows) {
    const Groups rows = make_groups(at.right, g.items, g.b.count, by_right);
    stack_rows(g, at, rows, left, products, g.adds ? right : g.out, scratch);
    if (g.adds) add_products(g, to, right);
  } else if (g.way == Way::stack_sums) {
    stack_sums(g, at, to, left, right, scratch);
  } else if (g.adds) {
    sum_one_by_one(g, at, to, scratch);
  } else {
    one_by_one(g, at, scratch);
  }
}

void gather_mm(const KernelCall& call) {
  if (call.outputs[0].size)
    run(gather_of(call, false), "gather_mm", static_cast<char*>(call.workspace));
}
void scatter_mm(const KernelCall& call) {
  if (call.outputs[0].size)
    run(gather_of(call, true), "scatter_mm", static_cast<char*>(call.workspace));
}
size_t gather_mm_workspace(const KernelCall& call) {
  return parts_of(gather_of(call, false)).all();
}
size_t scatter_mm_workspace(const KernelCall& call) {
  return parts_of(gather_of(call, true)).all();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(gather_mm, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("gather_mm", {.run = gather_mm, .workspace = gather_mm_workspace});
  kernels.add("scatter_mm", {.run = scatter_mm, .workspace = scatter_mm_workspace});
}
