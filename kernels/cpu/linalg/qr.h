// The QR factorisation by block reflectors, I - V T Vᴴ (Schreiber and Van Loan, A Storage-Efficient
// WY Representation for Products of Householder Transformations, 1989).
//
// As in lu.h the first task of each step updates and factors the next panel while the others update
// the columns behind it. Each column strip of Q is made on its own.
#pragma once

#include "cpu/integers.h"
#include "cpu/linalg/lu.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr Int qr_panel = 64;

// What one factorisation of an (m, n) matrix works in, m >= n.
template <class T> struct QrMemory {
  Int m, n;
  T* a;           // (m, n): at last V in its panels, with ones and zeros where reflectors have them
  T* panel;       // (m, qr_panel) by columns
  T* t;           // (qr_panel, qr_panel) for each panel
  T* w;           // (qr_panel, n): Vᴴ times columns
  T* by_columns;  // T of the panel at work, as LAPACK makes it
  T *tau, *work;

  static size_t bytes(Int m, Int n) { return QrMemory(m, n, nullptr).used; }
  QrMemory(Int m, Int n, char* memory) : m(m), n(n), used(0) {
    const auto take = [&](Int count) {
      T* p = reinterpret_cast<T*>(memory + used);
      used += whole_lines(sizeof(T) * static_cast<size_t>(count));
      return p;
    };
    const Int panels = ceil_div(n, qr_panel);
    a = take(m * n);
    panel = take(panel_stride(m) * qr_panel);
    t = take(panels * qr_panel * qr_panel);
    w = take(qr_panel * n);
    by_columns = take(qr_panel * qr_panel);
    tau = take(qr_panel);
    work = take(qr_panel);
  }

 private:
  size_t used;
};

template <class T> struct QR : QrMemory<T> {
  using QrMemory<T>::m, QrMemory<T>::n, QrMemory<T>::a, QrMemory<T>::t, QrMemory<T>::w;
  T *q, *r;

  QR(const QrMemory<T>& memory, T* q, T* r) : QrMemory<T>(memory), q(q), r(r) {}

  void run() {
    factor();
    for (Int i = 0; i < n; ++i) {  // the diagonal blocks of R are there already
      const Int block_end = (i / qr_panel + 1) * qr_panel;
      for (Int c = 0; c < i; ++c) r[i * n + c] = T{};
      for (Int c = block_end; c < n; ++c) r[i * n + c] = a[i * n + c];
    }
    const double flops = 2 * lu_flops(m, n);
    for_strips(n, qr_panel, flops, [&](Int c, Int end) {
      set_identity(m, c, end, q, n);
      for (Int j = c; j >= 0; j -= qr_panel) reflect(j, Op::none, c, end, q);
    });
  }

 private:
  Int width_at(Int j) const { return n - j < qr_panel ? n - j : qr_panel; }

  void factor_panel(Int j) {
    Int rows = m - j, width = width_at(j), stride = panel_stride(rows), info = 0, ld = qr_panel;
    T *corner = a + j * (n + 1), *panel = this->panel, *block = r + j * (n + 1);
    copy_matrix(rows, width, corner, n, Int{1}, panel, Int{1}, stride);
    Lapack<T>::geqr2(&rows, &width, panel, &stride, this->tau, this->work, &info);
    T* by_columns = this->by_columns;
    Lapack<T>::larft("F", "C", &rows, &width, panel, &stride, this->tau, by_columns, &ld, 1, 1);
    copy_matrix(width, width, by_columns, Int{1}, ld, t + j * ld, ld, Int{1});
    for (Int i = 0; i < width; ++i) {
      for (Int c = i; c < width; ++c) {
        block[i * n + c] = panel[c * stride + i];
        panel[c * stride + i] = c == i ? one<T>() : T{};
      }
    }
    copy_matrix(rows, width, panel, Int{1}, stride, corner, n, Int{1});
  }

  // Columns c..end of x, of row length n, from row j on: x -= V op(T) Vᴴ x.
  void reflect(Int j, Op op, Int c, Int end, T* x) {
    const Int width = width_at(j), rows = m - j, columns = end - c;
    const T* v = a + j * (n + 1);
    T *top = x + j * n + c, *product = w + c;
    gemm(Order::rows, Op::adjoint, Op::none, width, columns, rows, 1, v, n, top, n, 0, product, n);
    trmm(Order::rows, Part::upper, op, width, columns, t + j * qr_panel, qr_panel, product, n);
    gemm(Order::rows, Op::none, Op::none, rows, columns, width, -1, v, n, product, n, 1, top, n);
  }

  void factor() {
    if (n) factor_panel(0);
    for (Int j = 0; j < n; j += qr_panel) {
      const Int next = j + width_at(j), ahead = next < n ? width_at(next) : 0;
      const Int strip = strip_width(n - next - ahead);
      const Int strips = ceil_div(n - next - ahead, strip), tasks = strips + (ahead > 0);
      const double flops =
          4 * static_cast<double>(m - j) * static_cast<double>((n - next) * qr_panel);
      const Int grain = static_cast<Int>(task_flops * static_cast<double>(tasks) / (flops + 1)) + 1;
      parallel_for(tasks, grain, [&](int64_t first, int64_t last) {
        for (int64_t task = first; task < last; ++task) {
          if (task == 0) {
            reflect(j, Op::adjoint, next, next + ahead, a);
            factor_panel(next);
          } else {
            const Int begin = next + ahead + (task - 1) * strip;
            reflect(j, Op::adjoint, begin, begin + strip < n ? begin + strip : n, a);
          }
        }
      });
    }
  }
};

template <class T> Sharing qr_sharing(const KernelCall& call) {
  const Int m = size_of(call.outputs[0], 1), n = size_of(call.outputs[0], 0);
  return {batch_of(call.outputs[0]), 4 * lu_flops(m, n), QrMemory<T>::bytes(m, n)};
}

template <class T> size_t qr_workspace(const KernelCall& call) {
  return qr_sharing<T>(call).bytes();
}

// "qr": the reduced factorisation of matrices with at least as many rows as columns.
template <class T> void qr_kernel(const KernelCall& call) {
  const Int m = size_of(call.outputs[0], 1), n = size_of(call.outputs[0], 0);
  qr_sharing<T>(call).run(call.workspace, [&](Int i, char* memory) {
    const QrMemory<T> room(m, n, memory);
    load_matrix(call.inputs[0], i, room.a);
    QR<T>(room, static_cast<T*>(call.outputs[0].data) + i * m * n,
          static_cast<T*>(call.outputs[1].data) + i * n * n)
        .run();
  });
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
