// matmul and addmm against a naive product in double: shapes, layouts, batches, dtypes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"
#include "scalar/types.h"

using namespace mlxk;

namespace {

struct Array {
  std::vector<char> bytes;
  std::vector<int64_t> shape, strides;
  int64_t offset = 0;
  Dtype dtype;

  Tensor tensor() {
    int64_t size = 1;
    for (int64_t n : shape) size *= n;
    return {bytes.data() + offset * itemsize(dtype), shape.data(), strides.data(), size,
            static_cast<int32_t>(shape.size()),      dtype};
  }
};

void put(Array& a, int64_t i, double value) {
  char* p = a.bytes.data() + i * itemsize(a.dtype);
  const float f = static_cast<float>(value);
  uint16_t h;
  switch (a.dtype) {
    case Dtype::float32: std::memcpy(p, &f, 4); break;
    case Dtype::float64: std::memcpy(p, &value, 8); break;
    case Dtype::bfloat16:
      h = mlxk_scalar::float_to_bf16(f);
      std::memcpy(p, &h, 2);
      break;
    case Dtype::float16:
      h = mlxk_scalar::float_to_f16(f);
      std::memcpy(p, &h, 2);
      break;
    default:
      std::memcpy(p, &f, 4);
      {
        const float im = f * 0.5f;
        std::memcpy(p + 4, &im, 4);
      }
  }
}

double get(const Array& a, int64_t i, bool imaginary = false) {
  const char* p = a.bytes.data() + (i + a.offset) * itemsize(a.dtype);
  float f;
  double d;
  uint16_t h;
  switch (a.dtype) {
    case Dtype::float64: std::memcpy(&d, p, 8); return d;
    case Dtype::bfloat16: std::memcpy(&h, p, 2); return mlxk_scalar::bf16_to_float<float>(h);
    case Dtype::float16: std::memcpy(&h, p, 2); return mlxk_scalar::f16_to_float<float>(h);
    default: std::memcpy(&f, p + (imaginary ? 4 : 0), 4); return f;
  }
}

Array make(Dtype dtype, std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t room,
           int64_t offset, unsigned seed) {
  Array a{std::vector<char>(static_cast<size_t>(room) * itemsize(dtype)), shape, strides, offset,
          dtype};
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int64_t i = 0; i < room; ++i) put(a, i, uniform(random));
  return a;
}

Array row_major_array(Dtype dtype, std::vector<int64_t> shape, unsigned seed) {
  std::vector<int64_t> strides(shape.size());
  int64_t size = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = size;
    size *= shape[i];
  }
  return make(dtype, shape, strides, size, 0, seed);
}

// alpha a @ b + beta c, or a @ b without c.
Array run(const char* op, Array* c, Array& a, Array& b, double alpha, double beta) {
  std::vector<int64_t> shape(a.shape.begin(), a.shape.end() - 1);
  shape.push_back(b.shape.back());
  Array out = row_major_array(a.dtype, shape, 9);
  for (char& byte : out.bytes) byte = static_cast<char>(0xff);  // NaN: nothing may be read
  std::vector<Tensor> inputs;
  if (c) inputs.push_back(c->tensor());
  inputs.push_back(a.tensor());
  inputs.push_back(b.tensor());
  Tensor output = out.tensor();
  const Params params = c ? Params(List{Value(alpha), Value(beta)}) : Params();
  KernelCall call{inputs.data(), &output, static_cast<uint32_t>(inputs.size()), 1,
                  &params,       nullptr};
  const Kernel* kernel = kernels(DeviceKind::cpu).find(op);
  REQUIRE(kernel);
  std::vector<char> workspace(kernel->workspace(call) + 64);
  call.workspace = workspace.data() + (64 - reinterpret_cast<size_t>(workspace.data()) % 64);
  kernel->run(call);
  return out;
}

void compare(const char* op, Array* c, Array a, Array b, double alpha, double beta) {
  const Array out = run(op, c, a, b, alpha, beta);
  const size_t nd = a.shape.size();
  const int64_t m = a.shape[nd - 2], k = a.shape[nd - 1], n = b.shape[b.shape.size() - 1];
  int64_t batch = 1;
  for (size_t i = 0; i + 2 < nd; ++i) batch *= a.shape[i];
  double worst = 0;
  const bool complex = a.dtype == Dtype::complex64;
  for (int64_t x = 0; x < batch; ++x) {
    int64_t at_a = 0, at_b = 0, rest = x;
    for (int i = static_cast<int>(nd) - 3; i >= 0; --i) {
      const int64_t along = rest % a.shape[i];
      rest /= a.shape[i];
      at_a += along * a.strides[i];
      const int own = i - static_cast<int>(nd - b.shape.size());
      if (own >= 0 && b.shape[own] != 1) at_b += along * b.strides[own];
    }
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, imaginary = 0, scale = 1e-3;
        for (int64_t t = 0; t < k; ++t) {
          const int64_t pa = at_a + i * a.strides[nd - 2] + t * a.strides[nd - 1];
          const int64_t pb =
              at_b + t * b.strides[b.shape.size() - 2] + j * b.strides[b.shape.size() - 1];
          const double u = get(a, pa), v = get(b, pb);
          sum += u * v;
          scale += std::fabs(u * v);
          if (complex) {
            sum -= get(a, pa, true) * get(b, pb, true);
            imaginary += u * get(b, pb, true) + get(a, pa, true) * v;
          }
        }
        sum *= alpha;
        imaginary *= alpha;
        if (c) {
          const int64_t pc = i * c->strides[0] + j * c->strides[1];
          sum += beta * get(*c, pc);
          scale += std::fabs(beta * get(*c, pc));
          if (complex) imaginary += beta * get(*c, pc, true);
        }
        const int64_t at = (x * m + i) * n + j;
        worst = std::fmax(worst, std::fabs(get(out, at) - sum) / scale);
        if (!(get(out, at) == get(out, at))) worst = 1e9;
        if (complex) worst = std::fmax(worst, std::fabs(get(out, at, true) - imaginary) / scale);
      }
    }
  }
  const double bound = a.dtype == Dtype::bfloat16  ? 5e-3
                       : a.dtype == Dtype::float16 ? 1e-3
                       : a.dtype == Dtype::float64 ? 1e-13
                                                   : 3e-6;
  if (worst > bound) {
    std::printf("%s dtype %s m %ld n %ld k %ld worst %g\n", op, name(a.dtype), long(m), long(n),
                long(k), worst);
  }
  CHECK(worst <= bound);
}

const Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::complex64, Dtype::bfloat16,
                        Dtype::float16};

}  // namespace

TEST(shapes) {
  const int64_t sizes[][3] = {{1, 1, 1},      {1, 7, 5},       {7, 1, 5},      {3, 5, 1},
                              {1, 300, 257},  {300, 1, 257},   {8, 65, 33},    {5, 129, 64},
                              {9, 17, 31},    {64, 64, 64},    {13, 45, 257},  {50, 70, 600},
                              {100, 90, 513}, {37, 130, 1030}, {20, 40, 2100}, {4, 4, 0},
                              {12, 0, 3},     {0, 5, 3},       {40, 0, 70},    {0, 0, 0}};
  for (Dtype d : dtypes) {
    for (auto& s : sizes) {
      const int64_t m = s[0], n = s[1], k = s[2];
      compare("matmul", nullptr, row_major_array(d, {m, k}, 1), row_major_array(d, {k, n}, 2), 1,
              0);
      // transposed operands, and operands inside larger rows
      compare("matmul", nullptr, make(d, {m, k}, {1, m}, m * k, 0, 3),
              make(d, {k, n}, {1, k}, k * n, 0, 4), 1, 0);
      compare("matmul", nullptr, make(d, {m, k}, {k + 3, 1}, m * (k + 3) + 1, 1, 5),
              make(d, {k, n}, {1, k + 2}, n * (k + 2) + 2, 2, 6), 1, 0);
    }
  }
}

// So many rows that the right factor is packed first, or so large a one that it is packed as it is
// used.
TEST(large_shapes) {
  const int64_t halves[][3] = {{1100, 40, 70}, {1030, 70, 600}, {1050, 34, 2100}},
                floats[][3] = {{9, 700, 1000}, {100, 530, 1030}, {128, 2050, 257}};
  for (Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    for (auto& s : d == Dtype::float32 ? floats : halves) {
      const int64_t m = s[0], n = s[1], k = s[2];
      compare("matmul", nullptr, row_major_array(d, {m, k}, 1), row_major_array(d, {k, n}, 2), 1,
              0);
      Array c = row_major_array(d, {m, n}, 7);
      compare("addmm", &c, make(d, {m, k}, {1, m}, m * k, 0, 3),
              make(d, {k, n}, {1, k + 2}, n * (k + 2) + 2, 2, 6), 0.5, 2);
    }
  }
}

// An infinity times zero, infinities of both signs, sums beyond the dtype, its smallest numbers.
TEST(what_is_not_finite) {
  const double inf = HUGE_VAL, numbers[] = {inf, -inf, std::nan(""), 65504, 6e-8, 0};
  const int64_t sizes[][3] = {{3, 40, 70}, {14, 40, 70}, {40, 70, 300}, {600, 70, 1100}};
  for (Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    for (auto& [m, n, k] : sizes) {
      Array a = row_major_array(d, {m, k}, 1), b = row_major_array(d, {k, n}, 2);
      std::mt19937 random(3);
      for (double x : numbers) {
        put(a, static_cast<int64_t>(random() % static_cast<size_t>(m * k)), x);
        put(b, static_cast<int64_t>(random() % static_cast<size_t>(k * n)), x);
      }
      for (int64_t j = 0; j < k; ++j) put(a, j, 0);  // a row that meets infinities
      const Array out = run("matmul", nullptr, a, b, 1, 0);
      Array rounded = row_major_array(d, {1}, 1);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0, scale = 1e-3;
          for (int64_t t = 0; t < k; ++t) {
            const double product = get(a, i * k + t) * get(b, t * n + j);
            sum += product;
            scale += std::fabs(product);
          }
          put(rounded, 0, sum);
          const double x = get(out, i * n + j), right = get(rounded, 0);
          const bool close = std::fabs(x - right) <= (d == Dtype::bfloat16 ? 5e-3 : 1e-3) * scale;
          CHECK(std::isnan(right) ? std::isnan(x) : std::isinf(right) ? x == right : close);
        }
      }
    }
  }
}

TEST(odd_strides_are_copied) {
  for (Dtype d : dtypes) {
    compare("matmul", nullptr, make(d, {9, 6}, {12, 2}, 9 * 12, 0, 1),
            make(d, {6, 11}, {0, 1}, 11, 0, 2), 1, 0);
    compare("matmul", nullptr, make(d, {9, 6}, {-6, -1}, 54, 53, 1),
            make(d, {6, 11}, {0, 0}, 1, 0, 2), 1, 0);
    compare("matmul", nullptr, make(d, {9, 1}, {0, 0}, 1, 0, 1), make(d, {1, 11}, {0, 0}, 1, 0, 2),
            1, 0);
    compare("matmul", nullptr, make(d, {12, 4}, {1, 12}, 48, 0, 1),
            make(d, {4, 20}, {40, 2}, 160, 0, 2), 1, 0);
  }
}

TEST(batches) {
  for (Dtype d : dtypes) {
    compare("matmul", nullptr, row_major_array(d, {3, 4, 5, 6}, 1),
            row_major_array(d, {3, 4, 6, 7}, 2), 1, 0);
    compare("matmul", nullptr, row_major_array(d, {3, 4, 5, 6}, 1), row_major_array(d, {6, 7}, 2),
            1, 0);
    compare("matmul", nullptr, row_major_array(d, {3, 4, 5, 6}, 1),
            row_major_array(d, {3, 1, 6, 7}, 2), 1, 0);
    compare("matmul", nullptr, make(d, {4, 5, 6}, {6, 24, 1}, 120, 0, 1),
            row_major_array(d, {4, 6, 7}, 2), 1, 0);
    compare("matmul", nullptr, make(d, {4, 5, 6}, {0, 12, 2}, 60, 0, 1),
            row_major_array(d, {4, 6, 7}, 2), 1, 0);
    compare("matmul", nullptr, row_major_array(d, {2, 40, 50}, 1),
            row_major_array(d, {2, 50, 60}, 2), 1, 0);
  }
}

TEST(batches_of_one_right_factor_are_rows_of_one_product) {
  for (Dtype d : dtypes) {
    const Array b = row_major_array(d, {6, 7}, 2);
    // one row of each batch, at even and at uneven steps; backwards; the same row again and again
    compare("matmul", nullptr, make(d, {4, 1, 6}, {18, 6, 1}, 72, 0, 1), b, 1, 0);
    compare("matmul", nullptr, make(d, {2, 4, 1, 6}, {100, 18, 6, 1}, 200, 0, 1), b, 1, 0);
    compare("matmul", nullptr, make(d, {4, 1, 6}, {-18, 6, 1}, 72, 54, 1), b, 1, 0);
    compare("matmul", nullptr, make(d, {4, 1, 6}, {0, 6, 1}, 6, 0, 1), b, 1, 0);
    compare("matmul", nullptr, make(d, {4, 1, 6}, {3, 6, 1}, 20, 0, 1), b, 1, 0);
    // few rows of each batch with the batch axis inside: copied first
    compare("matmul", nullptr, make(d, {4, 5, 6}, {6, 24, 1}, 120, 0, 1), b, 1, 0);
    compare("matmul", nullptr, make(d, {3, 2, 5, 6}, {6, 90, 18, 1}, 180, 0, 1), b, 1, 0);
    // many rows of each: they stay where they are
    compare("matmul", nullptr, make(d, {2, 70, 6}, {6, 12, 1}, 840, 0, 1), b, 1, 0);
    Array row = make(d, {5, 7}, {0, 1}, 7, 0, 3);
    compare("addmm", &row, make(d, {4, 5, 6}, {6, 24, 1}, 120, 0, 1), b, 0.5, 2);
  }
}

TEST(addmm_adds) {
  for (Dtype d : dtypes) {
    for (int64_t m : {1, 5, 40}) {
      Array row = make(d, {m, 30}, {0, 1}, 30, 0, 7);
      compare("addmm", &row, row_major_array(d, {m, 20}, 1), row_major_array(d, {20, 30}, 2), 0.5,
              2);
      Array full = row_major_array(d, {m, 30}, 7);
      compare("addmm", &full, row_major_array(d, {m, 1100}, 1),
              make(d, {1100, 30}, {1, 1100}, 33000, 0, 2), 1, 1);
      compare("addmm", &full, row_major_array(d, {m, 1100}, 1), row_major_array(d, {1100, 30}, 2),
              0.5, 2);
    }
  }
}

TEST(a_row_does_not_depend_on_how_many_there_are) {
  constexpr int64_t n = 37;
  for (Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    for (int64_t k : {40, 301}) {
      for (bool transposed : {false, true}) {
        Array b =
            make(d, {k, n}, transposed ? std::vector<int64_t>{1, k} : std::vector<int64_t>{n, 1},
                 k * n, 0, 2);
        // The transposed ones of float32 go on to 32 rows.
        const int64_t most = transposed && d == Dtype::float32 ? 32 : 8;
        Array all = row_major_array(d, {most, k}, 1);
        const Array whole = run("matmul", nullptr, all, b, 1, 0);
        for (int64_t m = 1; m < most; ++m) {
          Array few = row_major_array(d, {m, k}, 1);
          const Array out = run("matmul", nullptr, few, b, 1, 0);
          CHECK(std::equal(out.bytes.begin(), out.bytes.end(), whole.bytes.begin()));
        }
      }
    }
  }
}

TEST(threads_do_not_change_what_is_right) {
  const int before = thread_count();
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    for (Dtype d : dtypes) {
      compare("matmul", nullptr, row_major_array(d, {150, 140}, 1),
              row_major_array(d, {140, 170}, 2), 1, 0);
      for (int64_t m : {2, 35}) {
        compare("matmul", nullptr, row_major_array(d, {m, 300}, 1),
                row_major_array(d, {300, 700}, 2), 1, 0);
      }
    }
  }
  set_thread_count(before);
}

TEST_MAIN()
