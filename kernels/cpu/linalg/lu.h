// LU factorisation with partial pivoting, a = P L U, and what follows from it.
//
// Row-major, so that exchanging rows moves contiguous memory. Panel by panel; while the columns
// behind a panel are updated, the first task updates and factors the next one. Panels are factored
// by LAPACK in a column-major copy.
#pragma once

#include "cpu/integers.h"
#include "cpu/linalg/triangular.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr Int lu_panel = 64;

constexpr Int panel_stride(Int rows) { return (rows + 15) / 16 * 16 + 16; }  // no power of two

// About sixteen strips of the columns behind a panel, so that the last ones to finish are short.
inline Int strip_width(Int columns) {
  const Int width = (columns / 16 + 63) / 64 * 64;
  return width < 64 ? 64 : width > 256 ? 256 : width;
}

// Bytes of the copy of a panel and of the pivots of an (m, n) matrix.
template <class T> size_t lu_scratch(Int m, Int n) {
  const Int pivots = m < n ? m : n;
  return whole_lines(sizeof(T) * static_cast<size_t>(panel_stride(m) * lu_panel)) +
         whole_lines(sizeof(Int) * static_cast<size_t>(pivots));
}

template <class T> struct LU {
  Int m, n;
  T* a;
  Int lda;
  T* panel;
  Int* pivots;  // row i was exchanged with row pivots[i]

  // `memory`: lu_scratch(m, n) bytes.
  LU(Int m, Int n, T* a, char* memory)
      : m(m),
        n(n),
        a(a),
        lda(n),
        panel(reinterpret_cast<T*>(memory)),
        pivots(reinterpret_cast<Int*>(
            memory + whole_lines(sizeof(T) * static_cast<size_t>(panel_stride(m) * lu_panel)))) {
    factor();
  }

  // The place, from 1, of the first zero on the diagonal of U, or 0.
  Int singular() const { return first_zero(m < n ? m : n, a, lda); }

  // Exchanges rows of a matrix as the factorisation did at steps begin..end.
  void exchange(Int begin, Int end, T* rows, Int stride, Int columns) const {
    for (Int i = begin; i < end; ++i) {
      if (pivots[i] == i) continue;
      T *p = rows + i * stride, *q = rows + pivots[i] * stride;
      for (Int c = 0; c < columns; ++c) {
        const T kept = p[c];
        p[c] = q[c];
        q[c] = kept;
      }
    }
  }

  // order[i] is the row of a that is row i of L U; backwards, the row of L U that is row i of a.
  void permutation(bool backwards, uint32_t* order) const {
    const Int steps = m < n ? m : n;
    for (Int i = 0; i < m; ++i) order[i] = static_cast<uint32_t>(i);
    for (Int k = 0; k < steps; ++k) {
      const Int i = backwards ? steps - 1 - k : k;
      const uint32_t kept = order[i];
      order[i] = order[pivots[i]];
      order[pivots[i]] = kept;
    }
  }

 private:
  void factor_panel(Int j, Int width) {
    Int rows = m - j, info = 0, stride = panel_stride(rows);
    T* corner = a + j * (lda + 1);
    copy_matrix(rows, width, corner, lda, Int{1}, panel, Int{1}, stride);
    Lapack<T>::getrf(&rows, &width, panel, &stride, pivots + j, &info);
    copy_matrix(rows, width, panel, Int{1}, stride, corner, lda, Int{1});
    for (Int i = j; i < j + width && i < m; ++i) pivots[i] += j - 1;  // LAPACK counts from one
  }

  // Brings columns begin..end behind the panel at j up to date with it.
  void update(Int j, Int width, Int begin, Int end) {
    T* rows = a + begin;
    exchange(j, j + width, rows, lda, end - begin);
    T* top = rows + j * lda;
    trsm(Order::rows, Side::left, Part::lower, Op::none, Diagonal::ones, width, end - begin,
         a + j * (lda + 1), lda, top, lda);
    const Int below = j + width;
    gemm(Order::rows, Op::none, Op::none, m - below, end - begin, width, -1, a + below * lda + j,
         lda, top, lda, 1, rows + below * lda, lda);
  }

  void factor() {
    const Int steps = m < n ? m : n;
    const auto width_at = [&](Int j) { return steps - j < lu_panel ? steps - j : lu_panel; };
    if (steps) factor_panel(0, width_at(0));
    for (Int j = 0; j < steps; j += lu_panel) {
      const Int width = width_at(j), next = j + width;
      const Int ahead = next < steps ? width_at(next) : 0;
      const Int strip = strip_width(n - next - ahead);
      const Int strips = ceil_div(n - next - ahead, strip);
      const Int tasks = strips + (ahead > 0);
      const double flops = 2 * static_cast<double>(m - j) * static_cast<double>((n - next) * width);
      const Int grain = static_cast<Int>(task_flops * static_cast<double>(tasks) / (flops + 1)) + 1;
      parallel_for(tasks, grain, [&](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; ++task) {
          if (task == 0 && ahead) {
            update(j, width, next, next + ahead);
            factor_panel(next, ahead);
          } else {
            const Int begin = next + ahead + (task - (ahead > 0)) * strip;
            update(j, width, begin, begin + strip < n ? begin + strip : n);
          }
        }
      });
    }
    // Columns of earlier panels follow the later exchanges.
    const double moved = static_cast<double>(steps) * static_cast<double>(steps);
    for_strips(steps, lu_panel, moved,
               [&](Int j, Int end) { exchange(end, steps, a + j, lda, end - j); });
  }
};

inline double lu_flops(Int m, Int n) {
  const Int k = m < n ? m : n;
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// ---- kernels ------------------------------------------------------------------------------------

// "lu_factor": L and U in one matrix, the exchanges, and the row of L U that is each row of a.
template <class T> void lu_factor_kernel(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (call.inputs[0].data != out.data) copy_tensor(call.inputs[0], out);
  const Int m = size_of(out, 1), n = size_of(out, 0), steps = m < n ? m : n;
  uint32_t* pivots = static_cast<uint32_t*>(call.outputs[1].data);
  uint32_t* order = static_cast<uint32_t*>(call.outputs[2].data);
  Sharing(batch_of(out), lu_flops(m, n), lu_scratch<T>(m, n))
      .run(call.workspace, [&](Int i, char* memory) {
        const LU<T> lu(m, n, static_cast<T*>(out.data) + i * m * n, memory);
        for (Int k = 0; k < steps; ++k) pivots[i * steps + k] = static_cast<uint32_t>(lu.pivots[k]);
        lu.permutation(true, order + i * m);
      });
}

template <class T> size_t lu_factor_workspace(const KernelCall& call) {
  const Int m = size_of(call.outputs[0], 1), n = size_of(call.outputs[0], 0);
  return Sharing(batch_of(call.outputs[0]), lu_flops(m, n), lu_scratch<T>(m, n)).bytes();
}

template <class T> Sharing inverse_sharing(const Tensor& a) {
  const Int n = size_of(a, 0);
  const size_t columns = whole_lines(sizeof(T) * static_cast<size_t>(n * n));
  const size_t order = whole_lines(sizeof(uint32_t) * static_cast<size_t>(n));
  return {batch_of(a), 3 * lu_flops(n, n), columns + order + lu_scratch<T>(n, n)};
}

// "inv": a⁻¹ = U⁻¹ L⁻¹ Pᵀ, strip by strip of its columns; P puts the columns in order.
template <class T> void inv_kernel(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (call.inputs[0].data != out.data) copy_tensor(call.inputs[0], out);
  const Int n = size_of(out, 0);
  Failure failure;
  inverse_sharing<T>(out).run(call.workspace, [&](Int i, char* memory) {
    T* a = static_cast<T*>(out.data) + i * n * n;
    T* x = reinterpret_cast<T*>(memory);
    memory += whole_lines(sizeof(T) * static_cast<size_t>(n * n));
    uint32_t* order = reinterpret_cast<uint32_t*>(memory);
    memory += whole_lines(sizeof(uint32_t) * static_cast<size_t>(n));
    const LU<T> lu(n, n, a, memory);
    if (const Int info = lu.singular()) return failure.note(i, info);
    lu.permutation(false, order);
    for_strips(n, solve_strip, 2 * lu_flops(n, n), [&](Int c, Int end) {
      const Square<T> square{a, n, n, false};
      invert_columns(square, false, Diagonal::ones, c, end, x, n);
      solve_columns(square, true, Diagonal::stored, end - c, x + c, n);
    });
    for_strips(n, 16, static_cast<double>(n) * static_cast<double>(n), [&](Int r, Int end) {
      for (; r < end; ++r) {
        for (Int c = 0; c < n; ++c) a[r * n + order[c]] = x[r * n + c];
      }
    });
  });
  failure.raise_if_any("inv", out, "is singular: pivot %lld of its LU factorisation is zero");
}

template <class T> size_t inv_workspace(const KernelCall& call) {
  return inverse_sharing<T>(call.outputs[0]).bytes();
}

template <class T> Sharing solve_sharing(const Tensor& out) {
  const Int n = size_of(out, 1), columns = size_of(out, 0);
  const double flops =
      lu_flops(n, n) + 2 * static_cast<double>(n) * static_cast<double>(n * columns);
  return {batch_of(out), flops,
          whole_lines(sizeof(T) * static_cast<size_t>(n * n)) + lu_scratch<T>(n, n)};
}

// "solve": a x = b by x = U⁻¹ L⁻¹ Pᵀ b.
template <class T> void solve_kernel(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1], &out = call.outputs[0];
  copy_tensor(b, out);
  const Int n = size_of(out, 1), columns = size_of(out, 0);
  const double flops = 2 * static_cast<double>(n) * static_cast<double>(n * columns);
  Failure failure;
  solve_sharing<T>(out).run(call.workspace, [&](Int i, char* memory) {
    T* copy = reinterpret_cast<T*>(memory);
    load_matrix(a, i, copy);
    const LU<T> lu(n, n, copy, memory + whole_lines(sizeof(T) * static_cast<size_t>(n * n)));
    if (const Int info = lu.singular()) return failure.note(i, info);
    T* x = static_cast<T*>(out.data) + i * n * columns;
    for_strips(columns, solve_strip, flops, [&](Int c, Int end) {
      lu.exchange(0, n, x + c, columns, end - c);
      const Square<T> square{copy, n, n, false};
      solve_columns(square, false, Diagonal::ones, end - c, x + c, columns);
      solve_columns(square, true, Diagonal::stored, end - c, x + c, columns);
    });
  });
  failure.raise_if_any("solve", a, "is singular: pivot %lld of its LU factorisation is zero");
}

template <class T> size_t solve_workspace(const KernelCall& call) {
  return solve_sharing<T>(call.outputs[0]).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
