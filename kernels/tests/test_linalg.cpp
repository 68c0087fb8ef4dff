// Linear algebra by what defines it: L Lᴴ = a, a x = b, Q R = a, V Λ = a V, U S Vᴴ = a; each dtype,
// layout, batches side by side and matrices that the threads share.
#include <limits>

#include "check.h"
#include "mlxk/error.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

const Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::complex64};
Dtype real_of(Dtype d) { return d == Dtype::complex64 ? Dtype::float32 : d; }

// One matrix in double precision, row-major.
struct Matrix {
  int64_t rows, cols;
  std::vector<Number> x;
  Matrix(int64_t rows, int64_t cols)
      : rows(rows), cols(cols), x(static_cast<size_t>(rows * cols)) {}
  // Matrix `index` of a batch.
  Matrix(const Array& a, int64_t index)
      : Matrix(a.shape[a.shape.size() - 2], a.shape[a.shape.size() - 1]) {
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = a[index * rows * cols + static_cast<int64_t>(i)];
    }
  }
  Number& at(int64_t r, int64_t c) { return x[static_cast<size_t>(r * cols + c)]; }
  Number at(int64_t r, int64_t c) const { return x[static_cast<size_t>(r * cols + c)]; }
  Matrix adjoint() const {
    Matrix out(cols, rows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) out.at(c, r) = std::conj(at(r, c));
    }
    return out;
  }
  Matrix scaled(const Array& values, int64_t index) const {  // column by column
    Matrix out(rows, values.shape.back());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < out.cols; ++c) out.at(r, c) = at(r, c) * values[index * out.cols + c];
    }
    return out;
  }
  Matrix triangle(bool upper) const {
    Matrix out = *this;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        if (upper ? c < r : c > r) out.at(r, c) = 0;
      }
    }
    return out;
  }
};

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows, b.cols);
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t k = 0; k < b.rows; ++k) {
      for (int64_t c = 0; c < b.cols; ++c) out.at(r, c) += a.at(r, k) * b.at(k, c);
    }
  }
  return out;
}

Matrix identity(int64_t n) {
  Matrix out(n, n);
  for (int64_t i = 0; i < n; ++i) out.at(i, i) = 1;
  return out;
}

void check_equal_matrices(const Matrix& got, const Matrix& want, Dtype dtype,
                          const std::string& what) {
  double scale = 1, worst = 0;
  for (const Number& x : want.x) scale = std::max(scale, std::abs(x));
  for (size_t i = 0; i < want.x.size(); ++i) {
    const double apart = std::abs(got.x[i] - want.x[i]);
    worst = apart <= worst ? worst : apart;  // NaN stays
  }
  const double bound = scale * epsilon(dtype) * 40 * std::sqrt(static_cast<double>(want.rows + 4));
  if (!(worst <= bound)) {
    fail(__FILE__, __LINE__,
         what + " " + dtype_name(dtype) + " " + std::to_string(want.rows) + " x " +
             std::to_string(want.cols) + ": off by " + shown(worst));
  }
}

// Few cases start threads: those that could share anything.
void run(const char* name, const std::vector<Array>& inputs, const std::vector<Array>& outputs,
         List params = {}) {
  if (inputs[0].size() >= 20000) {
    CHECK(same_at_all_thread_counts(name, inputs, outputs, params));
  } else {
    run_kernel(name, inputs, outputs, params);
  }
}

// A batch of matrices whose diagonals stand out.
Array regular(Dtype dtype, const Shape& shape, Layout layout = Layout::contiguous) {
  Array a = make_array(dtype, shape, layout);
  fill(a, 3, -1, 1);
  const int64_t m = shape[shape.size() - 2], n = shape.back(),
                count = m > 0 && n > 0 ? a.size() / (m * n) : 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < std::min(m, n); ++k) {
      const int64_t at = (i * m + k) * n + k;
      a.set(at, a[at].real() + 2 * std::sqrt(static_cast<double>(n)) + static_cast<double>(k % 7));
    }
  }
  return a;
}

// Positive definite: a aᴴ of regular ones.
Array definite(Dtype dtype, const Shape& shape, Layout layout = Layout::contiguous) {
  const Array a = regular(dtype, shape);
  Array out = make_array(dtype, shape, layout);
  const int64_t n = shape.back(), count = n ? a.size() / (n * n) : 0;
  for (int64_t i = 0; i < count; ++i) {
    const Matrix x(a, i), square = x * x.adjoint();
    for (int64_t k = 0; k < n * n; ++k) out.set(i * n * n + k, square.x[static_cast<size_t>(k)]);
  }
  return out;
}

int64_t batch_of(const Array& a) {
  const int64_t size = a.shape[a.shape.size() - 2] * a.shape.back();
  return size ? a.size() / size : 0;
}

const Shape squares[] = {{1, 1}, {2, 3, 5, 5}, {40, 33, 33}, {70, 70}, {3, 130, 130}, {200, 200}};
const Shape oblongs[] = {{5, 3},    {2, 3, 5},     {40, 20, 33}, {130, 70},
                         {70, 200}, {2, 300, 129}, {1, 8}};

// body(dtype, shape, layout): small shapes in every layout.
template <class Shapes, class Body> void each(const Shapes& shapes, const Body& body) {
  for (Dtype dtype : dtypes) {
    for (const Shape& shape : shapes) {
      body(dtype, shape, Layout::contiguous);
      if (shape.back() > 70) continue;
      for (Layout layout : {Layout::transposed, Layout::sliced, Layout::reversed})
        body(dtype, shape, layout);
    }
  }
}

Array vector_array(Dtype dtype, const Shape& matrix_shape) {
  Shape shape(matrix_shape.begin(), matrix_shape.end() - 1);
  shape.back() = std::min(matrix_shape.back(), matrix_shape[matrix_shape.size() - 2]);
  return make_array(dtype, shape);
}

Array oblong(Dtype dtype, const Shape& batch_of, int64_t rows, int64_t cols) {
  Shape shape = batch_of;
  shape[shape.size() - 2] = rows;
  shape.back() = cols;
  return make_array(dtype, shape);
}

}  // namespace

TEST(cholesky) {
  each(squares, [](Dtype dtype, const Shape& shape, Layout layout) {
    const Array a = definite(dtype, shape, layout), out = make_array(dtype, shape);
    for (bool upper : {false, true}) {
      run("cholesky", {a}, {out}, {upper});
      for (int64_t i = 0; i < batch_of(a); ++i) {
        const Matrix factor(out, i);
        check_equal_matrices(upper ? factor.adjoint() * factor : factor * factor.adjoint(), {a, i},
                             dtype, "cholesky");
        check_equal_matrices(factor.triangle(upper), factor, dtype, "cholesky triangle");
      }
    }
  });
}

TEST(inverses) {
  each(squares, [](Dtype dtype, const Shape& shape, Layout layout) {
    const Array a = regular(dtype, shape, layout), out = make_array(dtype, shape);
    run("inv", {a}, {out});
    for (int64_t i = 0; i < batch_of(a); ++i) {
      check_equal_matrices(Matrix(a, i) * Matrix(out, i), identity(shape.back()), dtype, "inv");
    }
    for (bool upper : {false, true}) {
      run("tri_inv", {a}, {out}, {upper});
      for (int64_t i = 0; i < batch_of(a); ++i) {
        const Matrix product = Matrix(a, i).triangle(upper) * Matrix(out, i);
        check_equal_matrices(product, identity(shape.back()), dtype, "tri_inv");
      }
    }
  });
}

TEST(systems) {
  each(squares, [](Dtype dtype, const Shape& shape, Layout layout) {
    for (int64_t columns : {1, 3, 150}) {
      const Array a = regular(dtype, shape, layout);
      Shape right = shape;
      right.back() = columns;
      const Array b = make_array(dtype, right, layout), out = make_array(dtype, right);
      fill(b, 7);
      run("solve", {a, b}, {out});
      for (int64_t i = 0; i < batch_of(a); ++i) {
        check_equal_matrices(Matrix(a, i) * Matrix(out, i), {b, i}, dtype, "solve");
      }
      for (bool upper : {false, true}) {
        run("solve_triangular", {a, b}, {out}, {upper});
        for (int64_t i = 0; i < batch_of(a); ++i) {
          const Matrix product = Matrix(a, i).triangle(upper) * Matrix(out, i);
          check_equal_matrices(product, {b, i}, dtype, "solve_triangular");
        }
      }
    }
  });
}

TEST(lu_factor) {
  const auto check = [](Dtype dtype, const Shape& shape, Layout layout) {
    Array a = make_array(dtype, shape, layout);
    fill(a, 5);
    const int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    Shape rows(shape.begin(), shape.end() - 1), steps = rows;
    steps.back() = k;
    const Array out = make_array(dtype, shape), pivots = make_array(Dtype::uint32, steps),
                order = make_array(Dtype::uint32, rows);
    run("lu_factor", {a}, {out, pivots, order});
    for (int64_t i = 0; i < batch_of(a); ++i) {
      const Matrix packed(out, i), matrix(a, i);
      Matrix lower(m, k), upper(k, n), want(m, n);
      for (int64_t r = 0; r < m; ++r) {
        for (int64_t c = 0; c < n; ++c) {
          if (c < r && c < k) lower.at(r, c) = packed.at(r, c);
          if (r == c) lower.at(r, c) = 1;
          if (c >= r && r < k) upper.at(r, c) = packed.at(r, c);
          want.at(static_cast<int64_t>(order[i * m + r].real()), c) = matrix.at(r, c);
        }
      }
      check_equal_matrices(lower * upper, want, dtype, "lu_factor");
      for (const Number& x : lower.x)
        CHECK(std::fabs(x.real()) <= 1.5);  // the larger element is the pivot
      for (int64_t j = 0; j < k; ++j) {
        CHECK(pivots[i * k + j].real() >= static_cast<double>(j));
        CHECK(pivots[i * k + j].real() < static_cast<double>(m));
      }
    }
  };
  each(squares, check);
  each(oblongs, check);
}

TEST(determinants) {
  for (Dtype dtype : dtypes) {
    const Array a = regular(dtype, {3, 70, 70}), signs = make_array(dtype, {3}),
                logs = make_array(real_of(dtype), {3});
    run("slogdet", {a}, {signs, logs});
    const Array eigen = make_array(Dtype::complex64, {3, 70});
    run("eigvals", {a}, {eigen});
    for (int64_t i = 0; i < 3; ++i) {
      double log = 0;
      Number sign = 1;
      for (int64_t k = 0; k < 70; ++k) {
        log += std::log(std::abs(eigen[i * 70 + k]));
        sign *= eigen[i * 70 + k] / std::abs(eigen[i * 70 + k]);
      }
      CHECK_NEAR(logs[i].real(), log, 1e-3);
      CHECK_NEAR(std::abs(signs[i] - sign), 0, 1e-3);
    }
    Array small = make_array(dtype, {2, 2, 2}), det = make_array(dtype, {2});
    for (int64_t i = 0; i < 8; ++i) small.set(i, i < 4 ? static_cast<double>(i) : 1.0);
    run("det", {small}, {det});
    CHECK_NEAR(det[0].real(), -2, 1e-6);
    CHECK_NEAR(std::abs(det[1]), 0, 0);
    const Array sign = make_array(dtype, {2}), log = make_array(real_of(dtype), {2});
    run("slogdet", {small}, {sign, log});
    CHECK_NEAR(std::abs(sign[1]), 0, 0);
    CHECK_EQ(log[1].real(), -std::numeric_limits<double>::infinity());
  }
}

TEST(qr) {
  const auto check = [](Dtype dtype, const Shape& shape, Layout layout) {
    const int64_t m = shape[shape.size() - 2], n = shape.back();
    if (m < n) return;
    Array a = make_array(dtype, shape, layout);
    fill(a, 6);
    const Array q = make_array(dtype, shape), r = oblong(dtype, shape, n, n);
    run("qr", {a}, {q, r});
    for (int64_t i = 0; i < batch_of(a); ++i) {
      const Matrix orthonormal(q, i), upper(r, i);
      check_equal_matrices(orthonormal * upper, {a, i}, dtype, "qr");
      check_equal_matrices(orthonormal.adjoint() * orthonormal, identity(n), dtype, "q");
      check_equal_matrices(upper.triangle(true), upper, dtype, "r");
    }
  };
  each(squares, check);
  each(oblongs, check);
}

TEST(eigenvalues_of_hermitian_matrices) {
  each(squares, [](Dtype dtype, const Shape& shape, Layout layout) {
    const Array a = definite(dtype, shape, layout), vectors = make_array(dtype, shape);
    const Array values = vector_array(real_of(dtype), shape),
                alone = vector_array(real_of(dtype), shape);
    for (bool upper : {false, true}) {
      run("eigh", {a}, {values, vectors}, {upper});
      run("eigvalsh", {a}, {alone}, {upper});
      const int64_t n = shape.back();
      for (int64_t i = 0; i < batch_of(a); ++i) {
        const Matrix v(vectors, i);
        check_equal_matrices(v.scaled(values, i) * v.adjoint(), {a, i}, dtype, "eigh");
        check_equal_matrices(v.adjoint() * v, identity(n), dtype, "eigh vectors");
        for (int64_t k = 0; k < n; ++k) {
          const double value = values[i * n + k].real(), largest = values[i * n + n - 1].real();
          CHECK_NEAR(alone[i * n + k].real(), value, 100 * epsilon(dtype) * largest);
          if (k) CHECK(values[i * n + k - 1].real() <= value);
        }
      }
    }
  });
}

TEST(eigenvalues_of_tiny_and_huge_matrices) {
  for (double scale : {1e-30, 1e30}) {
    Array a = make_array(Dtype::float32, {2, 2}), values = make_array(Dtype::float32, {2});
    const double entries[] = {2, 1, 1, 2};
    for (int64_t i = 0; i < 4; ++i) a.set(i, entries[i] * scale);
    run("eigvalsh", {a}, {values}, {false});
    CHECK_NEAR(values[0].real() / scale, 1, 1e-5);
    CHECK_NEAR(values[1].real() / scale, 3, 1e-5);
  }
}

TEST(eigenvalues) {
  each(squares, [](Dtype dtype, const Shape& shape, Layout layout) {
    if (shape.back() > 130) return;
    Array a = make_array(dtype, shape, layout);
    fill(a, 8);
    const Array values = vector_array(Dtype::complex64, shape),
                vectors = make_array(Dtype::complex64, shape);
    run("eig", {a}, {values, vectors});
    for (int64_t i = 0; i < batch_of(a); ++i) {
      const Matrix v(vectors, i);
      Matrix want = v.scaled(values, i);
      check_equal_matrices(Matrix(a, i) * v, want, Dtype::complex64, "eig");
    }
  });
}

TEST(singular_values) {
  const auto check = [](Dtype dtype, const Shape& shape, Layout layout) {
    const int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    Array a = make_array(dtype, shape, layout);
    fill(a, 9);
    for (bool full : {false, true}) {
      const Array u = oblong(dtype, shape, m, full ? m : k),
                  s = vector_array(real_of(dtype), shape),
                  vt = oblong(dtype, shape, full ? n : k, n),
                  alone = vector_array(real_of(dtype), shape);
      run("svd", {a}, {u, s, vt}, {full});
      run("svdvals", {a}, {alone});
      for (int64_t i = 0; i < batch_of(a); ++i) {
        const Matrix left(u, i), right(vt, i);
        Matrix first(k, n);
        for (int64_t r = 0; r < k; ++r) {
          for (int64_t c = 0; c < n; ++c) first.at(r, c) = right.at(r, c);
        }
        check_equal_matrices(left.scaled(s, i) * first, {a, i}, dtype, "svd");
        check_equal_matrices(left.adjoint() * left, identity(u.shape.back()), dtype, "u");
        check_equal_matrices(right * right.adjoint(), identity(right.rows), dtype, "v");
        for (int64_t j = 0; j < k; ++j) {
          CHECK_NEAR(alone[i * k + j].real(), s[i * k + j].real(),
                     100 * epsilon(dtype) * s[i * k].real());
        }
      }
    }
    const Array inverse = oblong(dtype, shape, n, m);
    run("pinv", {a}, {inverse}, {-1.0});
    for (int64_t i = 0; i < batch_of(a); ++i) {
      const Matrix x(a, i), p(inverse, i);
      if (m != n) check_equal_matrices(x * p * x, x, dtype, "pinv");
    }
  };
  each(squares, check);
  each(oblongs, check);
}

TEST(nothing_to_do) {
  for (Dtype dtype : dtypes) {
    for (const Shape& shape : {Shape{0, 0}, Shape{0, 3, 3}}) {
      const Array a = make_array(dtype, shape), out = make_array(dtype, shape),
                  other = make_array(dtype, shape);
      const Array values = vector_array(real_of(dtype), shape),
                  complex = vector_array(Dtype::complex64, shape);
      const Array vectors = make_array(Dtype::complex64, shape);
      const Array numbers = vector_array(Dtype::uint32, shape),
                  order = vector_array(Dtype::uint32, shape);
      for (const char* name : {"inv", "qr", "lu_factor", "eig"}) {
        if (name[0] == 'i') run(name, {a}, {out});
        if (name[0] == 'q') run(name, {a}, {out, other});
        if (name[0] == 'l') run(name, {a}, {out, numbers, order});
        if (name[0] == 'e') run(name, {a}, {complex, vectors});
      }
      for (const char* name : {"cholesky", "tri_inv"}) run(name, {a}, {out}, {false});
      run("solve", {a, a}, {out});
      run("solve_triangular", {a, a}, {out}, {true});
      run("eigh", {a}, {values, out}, {false});
      run("svd", {a}, {out, values, other}, {true});
      run("pinv", {a}, {out}, {-1.0});
    }
    const Array a = make_array(dtype, {2, 0, 3}), u = make_array(dtype, {2, 0, 0}),
                s = make_array(real_of(dtype), {2, 0}), vt = make_array(dtype, {2, 3, 3});
    run("svd", {a}, {u, s, vt}, {true});
    check_equal_matrices({vt, 1}, identity(3), dtype, "v of nothing");
    const Array empty = make_array(dtype, {2, 0, 0}), ones = make_array(dtype, {2});
    run("det", {empty}, {ones});
    CHECK_EQ(ones[1].real(), 1.0);
  }
}

TEST(failures_name_the_matrix_and_the_rule) {
  for (Dtype dtype : dtypes) {
    Array a = regular(dtype, {2, 40, 5, 5}), out = make_array(dtype, {2, 40, 5, 5});
    const int64_t bad = 47;  // (1, 7)
    for (int64_t i = 0; i < 5; ++i) {
      a.set(bad * 25 + 10 + i, 0);
      a.set((bad + 3) * 25 + 10 + i, 0);
    }
    CHECK_THROWS(Error, "[inv] The matrix at batch index (1, 7) is singular",
                 run("inv", {a}, {out}));
    CHECK_THROWS(Error, "[solve] The matrix at batch index (1, 7) is singular",
                 run("solve", {a, a}, {out}));
    CHECK_THROWS(Error, "element 3 of its diagonal is zero", run("tri_inv", {a}, {out}, {false}));
    CHECK_THROWS(Error, "element 3 of its diagonal is zero",
                 run("solve_triangular", {a, a}, {out}, {true}));
    CHECK_THROWS(Error, "leading minor of order 3 is not positive",
                 run("cholesky", {a}, {out}, {false}));
    a.set(bad * 25, std::numeric_limits<double>::infinity());
    const Array values = make_array(real_of(dtype), {2, 40, 5}),
                other = make_array(dtype, {2, 40, 5, 5});
    CHECK_THROWS(Error, "(1, 7) has elements that are NaN or infinite",
                 run("eigh", {a}, {values, out}, {false}));
    CHECK_THROWS(Error, "NaN or infinite", run("svd", {a}, {out, values, other}, {true}));
    CHECK_THROWS(Error, "NaN or infinite", run("pinv", {a}, {out}, {-1.0}));
    const Array complex = make_array(Dtype::complex64, {2, 40, 5}),
                vectors = make_array(Dtype::complex64, {2, 40, 5, 5});
    CHECK_THROWS(Error, "NaN or infinite", run("eig", {a}, {complex, vectors}));
    Array large = make_array(dtype, {300, 300}), inverse = make_array(dtype, {300, 300});
    fill(large, 4);
    for (int64_t i = 0; i < 300; ++i) large.set(i * 300 + 200, 0);
    CHECK_THROWS(Error, "[inv] The matrix is singular: pivot 201", run("inv", {large}, {inverse}));
  }
}

TEST_MAIN()
