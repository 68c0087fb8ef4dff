// The scalar formulas of one instruction set (MLXK_ISA=v2|v3|v4): accuracy in units in the last
// place, special values, and scalars against vectors bit for bit. `test_scalar --all` runs the
// functions of one float32 over all 2^32 inputs, `test_scalar --all exp` that one.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "check.h"
#include "isa/scalar.h"

#define MLXK_ISA_ENTRY(isa)          \
  namespace scalar_test::isa {       \
  const scalar_test::Suite& suite(); \
  }
#include "mlxk_runnable_isas.inc"
#undef MLXK_ISA_ENTRY

namespace {

using scalar_test::Entry;
using scalar_test::Suite;

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
uint64_t stride = 509;
const char* only = nullptr;  // a function of one argument

const Suite& suite() {
  const char* wanted = std::getenv("MLXK_ISA");
  const Suite* chosen = nullptr;
#define MLXK_ISA_ENTRY(isa) \
  if (!wanted || !std::strcmp(wanted, #isa)) chosen = &scalar_test::isa::suite();
#include "mlxk_runnable_isas.inc"
#undef MLXK_ISA_ENTRY
  REQUIRE(chosen != nullptr);
  return *chosen;
}
bool fuses() { return std::strcmp(suite().isa, "v2") != 0; }

const Entry& entry(const char* name, const char* dtype) {
  const Suite& s = suite();
  for (size_t i = 0; i < s.count; i++)
    if (!std::strcmp(s.entries[i].name, name) && !std::strcmp(s.entries[i].dtype, dtype))
      return s.entries[i];
  std::printf("no formula %s of %s\n", name, dtype);
  REQUIRE(false);
  return s.entries[0];
}

float from_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// The distance to the exact value in units of float32's last place there.
double ulps(float got, double exact) {
  if (std::isnan(got) || std::isnan(exact)) return std::isnan(got) && std::isnan(exact) ? 0 : 1e30;
  const float rounded = static_cast<float>(exact);
  if (got == rounded) {
    const bool same_sign = std::signbit(got) == std::signbit(exact);
    if (std::isinf(got) || got == 0) return same_sign ? 0 : 1e30;
  }
  if (std::isinf(got)) return std::fabs(exact) > 3.4028235677973366e38 ? 0 : 1e30;
  if (std::isinf(exact)) return 1e30;
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(got - exact) / std::ldexp(1.0, std::max(exponent, -125) - 24);
}

double exact_erfinv(double x) {
  const double y = std::fabs(x);
  if (!(y < 1)) return y == 1 ? x * inf : std::nan("");
  if (y < 1e-8) return x * 0.88622692545275801;
  const double w = -std::log1p(-y * y), l = 2 / (M_PI * 0.147) - w / 2;
  double r = std::sqrt(std::sqrt(l * l + w / 0.147) - l);
  for (int i = 0; i < 4; i++) {
    const double error = y > 0.5 ? (1 - y) - std::erfc(r) : std::erf(r) - y;
    const double step = error * 0.88622692545275801 * std::exp(r * r);
    r -= step / (1 + r * step);
  }
  return std::copysign(r, x);
}
double exact_sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
double exact_rsqrt(double x) { return 1 / std::sqrt(x); }
double exact_reciprocal(double x) { return 1 / x; }
double exact_square(double x) { return x * x; }
double exact_degrees(double x) { return x * 57.295779513082321; }
double exact_radians(double x) { return x * 0.017453292519943295; }
double exact_sqrt(double x) { return std::sqrt(x); }
double exact_floor(double x) { return std::floor(x); }
double exact_ceil(double x) { return std::ceil(x); }
double exact_trunc(double x) { return std::trunc(x); }
double exact_round(double x) { return std::nearbyint(x); }
double exact_exp_of_nonpositive(double x) {
  return std::fabs(x) > 87 ? 0 : std::exp(-std::fabs(x));
}
double exact_abs(double x) { return std::fabs(x); }

struct Bound {
  const char* name;
  double (*exact)(double);
  double fused, unfused;  // the greatest error allowed
};
#define LIBRARY(function) [](double x) { return std::function(x); }
const Bound unary_bounds[] = {
    {"exp", LIBRARY(exp), 1, 1},        {"exp_of_nonpositive", exact_exp_of_nonpositive, 1, 1},
    {"log", LIBRARY(log), 1, 1},        {"sqrt", exact_sqrt, 0.5, 0.5},
    {"rsqrt", exact_rsqrt, 1, 1},       {"reciprocal", exact_reciprocal, 0.5, 0.5},
    {"square", exact_square, 0.5, 0.5}, {"expm1", LIBRARY(expm1), 2, 2},
    {"log2", LIBRARY(log2), 1, 1},      {"log10", LIBRARY(log10), 1, 1},
    {"log1p", LIBRARY(log1p), 2, 2},    {"sigmoid", exact_sigmoid, 2, 2},
    {"erf", LIBRARY(erf), 2, 2},        {"erfinv", exact_erfinv, 2, 2},
    {"sin", LIBRARY(sin), 2, 2},        {"cos", LIBRARY(cos), 2, 2},
    {"tan", LIBRARY(tan), 4, 4},        {"arcsin", LIBRARY(asin), 2, 2},
    {"arccos", LIBRARY(acos), 2, 2},    {"arctan", LIBRARY(atan), 2, 2},
    {"sinh", LIBRARY(sinh), 2, 2},      {"cosh", LIBRARY(cosh), 2, 2},
    {"tanh", LIBRARY(tanh), 2, 2},      {"arcsinh", LIBRARY(asinh), 2, 2},
    {"arccosh", LIBRARY(acosh), 2, 2},  {"arctanh", LIBRARY(atanh), 2, 2},
    {"degrees", exact_degrees, 1, 1},   {"radians", exact_radians, 1, 1},
    {"floor", exact_floor, 0, 0},       {"ceil", exact_ceil, 0, 0},
    {"trunc", exact_trunc, 0, 0},       {"round", exact_round, 0, 0},
    {"abs", exact_abs, 0, 0},
};

// Where functions change their method or end, and the edges of the format.
std::vector<float> special_values() {
  std::vector<float> values = {0.0f,
                               1e-45f,
                               1.17549421e-38f,
                               1.17549435e-38f,
                               2.9802322e-8f,
                               1.220703125e-4f,
                               0.25f,
                               0.346573591f,
                               0.5f,
                               0.6f,
                               2 / 3.0f,
                               0.785398185f,
                               0.995227098f,
                               1.0f,
                               1.00194442f,
                               4 / 3.0f,
                               1.5f,
                               1.57079637f,
                               2.0f,
                               2.5f,
                               3.14159274f,
                               3.9f,
                               3.95f,
                               9.0f,
                               9.5f,
                               11.0f,
                               17.3287f,
                               20.0f,
                               22.0f,
                               87.3365f,
                               88.7228f,
                               89.4159f,
                               90.0f,
                               103.9721f,
                               104.0f,
                               1e5f,
                               65504.0f,
                               65520.0f,
                               4194304.0f,
                               8388608.0f,
                               16777216.0f,
                               1e9f,
                               2147483648.0f,
                               1e10f,
                               9.2233720e18f,
                               1e30f,
                               3.40282347e38f,
                               inf,
                               nan_value};
  const size_t count = values.size();
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    std::memcpy(&bits, &values[i], 4);
    for (uint32_t d = 1; d <= 64; d++) {
      values.push_back(from_bits(bits + d));
      values.push_back(from_bits(bits - d));
    }
  }
  const size_t positive = values.size();
  for (size_t i = 0; i < positive; i++) values.push_back(-values[i]);
  while (values.size() % 64) values.push_back(0.0f);
  return values;
}

struct Worst {
  double error = 0;
  float x = 0, y = 0, got = 0;
  void see(double e, float a, float b, float r) {
    if (!(e <= error)) *this = {e, a, b, r};
  }
};

void measure(const Bound& bound, const Entry& formula, const std::vector<float>& xs, Worst& worst) {
  thread_local std::vector<float> out;
  out.resize(xs.size());
  formula.vector(xs.data(), nullptr, nullptr, out.data(), xs.size());
  for (size_t i = 0; i < xs.size(); i++) {
    const double exact = bound.exact(xs[i]);
    const bool rounded_right = out[i] == static_cast<float>(exact) && out[i] != 0;
    if (rounded_right && worst.error >= 0.5) continue;  // no more than half a unit
    worst.see(ulps(out[i], exact), xs[i], 0, out[i]);
  }
}

// Every `stride`-th float32, shared among the cores.
Worst measure_densely(const Bound& bound, const Entry& formula) {
  constexpr uint64_t inputs = uint64_t{1} << 32, block = 4096;
  const uint64_t step = stride * block, threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Worst> worst(threads);
  std::vector<std::thread> running;
  std::atomic<uint64_t> next{0};
  for (uint64_t t = 0; t < threads; t++)
    running.emplace_back([&, t] {
      std::vector<float> xs(block);
      for (uint64_t start; (start = next.fetch_add(step)) < inputs;) {
        for (uint64_t i = 0; i < block; i++)
          xs[i] = from_bits(static_cast<uint32_t>(start + stride * i));
        measure(bound, formula, xs, worst[t]);
      }
    });
  for (std::thread& thread : running) thread.join();
  return *std::max_element(worst.begin(), worst.end(),
                           [](const Worst& a, const Worst& b) { return a.error < b.error; });
}

TEST(accuracy_of_one_argument) {
  const std::vector<float> special = special_values();
  std::printf("%-4s %-11s %8s   at\n", suite().isa, "float32", "max ulp");
  for (const Bound& bound : unary_bounds) {
    if (only && std::strcmp(only, bound.name)) continue;
    const Entry& formula = entry(bound.name, "float32");
    Worst worst = measure_densely(bound, formula);
    measure(bound, formula, special, worst);
    std::printf("%-4s %-11s %8.3f   %.9g (%a) -> %.9g\n", suite().isa, bound.name, worst.error,
                worst.x, worst.x, worst.got);
    std::fflush(stdout);  // each takes minutes under --all
    CHECK(worst.error <= (fuses() ? bound.fused : bound.unfused));
  }
}

// ---- two arguments ------------------------------------------------------------------------------

double exact_logaddexp(double x, double y) {
  if (x == y) return x + M_LN2;
  if (std::isnan(x) || std::isnan(y)) return std::nan("");
  const double high = std::fmax(x, y), low = std::fmin(x, y);
  return high + std::log1p(std::exp(low - high));
}
double exact_remainder(double x, double y) {
  const double r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? static_cast<float>(r) + y : r;
}

struct Pairs {
  std::vector<float> x, y;
  void add(float a, float b) {
    x.push_back(a);
    y.push_back(b);
  }
};

Pairs all_pairs_of_specials() {
  Pairs pairs;
  std::vector<float> values;
  for (float v : {0.0f,           1e-45f,      1.1754942e-38f, 1.17549435e-38f, 1e-20f,
                  0.3f,           0.5f,        1.0f,           1.00000012f,     1.5f,
                  2.0f,           3.0f,        7.0f,           33.0f,           127.0f,
                  8388607.0f,     16777215.0f, 16777216.0f,    1e10f,           1e30f,
                  3.40282347e38f, inf,         nan_value}) {
    values.push_back(v);
    values.push_back(-v);
  }
  for (float a : values)
    for (float b : values) pairs.add(a, b);
  while (pairs.x.size() % 64) pairs.add(1.0f, 1.0f);
  return pairs;
}

Worst measure_pairs(const char* name, double (*exact)(double, double), const Pairs& pairs) {
  Worst worst;
  std::vector<float> out(pairs.x.size());
  entry(name, "float32").vector(pairs.x.data(), pairs.y.data(), nullptr, out.data(), out.size());
  for (size_t i = 0; i < out.size(); i++)
    worst.see(ulps(out[i], exact(pairs.x[i], pairs.y[i])), pairs.x[i], pairs.y[i], out[i]);
  return worst;
}
void expect_pairs(const char* name, double (*exact)(double, double), const Pairs& pairs,
                  double bound) {
  const Worst worst = measure_pairs(name, exact, pairs);
  std::printf("%-4s %-11s %8.3f   (%.9g, %.9g) -> %.9g\n", suite().isa, name, worst.error, worst.x,
              worst.y, worst.got);
  CHECK(worst.error <= bound);
}
constexpr int pair_count = 1 << 21;

TEST(accuracy_of_power) {
  const auto exact = [](double x, double y) { return std::pow(x, y); };
  expect_pairs("power", exact, all_pairs_of_specials(), 4);
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> exponent(-149, 128), target(-152, 130), near(-1, 1);
  Pairs pairs;
  while (pairs.x.size() < pair_count) {
    const float x = pairs.x.size() % 3 ? std::exp2(exponent(random))
                                       : 1 + near(random) * std::exp2(exponent(random) / 12 - 12);
    const float y = static_cast<float>(target(random) / std::log2(static_cast<double>(x)));
    pairs.add(x, y);
  }
  expect_pairs("power", exact, pairs, 4);
  Pairs whole;
  for (int n = -64; n < 64; n++)
    for (float x = -8; x < 8; x += 0.125f) whole.add(x, n);
  expect_pairs("power", exact, whole, 4);
}

TEST(accuracy_of_arctan2) {
  const auto exact = [](double y, double x) { return std::atan2(y, x); };
  expect_pairs("arctan2", exact, all_pairs_of_specials(), 2);
  std::mt19937_64 random(2);
  std::uniform_real_distribution<float> exponent(-140, 127), ratio(-30, 30);
  Pairs pairs;
  while (pairs.x.size() < pair_count) {
    const float a = std::exp2(exponent(random)) * (random() & 1 ? 1 : -1);
    const float b =
        pairs.x.size() % 2 ? std::exp2(exponent(random)) : a * std::exp2(ratio(random) / 8);
    pairs.add(a, b * (random() & 1 ? 1 : -1));
  }
  expect_pairs("arctan2", exact, pairs, 2);
}

TEST(accuracy_of_logaddexp) {
  expect_pairs(
      "logaddexp", exact_logaddexp,
      [] {
        Pairs pairs;
        for (float a :
             {0.0f, 1.0f, -1.0f, 1e-45f, 100.0f, -100.0f, 3.4e38f, -3.4e38f, inf, -inf, nan_value})
          for (float b : {0.0f, 1.0f, 1e-45f, 100.0f, -200.0f, inf, -inf, nan_value})
            pairs.add(a, b);
        while (pairs.x.size() % 64) pairs.add(1.0f, 1.0f);
        return pairs;
      }(),
      2);
  // Where the sum of the two exponentials is near one the result is a difference: its error is
  // counted in units of the larger argument.
  std::mt19937_64 random(3);
  std::uniform_real_distribution<float> value(-90, 90), gap(0, 20);
  Pairs pairs;
  while (pairs.x.size() < pair_count) {
    const float x = value(random);
    pairs.add(x, x - gap(random));
  }
  std::vector<float> out(pairs.x.size());
  entry("logaddexp", "float32")
      .vector(pairs.x.data(), pairs.y.data(), nullptr, out.data(), out.size());
  double worst = 0;
  for (size_t i = 0; i < out.size(); i++) {
    const double e = exact_logaddexp(pairs.x[i], pairs.y[i]);
    const double scale = std::max({std::fabs(e), std::fabs(double(pairs.x[i])), 0.25});
    worst = std::max(worst, std::fabs(out[i] - e) / std::ldexp(1.0, std::ilogb(scale) - 23));
  }
  std::printf("%-4s %-11s %8.3f   in units of the larger argument\n", suite().isa, "logaddexp",
              worst);
  CHECK(worst <= 2);
}

TEST(remainder_is_exact) {
  std::mt19937_64 random(4);
  Pairs pairs = all_pairs_of_specials();
  while (pairs.x.size() < pair_count / 8) pairs.add(from_bits(random()), from_bits(random()));
  std::uniform_real_distribution<float> value(-1000, 1000);
  while (pairs.x.size() < pair_count / 2) pairs.add(value(random), value(random) / 100);
  for (int n = -64; n < 64; n++)
    for (int m = -64; m < 64; m++) pairs.add(n * 0.1f, m * 0.1f);
  while (pairs.x.size() % 64) pairs.add(1.0f, 1.0f);
  expect_pairs("remainder", exact_remainder, pairs, 0.5);
  expect_pairs(
      "floor_divide", [](double x, double y) { return double(std::floor(float(x) / float(y))); },
      pairs, 0);
}

// ---- scalars against vectors --------------------------------------------------------------------

size_t bytes_of(const std::string& dtype) {
  if (dtype == "bool_" || dtype == "int8" || dtype == "uint8") return 1;
  if (dtype == "int16" || dtype == "uint16") return 2;
  return dtype == "float64" || dtype == "complex64" || dtype == "int64" || dtype == "uint64" ? 8
                                                                                             : 4;
}

// Equal bits; one NaN is as good as another.
bool equal_bytes(const unsigned char* a, const unsigned char* b, const std::string& dtype,
                 size_t size) {
  if (!std::memcmp(a, b, size)) return true;
  if (dtype == "float64" && size == 8) {
    double x, y;
    std::memcpy(&x, a, 8);
    std::memcpy(&y, b, 8);
    return std::isnan(x) && std::isnan(y);
  }
  if (dtype != "float32" && dtype != "complex64") return false;
  for (size_t i = 0; i < size; i += 4) {
    float x, y;
    std::memcpy(&x, a + i, 4);
    std::memcpy(&y, b + i, 4);
    if (std::memcmp(&x, &y, 4) && !(std::isnan(x) && std::isnan(y))) return false;
  }
  return true;
}

std::vector<unsigned char> random_operand(const std::string& dtype, size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  const size_t size = bytes_of(dtype);
  std::vector<unsigned char> data(n * size);
  static const std::vector<float> special = special_values();
  std::uniform_real_distribution<double> value(-12, 12);
  for (size_t i = 0; i < n; i++) {
    const uint64_t bits = random();
    unsigned char* p = data.data() + i * size;
    if (dtype == "bool_") {
      *p = bits & 1;
    } else if (dtype == "float64") {
      const double x = bits & 8 ? value(random) : special[(bits >> 8) % special.size()];
      std::memcpy(p, &x, 8);
    } else if (dtype == "float32" || dtype == "complex64") {
      for (size_t k = 0; k < size; k += 4) {
        const uint64_t b = random();
        float x = static_cast<float>(value(random));
        if (b & 1) x = special[(b >> 8) % special.size()];
        if ((b & 7) == 2) x = from_bits(static_cast<uint32_t>(b >> 16));
        std::memcpy(p + k, &x, 4);
      }
    } else {
      uint64_t v = bits & (1ull << 60) ? bits >> (bits >> 58) : bits % 7 - 3;
      if (bits % 31 == 0) v = uint64_t{1} << (8 * size - 1);
      std::memcpy(p, &v, size);
    }
  }
  return data;
}

TEST(scalars_equal_vectors) {
  constexpr size_t n = 1 << 14;
  const Suite& s = suite();
  for (size_t k = 0; k < s.count; k++) {
    const Entry& e = s.entries[k];
    const std::string dtype = e.dtype;
    const bool mask = e.result[0] == 'b', real = e.result[0] == 'r' && dtype == "complex64";
    const size_t size = mask ? 1 : real ? 4 : bytes_of(dtype);
    const auto x = random_operand(dtype, n, 1), y = random_operand(dtype, n, 2),
               z = random_operand(dtype, n, 3);
    std::vector<unsigned char> a(n * size), b(n * size);
    e.scalar(x.data(), y.data(), z.data(), a.data(), n);
    e.vector(x.data(), y.data(), z.data(), b.data(), n);
    size_t wrong = 0, first = 0;
    for (size_t i = n; i-- > 0;)
      if (!equal_bytes(&a[i * size], &b[i * size],
                       mask   ? "bool_"
                       : real ? "float32"
                              : dtype,
                       size)) {
        wrong++;
        first = i;
      }
    if (wrong) {
      std::printf("%s of %s: %zu of %zu differ, first at %zu:", e.name, e.dtype, wrong, n, first);
      for (const auto& bytes : {x, y, a, b}) {
        const size_t width = bytes.size() / n;
        std::printf(" ");
        for (size_t i = width; i-- > 0;) std::printf("%02x", bytes[first * width + i]);
      }
      std::printf("\n");
    }
    CHECK_EQ(wrong, 0u);
  }
}

// ---- exact semantics ----------------------------------------------------------------------------

template <class T, class R = T>
std::vector<R> apply(const char* name, const char* dtype, std::vector<T> x, std::vector<T> y = {}) {
  const size_t n = x.size();
  x.resize(64, T(1));
  y.resize(64, T(1));
  std::vector<R> out(64);
  entry(name, dtype).vector(x.data(), y.data(), y.data(), out.data(), 64);
  out.resize(n);
  return out;
}
template <class T>
void expect(const char* name, const char* dtype, std::vector<T> x, std::vector<T> y,
            std::vector<T> result) {
  const auto got = apply<T>(name, dtype, x, y);
  for (size_t i = 0; i < got.size(); i++)
    if (std::memcmp(&got[i], &result[i], sizeof(T)) &&
        !(got[i] != got[i] && result[i] != result[i])) {
      std::printf("%s of %s, element %zu: %.9g, not %.9g\n", name, dtype, i, double(got[i]),
                  double(result[i]));
      CHECK(false);
    }
}

TEST(integer_division_rounds_down_and_never_traps) {
  constexpr int32_t low = INT32_MIN;
  const std::vector<int32_t> x = {7, -7, 7, -7, 0, low, 5, low, low, 0},
                             y = {2, 2, -2, -2, 5, 3, 0, -1, 0, -1};
  expect<int32_t>("floor_divide", "int32", x, y, {3, -4, -4, 3, 0, -715827883, 0, low, 0, 0});
  expect<int32_t>("remainder", "int32", x, y, {1, 1, -1, -1, 0, 1, 5, 0, low, 0});
  expect<int64_t>("floor_divide", "int64", {INT64_MIN, INT64_MIN, 9}, {-1, 0, -2},
                  {INT64_MIN, 0, -5});
  for (int a = -128; a < 128; a++)
    for (int b = -128; b < 128; b++) {
      const int8_t q = b == 0 ? 0 : static_cast<int8_t>(std::floor(double(a) / b));
      const int8_t r = b == 0 ? a : static_cast<int8_t>(a - b * std::floor(double(a) / b));
      expect<int8_t>("floor_divide", "int8", {int8_t(a)}, {int8_t(b)}, {q});
      expect<int8_t>("remainder", "int8", {int8_t(a)}, {int8_t(b)}, {r});
    }
  expect<uint16_t>("floor_divide", "uint16", {65535, 65535, 65534}, {65535, 0, 65535}, {1, 0, 0});
  expect<uint32_t>("floor_divide", "uint32", {4294967295u, 4294967294u}, {4294967295u, 4294967295u},
                   {1, 0});
}

TEST(integer_arithmetic_wraps) {
  expect<int32_t>("power", "int32", {2, -1, 0, 0, 1, 3, -2}, {-1, -2, -1, 0, -5, 40, 31},
                  {0, 0, 0, 1, 0, 689956897, INT32_MIN});
  expect<uint8_t>("power", "uint8", {2, 3}, {9, 200}, {0, 161});
  expect<uint16_t>("multiply", "uint16", {65535}, {65535}, {1});
  expect<int32_t>("abs", "int32", {INT32_MIN, -5}, {}, {INT32_MIN, 5});
  expect<int32_t>("add", "int32", {INT32_MAX}, {1}, {INT32_MIN});
  expect<int32_t>("left_shift", "int32", {1, 1, 1, -1}, {31, 32, -1, 1}, {INT32_MIN, 0, 0, -2});
  expect<int32_t>("right_shift", "int32", {-8, 8, -8, -8}, {1, 32, 40, -1}, {-4, 0, -1, -1});
  expect<uint8_t>("left_shift", "uint8", {1, 1, 255}, {7, 8, 9}, {128, 0, 0});
  expect<uint64_t>("right_shift", "uint64", {~0ull, ~0ull}, {63, 64}, {1, 0});
}

TEST(bools_stay_zero_or_one) {
  using B = uint8_t;
  const std::vector<B> x = {0, 1, 0, 1}, y = {0, 0, 1, 1};
  expect<B>("add", "bool_", x, y, {0, 1, 1, 1});
  expect<B>("subtract", "bool_", x, y, {0, 1, 1, 0});
  expect<B>("multiply", "bool_", x, y, {0, 0, 0, 1});
  expect<B>("power", "bool_", x, y, {1, 1, 0, 1});
  expect<B>("bitwise_invert", "bool_", x, y, {1, 0, 1, 0});
  expect<B>("less", "bool_", x, y, {0, 0, 1, 0});
  expect<B>("floor_divide", "bool_", x, y, {0, 0, 0, 1});
}

TEST(nan_zero_and_infinity) {
  using V = std::vector<float>;
  const V x = {nan_value, 1, 0.0f, -0.0f, inf}, y = {1, nan_value, -0.0f, 0.0f, -inf};
  expect<float>("maximum", "float32", x, y, {nan_value, nan_value, -0.0f, 0.0f, inf});
  expect<float>("minimum", "float32", x, y, {nan_value, nan_value, -0.0f, 0.0f, -inf});
  expect<float>("sign", "float32", {nan_value, 0.0f, -0.0f, 2, -inf}, {}, {0, 0, 0, 1, -1});
  expect<float>("remainder", "float32", {5, -5, 0.0f, -0.0f, 5.5f, -3, 1, inf},
                {inf, inf, -3, 3, -inf, 3, 0, 2},
                {5, inf, 0.0f, -0.0f, -inf, -0.0f, nan_value, nan_value});
  expect<float>("logaddexp", "float32", {inf, -inf, -inf, nan_value, inf},
                {inf, -inf, inf, 1, -inf}, {inf, -inf, inf, nan_value, inf});
  expect<float>("erfinv", "float32", {1, -1, 1.1f, -0.0f}, {}, {inf, -inf, nan_value, -0.0f});
  expect<float>("round", "float32", {0.5f, 1.5f, 2.5f, -0.5f, -1.5f}, {}, {0, 2, 2, -0.0f, -2});
  for (const char* odd : {"sin", "tan", "sinh", "tanh", "arcsin", "arctan", "arcsinh", "arctanh",
                          "erf", "expm1", "log1p"})
    expect<float>(
        odd, "float32", {-0.0f, 0.0f, 1e-45f, -1e-40f}, {},
        {-0.0f, 0.0f, 1e-45f, -1e-40f == 0 ? 0 : apply<float>(odd, "float32", {-1e-40f})[0]});
  expect<float>("exp", "float32", {-inf, -104, inf, 89}, {}, {0, 0, inf, inf});
  CHECK(apply<float>("exp", "float32", {-103})[0] > 0);
}

TEST(float64_functions) {
  for (const Bound& bound : unary_bounds)
    for (double x : {0.1, -0.7, 0.99, 1.5, 30.0}) {
      const double exact = bound.exact(x), got = apply<double>(bound.name, "float64", {x})[0];
      CHECK((std::isnan(exact) && std::isnan(got)) ||
            std::fabs(got - exact) <= 1e-14 * std::fabs(exact));
    }
  const double far = apply<double>("erfinv", "float64", {1 - 1e-15})[0];
  CHECK_NEAR(std::erfc(far) / (1e-15), (1 - (1 - 1e-15)) / 1e-15, 1e-12);
}

// ---- conversions --------------------------------------------------------------------------------

#if defined(__aarch64__)
using Half = __fp16;  // g++ 12 has no _Float16 there
#else
using Half = _Float16;
#endif

TEST(sixteen_bit_floats_round_to_nearest_even) {
  std::vector<float> xs = special_values();
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4999)
    xs.push_back(from_bits(static_cast<uint32_t>(bits)));
  for (uint32_t h = 0; h < 65536; h++)  // around every float16 and bfloat16 and half way between
    for (uint32_t low : {0u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
      xs.push_back(from_bits(h << 16 | low));
      xs.push_back(from_bits(((h & 0x8000) << 16) | (((h & 0x7fff) << 13) + 0x38000000 + low)));
    }
  while (xs.size() % 64) xs.push_back(0.0f);
  std::vector<float> f16(xs.size()), bf16(xs.size()), through16(xs.size()), throughb(xs.size());
  entry("round_f16", "float32").vector(xs.data(), nullptr, nullptr, f16.data(), xs.size());
  entry("round_bf16", "float32").vector(xs.data(), nullptr, nullptr, bf16.data(), xs.size());
  entry("through_f16", "float32").vector(xs.data(), nullptr, nullptr, through16.data(), xs.size());
  entry("through_bf16", "float32").vector(xs.data(), nullptr, nullptr, throughb.data(), xs.size());
  size_t wrong = 0;
  const auto same = [](float a, float b) {
    return (std::isnan(a) && std::isnan(b)) || !std::memcmp(&a, &b, 4);
  };
  for (size_t i = 0; i < xs.size(); i++) {
    const float x = xs[i], want16 = static_cast<float>(static_cast<Half>(x));
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    const float want_b =
        std::isnan(x) ? x : from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
    if (same(f16[i], want16) && same(through16[i], want16) && same(bf16[i], want_b) &&
        same(throughb[i], want_b))
      continue;
    if (!wrong++)
      std::printf("%a: f16 %a %a, bf16 %a %a\n", x, f16[i], through16[i], bf16[i], throughb[i]);
  }
  CHECK_EQ(wrong, 0u);
}

TEST(floats_to_integers) {
  const auto ints = [](const char* name, std::vector<float> x) {
    const auto bits = apply<float>(name, "float32", std::move(x));
    std::vector<int32_t> out(bits.size());
    std::memcpy(out.data(), bits.data(), 4 * bits.size());
    return out;
  };
  const std::vector<float> x = {nan_value, inf,    -inf, 3e9f,         -3e9f,
                                -1.9f,     255.9f, -1,   2147483520.0f};
  constexpr int32_t low = INT32_MIN;
  CHECK(ints("signed_bits", x) ==
        std::vector<int32_t>{low, low, low, low, low, -1, 255, -1, 2147483520});
  CHECK(ints("unsigned_bits", x) ==
        std::vector<int32_t>{low, 0, low, int32_t(3000000000u), low, -1, 255, -1, 2147483520});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && !std::strcmp(argv[1], "--all")) {
    stride = 1;
    if (argc > 2) only = argv[2];
    argv[1] = const_cast<char*>("accuracy_of_one_argument");
    argc = 2;
  }
  return mlxk_check::run(argc, argv);
}
