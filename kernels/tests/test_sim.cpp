// The simulator itself, and every elementwise kernel of CUDA and Metal in it against the CPU's.
#include "sim/kernels.h"

#include <cstdlib>
#include <limits>
#include <string>

#include "elementwise.h"
#include "mlxk/elementwise.h"
#include "mlxk/error.h"

namespace {

using sim::Extent;
using sim::LaneEntry;
using sim::Launch;
using sim::Order;

const Order orders[] = {Order::ascending, Order::descending, Order::random};
const char* shown(Order order) {
  return order == Order::ascending    ? "ascending"
         : order == Order::descending ? "descending"
                                      : "random";
}

// ---- the engine ---------------------------------------------------------------------------------

struct BlockSum {
  const char* name;
  LaneEntry entry;
};
const BlockSum block_sums[] = {{"cuda", sim::cuda_block_sum}, {"metal", sim::metal_block_sum}};

TEST(block_sums_by_shuffles_and_barriers) {
  for (const BlockSum& kernel : block_sums)
    for (const Order order : orders)
      for (const uint32_t block : {32u, 64u, 256u}) {
        const int size = 600;
        const uint32_t blocks = (size + block - 1) / block;
        std::vector<float> x(size), sums(blocks, NAN);
        for (int i = 0; i < size; i++) x[i] = static_cast<float>(i % 17 - 5);
        void* const buffers[] = {sums.data(), x.data()};
        sim::run({{blocks}, {block}, order, 11}, [&] { kernel.entry(buffers, &size); });
        for (uint32_t b = 0; b < blocks; b++) {
          float expected = 0;
          for (uint32_t i = b * block; i < (b + 1) * block && i < x.size(); i++) expected += x[i];
          CHECK_EQ(sums[b], expected);
        }
      }
}

// Reverses a block through shared memory, with or without the barrier.
std::vector<int> reversed(Order order, bool with_barrier) {
  static const char site = 0;
  std::vector<int> out(64);
  sim::run({{}, {64}, order, 3}, [&] {
    int* const shared = static_cast<int*>(sim::shared_memory(&site, 64 * sizeof(int)));
    const uint32_t i = sim::this_lane().index;
    shared[i] = static_cast<int>(i);
    if (with_barrier) sim::wait_for_block(1);
    out[i] = shared[63 - i];
  });
  return out;
}

TEST(a_missing_barrier_shows) {
  for (const Order order : orders) {
    const std::vector<int> right = reversed(order, true), wrong = reversed(order, false);
    int poisoned = 0;
    for (int i = 0; i < 64; i++) {
      CHECK_EQ(right[i], 63 - i);
      poisoned += wrong[i] == -1;
    }
    CHECK(poisoned > 0);
  }
}

TEST(shared_memory_is_poisoned_for_each_block) {
  static const char site = 0;
  int poisoned = 0;
  sim::run({{3, 2}, {8}}, [&] {
    float* const shared = static_cast<float*>(sim::shared_memory(&site, 8 * sizeof(float)));
    poisoned += std::isnan(shared[sim::this_lane().index]);
    shared[sim::this_lane().index] = 1;
  });
  CHECK_EQ(poisoned, 3 * 2 * 8);
}

TEST(positions_cover_the_launch) {
  std::vector<int> seen(2 * 3 * 5 * 4);
  sim::run({{2, 3}, {5, 2, 2}, Order::random, 1}, [&] {
    const sim::Lane& lane = sim::this_lane();
    const uint32_t block = lane.block.x + 2 * lane.block.y;
    CHECK_EQ(lane.index, lane.thread.x + 5 * (lane.thread.y + 2 * lane.thread.z));
    seen[block * 20 + lane.index]++;
  });
  for (const int count : seen) CHECK_EQ(count, 1);
}

TEST(an_exchange_brings_the_words_of_the_group) {
  for (const Order order : orders)
    sim::run({{}, {40}, order, 9}, [&] {
      const sim::Lane& lane = sim::this_lane();
      for (uint64_t round = 0; round < 3; round++) {
        const sim::Exchanged all = sim::exchange(100 * round + lane.index, 1);
        CHECK_EQ(all.count, lane.simd_group() == 0 ? 32u : 8u);
        for (uint32_t i = 0; i < all.count; i++)
          CHECK_EQ(all.words[i], 100 * round + lane.simd_group() * 32 + i);
      }
    });
}

TEST(lanes_that_never_meet_are_named) {
  CHECK_THROWS(Error,
               "[sim] lane 0 waits for its block at line 7, lane 63 has ended: they never meet.",
               sim::run({{}, {64}}, [] {
                 if (sim::this_lane().index < 32) sim::wait_for_block(7);
               }));
  CHECK_THROWS(Error, "lane 0 waits for its group at line 1, lane 31 waits for its group at line 2",
               sim::run({{}, {32}}, [] { sim::exchange(0, sim::this_lane().index % 2 ? 2 : 1); }));
  CHECK_THROWS(Error, "lane 0 waits for its block at line 3, lane 9 waits for its group at line 4",
               sim::run({{}, {10}}, [] {
                 if (sim::this_lane().index % 2)
                   sim::exchange(0, 4);
                 else
                   sim::wait_for_block(3);
               }));
}

// ---- arguments ----------------------------------------------------------------------------------

Tensor viewed(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  Tensor t;
  t.shape = shape.data();
  t.strides = strides.data();
  t.ndim = static_cast<int32_t>(shape.size());
  t.size = 1;
  for (const int64_t n : shape) t.size *= n;
  return t;
}

TEST(axes_are_merged_where_nothing_changes) {
  const std::vector<int64_t> shape = {4, 1, 5, 6};
  const Tensor out = viewed(shape, shape);
  const std::vector<int64_t> contiguous = {30, 30, 6, 1}, all_one = {0, 0, 0, 0},
                             rows = {60, 7, 12, 2}, column = {1, 0, 4, 20};
  const Tensor flat[] = {viewed(shape, contiguous), viewed(shape, all_one)};
  ElementwiseArguments a = elementwise_arguments(flat, 2, out);
  CHECK_EQ(a.size, 120);
  CHECK_EQ(a.axis_count, 1);
  CHECK_EQ(a.shape[0], 120);
  CHECK_EQ(a.strides[0][0], 1);
  CHECK_EQ(a.strides[1][0], 0);
  const Tensor gapped[] = {viewed(shape, rows)};
  a = elementwise_arguments(gapped, 1, out);
  CHECK_EQ(a.axis_count, 1);
  CHECK_EQ(a.strides[0][0], 2);
  const Tensor turned[] = {viewed(shape, contiguous), viewed(shape, column)};
  a = elementwise_arguments(turned, 2, out);
  CHECK_EQ(a.axis_count, 3);
  CHECK_EQ(a.shape[1], 5);
  CHECK_EQ(a.strides[1][2], 20);
  const Tensor scalar = viewed({}, {});
  a = elementwise_arguments(&scalar, 1, scalar);
  CHECK_EQ(a.size, 1);
  CHECK_EQ(a.axis_count, 0);
}

TEST(too_many_axes_are_refused) {
  const std::vector<int64_t> shape(17, 2);
  std::vector<int64_t> strides(17);
  for (int k = 0; k < 17; k++) strides[k] = k % 2;
  const Tensor t = viewed(shape, strides);
  CHECK_THROWS(Error, "[elementwise] a GPU kernel takes at most 16 axes",
               elementwise_arguments(&t, 1, t));
}

TEST(wide_and_narrow_indices_agree) {
  const std::vector<int64_t> shape = {4, 5, 6}, x = {1, 4, 20}, y = {0, -6, 2};
  const Tensor in[] = {viewed(shape, x), viewed(shape, y)};
  ElementwiseArguments a = elementwise_arguments(in, 2, viewed(shape, shape));
  for (int64_t i = 0; i < a.size; i++) {
    const int64_t u = i / 30, v = i / 6 % 5, w = i % 6;
    const auto narrow = sc::places_of<sc::uint32, 2>(a, static_cast<sc::uint32>(i));
    const auto wide = sc::places_of<sc::uint64, 2>(a, static_cast<sc::uint64>(i));
    CHECK_EQ(narrow.at[0], u + 4 * v + 20 * w);
    CHECK_EQ(narrow.at[1], -6 * v + 2 * w);
    CHECK_EQ(wide.at[0], narrow.at[0]);
    CHECK_EQ(wide.at[1], narrow.at[1]);
  }
  // Beyond 2^31 elements only the wide index is used.
  a.shape[0] = int64_t{1} << 36;
  a.size = 30 * a.shape[0];
  CHECK_EQ(sc::locate<2>(a, a.size - 1).at[0], a.shape[0] - 1 + 4 * 4 + 20 * 5);
}

// ---- elementwise --------------------------------------------------------------------------------

struct Gpu {
  const char* name;
  LaneEntry (*elementwise)(uint16_t formula, Dtype dtype);
  bool has_float64;
};
const Gpu gpus[] = {{"cuda", sim::cuda_elementwise, true},
                    {"metal", sim::metal_elementwise, false}};

const uint16_t formula_count = [] {
  uint16_t count = 0;
#define MLXK_UNARY(...) count++;
#define MLXK_BINARY(...) count++;
#define MLXK_TERNARY(...) count++;
#include "scalar/unary.def"

#include "scalar/binary.def"

#include "scalar/ternary.def"
  return count;
}();

bool covers(const ScalarFormula& formula, Dtype d) {
  const char c = d == Dtype::bool_  ? 'B'
                 : is_unsigned(d)   ? 'U'
                 : is_signed_int(d) ? 'I'
                 : is_floating(d)   ? 'F'
                                    : 'C';
  return std::strchr(formula.classes, c) != nullptr;
}
bool selects(const ScalarFormula& formula) { return !std::strcmp(formula.name, "where"); }
Dtype result_of(const ScalarFormula& formula, Dtype d) {
  if (!std::strcmp(formula.result, "bool_")) return Dtype::bool_;
  return !std::strcmp(formula.result, "real") && d == Dtype::complex64 ? Dtype::float32 : d;
}

// Where the CPU kernels have a fused multiply-add, as every GPU does, results are equal bit for
// bit.
bool cpu_fuses() {
#if defined(__x86_64__)
  const char* const isa = std::getenv("MLXK_ISA");
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         !(isa && !std::strcmp(isa, "v2"));
#else
  return true;
#endif
}

double real_at(Dtype d, const char* from) {
  if (d == Dtype::float64) {
    double value;
    std::memcpy(&value, from, 8);
    return value;
  }
  if (itemsize(d) == 2) {
    uint16_t bits;
    std::memcpy(&bits, from, 2);
    return half_to_float(bits, d);
  }
  float value;
  std::memcpy(&value, from, 4);
  return value;
}
// Any NaN is as good as another.
bool same_real(Dtype d, const char* a, const char* b) {
  return !std::memcmp(a, b, itemsize(d)) ||
         (std::isnan(real_at(d, a)) && std::isnan(real_at(d, b)));
}
bool near(double a, double b, double tolerance) {
  return a == b || (std::isnan(a) && std::isnan(b)) ||
         std::fabs(a - b) <= tolerance * std::fabs(b) + 1e-43;
}
bool agree(Dtype d, const char* a, const char* b) {
  if (!is_inexact(d)) return !std::memcmp(a, b, itemsize(d));
  const Dtype part = is_complex(d) ? Dtype::float32 : d;
  const size_t imaginary = is_complex(d) ? 4 : 0;
  if (same_real(part, a, b) && same_real(part, a + imaginary, b + imaginary)) return true;
  if (cpu_fuses()) return false;
  const double x[] = {real_at(part, a), real_at(part, a + imaginary)};
  const double y[] = {real_at(part, b), real_at(part, b + imaginary)};
  if (is_complex(d) && std::isfinite(x[0] + x[1] + y[0] + y[1]))
    return std::hypot(x[0] - y[0], x[1] - y[1]) <= 1e-4 * std::hypot(y[0], y[1]) + 1e-37;
  const double tolerance = is_complex(d) ? 1e-4 : itemsize(d) == 2 ? 8e-3 : 1e-6;
  return near(x[0], y[0], tolerance) && near(x[1], y[1], tolerance);
}

const std::vector<int64_t> shape = {4, 5, 6};
enum class Layout { contiguous, strided, broadcast };
const Layout layouts[] = {Layout::contiguous, Layout::strided, Layout::broadcast};
const char* shown(Layout layout) {
  return layout == Layout::contiguous ? "contiguous"
         : layout == Layout::strided  ? "strided"
                                      : "broadcast";
}

Array laid_out(Dtype d, Layout layout, int k) {
  Array a = random_array(d, {4, 5, 12});  // twice the elements, so that gaps fit
  a.shape = shape;
  if (layout == Layout::contiguous) {
    a.strides = {30, 6, 1};
  } else if (layout == Layout::strided) {
    if (k == 0) a.strides = {1, 4, 20};
    if (k == 1) a.strides = {60, 12, -2}, a.offset = 10;
    if (k == 2) a.strides = {-60, 12, 1}, a.offset = 180;
  } else {
    if (k == 0) a.strides = {0, 6, 1};
    if (k == 1) a.strides = {1, 0, 4};
    if (k == 2) a.strides = {0, 0, 0}, a.offset = 7;
  }
  return a;
}

std::vector<char> by_cpu(uint16_t formula, Dtype d, const std::vector<Tensor>& in) {
  const Dtype result = result_of(scalar_formula(formula), d);
  Array out(result, shape);
  Chain chain;
  std::vector<FusedArg> args;
  for (size_t k = 0; k < in.size(); k++) {
    chain.inputs.push_back(in[k].dtype);
    args.push_back(input(static_cast<int>(k)));
  }
  chain.outputs = {result};
  chain.steps = {step(formula, d, result, args, 0)};
  chain.run(in, {out.tensor()});
  return out.bytes;
}

std::vector<char> by_gpu(LaneEntry entry, Dtype result, const std::vector<Tensor>& in,
                         Order order) {
  constexpr size_t guard = 64;
  Array out(result, shape);
  const size_t bytes = out.bytes.size();
  out.bytes.resize(bytes + guard, 0x5a);
  const ElementwiseArguments arguments =
      elementwise_arguments(in.data(), static_cast<int>(in.size()), out.tensor());
  std::vector<void*> buffers = {out.bytes.data()};
  for (const Tensor& t : in) buffers.push_back(t.data);
  // Fewer lanes than elements: each takes several.
  sim::run({{2}, {32}, order, 5}, [&] { entry(buffers.data(), &arguments); });
  for (size_t i = bytes; i < out.bytes.size(); i++) CHECK_EQ(out.bytes[i], 0x5a);
  out.bytes.resize(bytes);
  return out.bytes;
}

void compare(const Gpu& gpu, uint16_t index, Dtype d, Layout layout) {
  const ScalarFormula& formula = scalar_formula(index);
  std::vector<Array> arrays;
  for (int k = 0; k < formula.arity; k++)
    arrays.push_back(laid_out(selects(formula) && k == 0 ? Dtype::bool_ : d, layout, k));
  std::vector<Tensor> in;
  for (Array& a : arrays) in.push_back(a.tensor());
  const Dtype result = result_of(formula, d);
  const std::vector<char> expected = by_cpu(index, d, in);
  for (const Order order : orders) {
    const std::vector<char> got = by_gpu(gpu.elementwise(index, d), result, in, order);
    int wrong = 0;
    for (size_t i = 0; i < got.size(); i += itemsize(result))
      wrong += !agree(result, got.data() + i, expected.data() + i);
    if (wrong)
      mlxk_check::fail(__FILE__, __LINE__,
                       std::string(gpu.name) + " " + formula.name + " " + name(d) + " " +
                           shown(layout) + " " + shown(order) + ": " + std::to_string(wrong) +
                           " of 120 wrong");
  }
}

TEST(every_formula_has_a_kernel_of_every_dtype_of_its_classes) {
  for (const Gpu& gpu : gpus)
    for (uint16_t f = 0; f < formula_count; f++)
      for (int i = 0; i < dtype_count; i++) {
        const Dtype d = static_cast<Dtype>(i);
        const bool wanted =
            covers(scalar_formula(f), d) && (gpu.has_float64 || d != Dtype::float64);
        CHECK_EQ(gpu.elementwise(f, d) != nullptr, wanted);
      }
}

void compare_all(const Gpu& gpu, Layout layout) {
  for (uint16_t f = 0; f < formula_count; f++)
    for (int i = 0; i < dtype_count; i++)
      if (gpu.elementwise(f, static_cast<Dtype>(i))) compare(gpu, f, static_cast<Dtype>(i), layout);
}
TEST(cuda_kernels_on_contiguous_inputs) { compare_all(gpus[0], layouts[0]); }
TEST(cuda_kernels_on_strided_inputs) { compare_all(gpus[0], layouts[1]); }
TEST(cuda_kernels_on_broadcast_inputs) { compare_all(gpus[0], layouts[2]); }
TEST(metal_kernels_on_contiguous_inputs) { compare_all(gpus[1], layouts[0]); }
TEST(metal_kernels_on_strided_inputs) { compare_all(gpus[1], layouts[1]); }
TEST(metal_kernels_on_broadcast_inputs) { compare_all(gpus[1], layouts[2]); }

TEST(empty_and_0d_outputs) {
  for (const Gpu& gpu : gpus) {
    const uint16_t add = scalar_formula("add");
    const LaneEntry entry = gpu.elementwise(add, Dtype::float32);
    float x = 1.5f, y = 2.0f, out = -1;
    void* const buffers[] = {&out, &x, &y};
    const std::vector<int64_t> none = {3, 0}, steps = {0, 1};
    const Tensor empty[] = {viewed(none, steps), viewed(none, steps)};
    ElementwiseArguments a = elementwise_arguments(empty, 2, empty[0]);
    sim::run({{1}, {32}}, [&] { entry(buffers, &a); });
    CHECK_EQ(out, -1.0f);
    const Tensor scalars[] = {viewed({}, {}), viewed({}, {})};
    a = elementwise_arguments(scalars, 2, scalars[0]);
    sim::run({{1}, {32}}, [&] { entry(buffers, &a); });
    CHECK_EQ(out, 3.5f);
  }
}

TEST(any_byte_but_zero_is_true) {
  for (const Gpu& gpu : gpus) {
    const LaneEntry entry = gpu.elementwise(scalar_formula("bitwise_and"), Dtype::bool_);
    const unsigned char x[4] = {0, 1, 2, 255}, y[4] = {1, 4, 1, 255};
    unsigned char out[4] = {9, 9, 9, 9};
    void* const buffers[] = {out, const_cast<unsigned char*>(x), const_cast<unsigned char*>(y)};
    const std::vector<int64_t> four = {4}, one = {1};
    const Tensor in[] = {viewed(four, one), viewed(four, one)};
    const ElementwiseArguments a = elementwise_arguments(in, 2, in[0]);
    sim::run({{1}, {32}}, [&] { entry(buffers, &a); });
    CHECK_EQ(std::string(out, out + 4), std::string("\0\1\1\1", 4));
  }
}

}  // namespace

TEST_MAIN()
