// The elementwise machine: every formula on every dtype against the scalar formula, chains against
// their single steps.
//
// Formulas are exact here up to contraction: integers, bools and values of the machine itself must
// agree bit for bit, floats with a scalar loop compiled for another instruction set within a few
// ulps.
#include <pthread.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "elementwise.h"
#include "mlxk/threads.h"
#include "scalar/formulas.h"

namespace {

// ---- the scalar formulas ------------------------------------------------------------------------

using Reference = void (*)(const char* x, const char* y, const char* z, char* out);

template <class T> T item(const char* from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}
template <class R> void set_item(char* to, R value) { memcpy(to, &value, sizeof value); }

struct Row {
  const char* name;
  int arity;
  const char* result;
  Reference run[dtype_count];
};
#define ROW_AT(dtype) row.run[static_cast<int>(Dtype::dtype)]
#define FILL_1(T, d, name)                                             \
  ROW_AT(d) = [](const char* x, const char*, const char*, char* out) { \
    set_item(out, sc::op_##name::apply(item<T>(x)));                   \
  };
#define FILL_2(T, d, name)                                               \
  ROW_AT(d) = [](const char* x, const char* y, const char*, char* out) { \
    set_item(out, sc::op_##name::apply(item<T>(x), item<T>(y)));         \
  };
#define FILL_3(T, d, name)                                                       \
  ROW_AT(d) = [](const char* x, const char* y, const char* z, char* out) {       \
    constexpr bool selects = std::string_view(#name) == "where";                 \
    using First = typename std::conditional<selects, bool, T>::type;             \
    set_item(out, sc::op_##name::apply(item<First>(x), item<T>(y), item<T>(z))); \
  };
#define MLXK_UNARY(name, classes, result, ...)            \
  {                                                       \
    Row row{#name, 1, #result, {}};                       \
    MLXK_FOR_##classes(FILL_1, name) rows.push_back(row); \
  }
#define MLXK_BINARY(name, classes, result, ...)           \
  {                                                       \
    Row row{#name, 2, #result, {}};                       \
    MLXK_FOR_##classes(FILL_2, name) rows.push_back(row); \
  }
#define MLXK_TERNARY(name, classes, result, ...)          \
  {                                                       \
    Row row{#name, 3, #result, {}};                       \
    MLXK_FOR_##classes(FILL_3, name) rows.push_back(row); \
  }
const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> rows;
#include "scalar/unary.def"

#include "scalar/binary.def"

#include "scalar/ternary.def"
    return rows;
  }();
  return all;
}

Dtype result_dtype(const Row& row, Dtype d) {
  if (!strcmp(row.result, "bool_")) return Dtype::bool_;
  return !strcmp(row.result, "real") && d == Dtype::complex64 ? Dtype::float32 : d;
}
bool defined(const Row& row, Dtype d) {
  return row.run[static_cast<int>(compute_dtype(d))] != nullptr;
}
bool selects(const Row& row) { return !strcmp(row.name, "where"); }

// One element through the scalar formula, halves by way of float.
void reference(const Row& row, Dtype d, const char* const* in, char* out) {
  char wide[3][8] = {}, result[8] = {};
  for (int j = 0; j < row.arity; j++) {
    if (itemsize(d) == 2 && is_inexact(d) && !(selects(row) && j == 0))
      set_item(wide[j], half_to_float(item<uint16_t>(in[j]), d));
    else
      memcpy(wide[j], in[j], selects(row) && j == 0 ? 1 : itemsize(d));
  }
  row.run[static_cast<int>(compute_dtype(d))](wide[0], wide[1], wide[2], result);
  const Dtype r = result_dtype(row, d);
  if (itemsize(r) == 2 && is_inexact(r))
    set_item(out, float_to_half(item<float>(result), r));
  else
    memcpy(out, result, itemsize(r));
}

bool near(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  return std::fabs(a - b) <= tolerance * std::fmax(std::fabs(a), std::fabs(b)) + 1e-43;
}
bool agrees(Dtype d, const char* a, const char* b) {
  switch (d) {
    case Dtype::float32: return near(item<float>(a), item<float>(b), 1e-6);
    case Dtype::float64: return near(item<double>(a), item<double>(b), 1e-14);
    case Dtype::float16:
      return near(half_to_float(item<uint16_t>(a), d), half_to_float(item<uint16_t>(b), d), 1e-3);
    case Dtype::bfloat16:
      return near(half_to_float(item<uint16_t>(a), d), half_to_float(item<uint16_t>(b), d), 8e-3);
    case Dtype::complex64: {
      const float x[2] = {item<float>(a), item<float>(a + 4)},
                  y[2] = {item<float>(b), item<float>(b + 4)};
      if (std::isfinite(x[0]) && std::isfinite(x[1]) && std::isfinite(y[0]) && std::isfinite(y[1]))
        return std::hypot(x[0] - y[0], x[1] - y[1]) <= 1e-4f * std::hypot(y[0], y[1]) + 1e-37f;
      return near(x[0], y[0], 1e-4) && near(x[1], y[1], 1e-4);
    }
    default: return !memcmp(a, b, itemsize(d));
  }
}
// Bits, but any NaN is as good as another.
bool identical(Dtype d, const char* a, const char* b) {
  if (!memcmp(a, b, itemsize(d))) return true;
  if (d == Dtype::float32) return std::isnan(item<float>(a)) && std::isnan(item<float>(b));
  if (d == Dtype::float64) return std::isnan(item<double>(a)) && std::isnan(item<double>(b));
  if (itemsize(d) == 2 && is_inexact(d))
    return std::isnan(half_to_float(item<uint16_t>(a), d)) &&
           std::isnan(half_to_float(item<uint16_t>(b), d));
  if (d == Dtype::complex64)
    return identical(Dtype::float32, a, b) && identical(Dtype::float32, a + 4, b + 4);
  return false;
}

template <class Test>
void compare(Dtype d, const std::vector<char>& got, const std::vector<char>& expected,
             const std::string& what, const Test& test) {
  CHECK_EQ(got.size(), expected.size());
  int64_t wrong = 0, first = -1;
  for (size_t i = 0; i < got.size(); i += itemsize(d)) {
    if (test(d, got.data() + i, expected.data() + i)) continue;
    if (!wrong++) first = static_cast<int64_t>(i / itemsize(d));
  }
  if (wrong) {
    mlxk_check::fail(__FILE__, __LINE__,
                     what + ": " + std::to_string(wrong) + " of " +
                         std::to_string(got.size() / itemsize(d)) + " wrong, first at " +
                         std::to_string(first));
  }
}

// The results of one formula by the machine.
std::vector<char> by_machine(const Row& row, uint16_t formula, Dtype d, std::vector<Array>& in) {
  Chain chain;
  std::vector<FusedArg> args;
  std::vector<Tensor> tensors;
  for (int j = 0; j < row.arity; j++) {
    chain.inputs.push_back(in[j].dtype);
    args.push_back(input(j));
    tensors.push_back(in[j].tensor());
  }
  const Dtype r = result_dtype(row, d);
  chain.outputs = {r};
  chain.steps = {step(formula, d, r, args, 0)};
  Array out(r, in[0].shape);
  chain.run(tensors, {out.tensor()});
  return out.bytes;
}

}  // namespace

TEST(every_formula_on_every_dtype) {
  uint16_t formula = 0;
  for (const Row& row : rows()) {
    CHECK_EQ(scalar_formula(row.name), formula);
    for (int t = 0; t < dtype_count; t++) {
      const Dtype d = static_cast<Dtype>(t);
      if (!defined(row, d)) continue;
      const int64_t n = 64 * 9 + 13;
      std::vector<Array> in;
      for (int j = 0; j < row.arity; j++)
        in.push_back(random_array(selects(row) && j == 0 ? Dtype::bool_ : d, {n}));
      const std::vector<char> got = by_machine(row, formula, d, in);
      const Dtype r = result_dtype(row, d);
      std::vector<char> expected(got.size());
      for (int64_t i = 0; i < n; i++) {
        const char* items[3] = {};
        for (int j = 0; j < row.arity; j++)
          items[j] = in[j].bytes.data() + i * itemsize(in[j].dtype);
        reference(row, d, items, expected.data() + i * itemsize(r));
      }
      compare(r, got, expected, std::string(row.name) + " on " + name(d), agrees);
    }
    formula++;
  }
}

namespace {

template <class To, class From> To cast_value(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // As x86 converts: through int32 for narrow types, int64 for uint32's and wider ones' lower
    // halves.
    const double v = x;
    const auto to32 = [](double w) -> int64_t {
      return w > -2147483649.0 && w < 2147483648.0 ? static_cast<int64_t>(w) : INT32_MIN;
    };
    const auto to64 = [](double w) {
      return w >= -0x1p63 && w < 0x1p63 ? static_cast<int64_t>(w) : INT64_MIN;
    };
    if constexpr (sizeof(To) < 4 || std::is_same_v<To, int32_t>) {
      return static_cast<To>(to32(v));
    } else if constexpr (std::is_same_v<To, uint32_t>) {
      return static_cast<To>(v >= 0x1p31 ? to32(v - 0x1p31) ^ int64_t{INT32_MIN} : to32(v));
    } else if constexpr (std::is_same_v<To, int64_t>) {
      return to64(v);
    } else {
      return static_cast<To>(v >= 0x1p63 ? to64(v - 0x1p63) ^ INT64_MIN : to64(v));
    }
  } else {
    return static_cast<To>(x);
  }
}

template <class To> To cast_item(Dtype from, const char* x) {
  switch (from) {
    case Dtype::bool_: return cast_value<To>(static_cast<uint8_t>(*x != 0));
    case Dtype::uint8: return cast_value<To>(item<uint8_t>(x));
    case Dtype::uint16: return cast_value<To>(item<uint16_t>(x));
    case Dtype::uint32: return cast_value<To>(item<uint32_t>(x));
    case Dtype::uint64: return cast_value<To>(item<uint64_t>(x));
    case Dtype::int8: return cast_value<To>(item<int8_t>(x));
    case Dtype::int16: return cast_value<To>(item<int16_t>(x));
    case Dtype::int32: return cast_value<To>(item<int32_t>(x));
    case Dtype::int64: return cast_value<To>(item<int64_t>(x));
    case Dtype::float64: return cast_value<To>(item<double>(x));
    case Dtype::complex64:
      if (std::is_same_v<To, bool>)
        return cast_value<To>(item<float>(x) != 0 || item<float>(x + 4) != 0);
      return cast_value<To>(item<float>(x));
    case Dtype::float32: return cast_value<To>(item<float>(x));
    default: return cast_value<To>(half_to_float(item<uint16_t>(x), from));
  }
}

void cast_reference(Dtype from, Dtype to, const char* x, char* out) {
  switch (to) {
    case Dtype::bool_: return set_item(out, cast_item<bool>(from, x));
    case Dtype::uint8: return set_item(out, cast_item<uint8_t>(from, x));
    case Dtype::uint16: return set_item(out, cast_item<uint16_t>(from, x));
    case Dtype::uint32: return set_item(out, cast_item<uint32_t>(from, x));
    case Dtype::uint64: return set_item(out, cast_item<uint64_t>(from, x));
    case Dtype::int8: return set_item(out, cast_item<int8_t>(from, x));
    case Dtype::int16: return set_item(out, cast_item<int16_t>(from, x));
    case Dtype::int32: return set_item(out, cast_item<int32_t>(from, x));
    case Dtype::int64: return set_item(out, cast_item<int64_t>(from, x));
    case Dtype::float32: return set_item(out, cast_item<float>(from, x));
    case Dtype::float64: return set_item(out, cast_item<double>(from, x));
    case Dtype::complex64:
      set_item(out, from == Dtype::complex64 ? item<float>(x) : cast_item<float>(from, x));
      return set_item(out + 4, from == Dtype::complex64 ? item<float>(x + 4) : 0.0f);
    default: return set_item(out, float_to_half(cast_item<float>(from, x), to));
  }
}

}  // namespace

TEST(every_cast) {
  static const double edges[] = {1.7,       -1.7, 300,    -300,    70000,  -70000, 3e9,  -3e9,
                                 5e9,       1e10, 1e19,   -1e19,   1e20,   2.5,    -0.5, INFINITY,
                                 -INFINITY, NAN,  0x1p31, -0x1p31, 0x1p63, 0x1p24};
  for (int f = 0; f < dtype_count; f++) {
    for (int t = 0; t < dtype_count; t++) {
      const Dtype from = static_cast<Dtype>(f), to = static_cast<Dtype>(t);
      Array in = random_array(from, {500});
      if (is_inexact(from)) {
        for (int i = 0; i < 22; i++) {
          const float value = static_cast<float>(edges[i]);
          char* const at = in.bytes.data() + i * itemsize(from);
          if (from == Dtype::float64)
            set_item(at, edges[i]);
          else if (itemsize(from) == 2)
            set_item(at, float_to_half(value, from));
          else
            set_item(at, value);
        }
      }
      Array out(to, {500});
      Chain chain;
      chain.inputs = {from};
      chain.outputs = {to};
      chain.steps = {step(fused_cast, from, to, {input(0)}, 0)};
      chain.run({in.tensor()}, {out.tensor()});
      std::vector<char> expected(out.bytes.size());
      for (int i = 0; i < 500; i++)
        cast_reference(from, to, in.bytes.data() + i * itemsize(from),
                       expected.data() + i * itemsize(to));
      compare(to, out.bytes, expected, std::string(name(from)) + " to " + name(to), identical);
    }
  }
}

namespace {

// A random chain, and its value step by step through chains of one.
struct Drawn {
  Chain chain;
  std::vector<Array> inputs;
};

template <class Rng>
Drawn draw_chain(Rng& rng, int length, const std::vector<int64_t>& shape,
                 const std::vector<Dtype>& dtypes) {
  Drawn drawn;
  const int input_count = 1 + rng() % 4, immediate_count = rng() % 3;
  for (int k = 0; k < input_count; k++) {
    drawn.inputs.push_back(random_array(dtypes[rng() % dtypes.size()], shape));
    drawn.chain.inputs.push_back(drawn.inputs.back().dtype);
  }
  for (int j = 0; j < immediate_count; j++) {
    Immediate value{};
    value.dtype = dtypes[rng() % dtypes.size()];
    fill_random(value.dtype, 1, reinterpret_cast<char*>(value.bytes));
    drawn.chain.immediates.push_back(value);
  }
  struct Known {
    FusedArg arg;
    Dtype dtype;
  };
  std::vector<Known> known;
  for (int k = 0; k < input_count; k++) known.push_back({input(k), drawn.chain.inputs[k]});
  for (int j = 0; j < immediate_count; j++)
    known.push_back({immediate(j), drawn.chain.immediates[j].dtype});
  const auto push = [&](FusedStep s) {
    drawn.chain.steps.push_back(s);
    known.push_back({earlier(static_cast<int>(drawn.chain.steps.size()) - 1), s.dtype});
  };
  const auto any_of = [&](Dtype d) {  // a value of the dtype, by a cast where there is none
    std::vector<Known> fitting;
    for (const Known& k : known)
      if (k.dtype == d) fitting.push_back(k);
    if (!fitting.empty()) return rng() % 3 ? fitting.back() : fitting[rng() % fitting.size()];
    const Known from = known[rng() % known.size()];
    push(step(fused_cast, from.dtype, d, {from.arg}));
    return known.back();
  };
  while (static_cast<int>(drawn.chain.steps.size()) < length) {
    const uint16_t formula = rng() % rows().size();
    const Row& row = rows()[formula];
    const Dtype d = rng() % 2 ? known.back().dtype : known[rng() % known.size()].dtype;
    if (!defined(row, d)) continue;
    std::vector<FusedArg> args;
    for (int j = 0; j < row.arity; j++)
      args.push_back(any_of(selects(row) && j == 0 ? Dtype::bool_ : d).arg);
    push(step(formula, d, result_dtype(row, d), args));
    if (rng() % 8 == 0) {
      const Known from = known[rng() % known.size()];
      if (from.arg.kind != FusedArg::immediate)
        push(step(fused_copy, from.dtype, from.dtype, {from.arg}));
    }
  }
  // The last step is stored, and some others.
  for (int i = static_cast<int>(drawn.chain.steps.size()) - 1; i >= 0; i--) {
    FusedStep& s = drawn.chain.steps[i];
    if (drawn.chain.outputs.size() < max_fused_outputs &&
        (drawn.chain.outputs.empty() || rng() % 6 == 0)) {
      s.output = static_cast<int16_t>(drawn.chain.outputs.size());
      drawn.chain.outputs.push_back(s.dtype);
    }
  }
  return drawn;
}

// Outputs step by step.
std::vector<std::vector<char>> unfused(Drawn& drawn) {
  std::vector<Array> values;
  std::vector<std::vector<char>> outputs(drawn.chain.outputs.size());
  const auto value_of = [&](const FusedArg& arg, const std::vector<int64_t>& shape) {
    if (arg.kind == FusedArg::input) return drawn.inputs[arg.index];
    if (arg.kind == FusedArg::step) return values[arg.index];
    const Immediate& constant = drawn.chain.immediates[arg.index];
    Array a(constant.dtype, shape);
    for (size_t i = 0; i < a.bytes.size(); i += itemsize(constant.dtype))
      memcpy(a.bytes.data() + i, constant.bytes, itemsize(constant.dtype));
    return a;
  };
  for (const FusedStep& s : drawn.chain.steps) {
    Chain one;
    std::vector<Array> in;
    std::vector<FusedArg> args;
    std::vector<Tensor> tensors;
    for (int j = 0; j < s.arg_count; j++) {
      in.push_back(value_of(s.args[j], drawn.inputs[0].shape));
      one.inputs.push_back(in.back().dtype);
      args.push_back(input(j));
    }
    for (Array& a : in) tensors.push_back(a.tensor());
    one.outputs = {s.dtype};
    one.steps = {step(s.formula, s.input_dtype, s.dtype, args, 0)};
    Array out(s.dtype, drawn.inputs[0].shape);
    one.run(tensors, {out.tensor()});
    values.push_back(out);
    if (s.output >= 0) outputs[s.output] = out.bytes;
  }
  return outputs;
}

void check_chain(Drawn& drawn, const std::string& what) {
  const std::vector<std::vector<char>> expected = unfused(drawn);
  std::vector<Tensor> in, out;
  std::vector<Array> outputs;
  for (Array& a : drawn.inputs) in.push_back(a.tensor());
  for (const Dtype d : drawn.chain.outputs) outputs.emplace_back(d, drawn.inputs[0].shape);
  for (Array& a : outputs) out.push_back(a.tensor());
  drawn.chain.run(in, out);
  for (size_t k = 0; k < outputs.size(); k++)
    compare(outputs[k].dtype, outputs[k].bytes, expected[k], what + " output " + std::to_string(k),
            identical);
}

const std::vector<Dtype> all_dtypes = [] {
  std::vector<Dtype> all;
  for (int t = 0; t < dtype_count; t++) all.push_back(static_cast<Dtype>(t));
  return all;
}();

}  // namespace

TEST(random_chains_equal_their_steps) {
  std::mt19937 rng(11);
  const std::vector<std::vector<Dtype>> families = {
      all_dtypes,
      {Dtype::float32},
      {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::bool_},
      {Dtype::bool_, Dtype::int8, Dtype::uint16, Dtype::int32},
      {Dtype::float64, Dtype::complex64, Dtype::bfloat16}};
  for (int round = 0; round < 600; round++) {
    const int length = 1 + rng() % (round % 3 ? 12 : 60);
    Drawn drawn = draw_chain(rng, length, {1 + static_cast<int64_t>(rng() % 150)},
                             families[round % families.size()]);
    check_chain(drawn, "chain " + std::to_string(round));
  }
}

TEST(an_output_may_lie_in_an_input) {
  std::mt19937 rng(5);
  for (int round = 0; round < 300; round++) {
    Drawn drawn = draw_chain(rng, 1 + rng() % 10, {200},
                             {Dtype::float32, Dtype::int32, Dtype::bool_, Dtype::float16});
    const std::vector<std::vector<char>> expected = unfused(drawn);
    std::vector<Tensor> in, out;
    std::vector<Array> outputs;
    std::vector<int> lies_in;
    std::vector<bool> taken(drawn.inputs.size());
    for (Array& a : drawn.inputs) in.push_back(a.tensor());
    outputs.reserve(8);
    for (const Dtype d : drawn.chain.outputs) {
      int donor = -1;
      for (size_t k = 0; k < drawn.inputs.size(); k++)
        if (!taken[k] && itemsize(drawn.inputs[k].dtype) == itemsize(d))
          donor = static_cast<int>(k);
      if (donor >= 0) taken[donor] = true;
      lies_in.push_back(donor);
      outputs.emplace_back(d, drawn.inputs[0].shape);
      Tensor t = outputs.back().tensor();
      if (donor >= 0) t.data = in[donor].data;
      out.push_back(t);
    }
    drawn.chain.run(in, out);
    for (size_t k = 0; k < outputs.size(); k++) {
      const std::vector<char>& got =
          lies_in[k] >= 0 ? drawn.inputs[lies_in[k]].bytes : outputs[k].bytes;
      compare(outputs[k].dtype, got, expected[k], "round " + std::to_string(round), identical);
    }
  }
}

namespace {

// The same elements in another layout: transposed, reversed, spread, broadcast, offset.
std::vector<Array> layouts(Dtype d) {
  std::vector<Array> all;
  const std::vector<int64_t> shape = {3, 70, 41};
  const auto make = [&](std::vector<int64_t> strides, int64_t offset, int64_t items) {
    Array a = random_array(d, {items});
    a.shape = shape;
    a.strides = strides;
    a.offset = offset;
    all.push_back(a);
  };
  make({70 * 41, 41, 1}, 0, 3 * 70 * 41);
  make({70 * 41, 1, 70}, 0, 3 * 70 * 41);
  make({1, 3, 210}, 0, 3 * 70 * 41);
  make({70 * 41, 41, -1}, 40, 3 * 70 * 41);
  make({-70 * 41, -41, 1}, 2 * 70 * 41 + 69 * 41, 3 * 70 * 41);
  make({2 * 70 * 41, 82, 2}, 1, 3 * 70 * 82);
  make({0, 0, 1}, 0, 41);
  make({0, 1, 0}, 0, 70);
  make({1, 0, 0}, 0, 3);
  make({0, 0, 0}, 5, 6);
  make({41, 0, 1}, 0, 3 * 41);
  return all;
}

}  // namespace

TEST(any_layout) {
  for (const Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::int8, Dtype::complex64}) {
    std::vector<Array> a = layouts(d), b = layouts(d);
    Chain add;
    add.inputs = {d, d};
    add.outputs = {d};
    add.steps = {step(scalar_formula("add"), d, d, {input(0), input(1)}, 0)};
    for (Array& x : a) {
      for (Array& y : b) {
        Array out(d, x.shape), plain_x(d, x.shape), plain_y(d, x.shape), expected(d, x.shape);
        plain_x.bytes = x.row_major();
        plain_y.bytes = y.row_major();
        add.run({x.tensor(), y.tensor()}, {out.tensor()});
        add.run({plain_x.tensor(), plain_y.tensor()}, {expected.tensor()});
        compare(d, out.bytes, expected.bytes, "layout", identical);
      }
    }
  }
}

TEST(sizes_around_the_block_and_no_axes) {
  Chain chain;
  const Dtype d = Dtype::float32;
  chain.inputs = {d};
  chain.outputs = {d};
  Immediate one{};
  one.dtype = d;
  set_item(reinterpret_cast<char*>(one.bytes), 1.0f);
  chain.immediates = {one};
  chain.steps = {step(scalar_formula("add"), d, d, {input(0), immediate(0)}, 0)};
  for (int64_t n = 0; n < 200; n++) {
    Array in = random_array(d, {n}), out(d, {n});
    chain.run({in.tensor()}, {out.tensor()});
    for (int64_t i = 0; i < n; i++) {
      const float sum = item<float>(in.bytes.data() + 4 * i) + 1.0f;
      CHECK(identical(d, out.bytes.data() + 4 * i, reinterpret_cast<const char*>(&sum)));
    }
  }
  Array in = random_array(d, {}), out(d, {});
  chain.run({in.tensor()}, {out.tensor()});
  const float sum = item<float>(in.bytes.data()) + 1.0f;
  CHECK(identical(d, out.bytes.data(), reinterpret_cast<const char*>(&sum)));
  Array none(d, {3, 0, 2}), nothing(d, {3, 0, 2});
  chain.run({none.tensor()}, {nothing.tensor()});
}

TEST(nothing_outside_the_tensors_is_touched) {
  for (const Dtype d : all_dtypes) {
    Chain copy;
    copy.inputs = {d, d};
    copy.outputs = {d, d};
    copy.steps = {step(scalar_formula("maximum"), d, d, {input(0), input(1)}, 0),
                  step(fused_copy, d, d, {input(1)}, 1)};
    for (const int64_t n : {1, 7, 31, 63, 64, 65, 200, 5000}) {
      for (const bool at_end : {false, true}) {
        for (const int64_t stride : {1, 2}) {
          const int64_t item = static_cast<int64_t>(itemsize(d)), one = 1;
          const int64_t spread = ((n - 1) * stride + 1) * item;
          Guarded x(n * item, at_end), y(spread, at_end), a(n * item, at_end), b(n * item, at_end);
          memset(x.data, 0, n * item);
          memset(y.data, 0, spread);
          const auto tensor = [&](char* data, const int64_t* strides) {
            return Tensor{data, &n, strides, n, 1, d};
          };
          copy.run({tensor(x.data, &one), tensor(y.data, &stride)},
                   {tensor(a.data, &one), tensor(b.data, &one)});
        }
      }
    }
  }
}

TEST(threads_do_not_change_bits) {
  std::mt19937 rng(3);
  for (int round = 0; round < 6; round++) {
    Drawn drawn = draw_chain(rng, 8, {round % 2 ? 700001 : 3 * 65536},
                             {Dtype::float32, Dtype::bfloat16, Dtype::int32});
    std::vector<std::vector<char>> first;
    for (const int threads : {1, 2, 5}) {
      set_thread_count(threads);
      std::vector<Tensor> in, out;
      std::vector<Array> outputs;
      for (Array& a : drawn.inputs) in.push_back(a.tensor());
      for (const Dtype d : drawn.chain.outputs) outputs.emplace_back(d, drawn.inputs[0].shape);
      for (Array& a : outputs) out.push_back(a.tensor());
      drawn.chain.run(in, out);
      for (size_t k = 0; k < outputs.size(); k++) {
        if (threads == 1)
          first.push_back(outputs[k].bytes);
        else
          CHECK(outputs[k].bytes == first[k]);
      }
    }
    set_thread_count(2);
  }
}

namespace {

struct LongRun {
  const void* compiled;
  std::vector<Tensor> in, out;
};

}  // namespace

// Every handler ends in a jump: a long chain of each formula runs on a stack that calls would
// overflow.
TEST(handlers_end_in_jumps) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  const int length = 24000;  // times 16 bytes a call at least
  for (uint16_t formula = 0; formula < rows().size(); formula++) {
    const Row& row = rows()[formula];
    for (const Dtype d : all_dtypes) {
      if (!defined(row, d)) continue;
      Chain chain;
      chain.inputs = {d, Dtype::bool_};
      const Dtype r = result_dtype(row, d);
      chain.outputs = {r};
      for (int i = 0; i < length; i++) {
        std::vector<FusedArg> args;
        for (int j = 0; j < row.arity; j++) {
          const bool previous = j == i % row.arity && i > 0 && r == d && !(selects(row) && j == 0);
          args.push_back(selects(row) && j == 0 ? input(1) : previous ? earlier(i - 1) : input(0));
        }
        chain.steps.push_back(step(formula, d, r, args, i == length - 1 ? 0 : -1));
      }
      std::vector<Array> arrays = {Array(d, {3}), Array(Dtype::bool_, {3}), Array(r, {3})};
      const FusedChain view = chain.view();
      std::vector<char> memory(fused_engine().bytes(view) + 64);
      char* const aligned = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
      fused_engine().compile(view, aligned);
      LongRun run{aligned, {arrays[0].tensor(), arrays[1].tensor()}, {arrays[2].tensor()}};
      pthread_t thread;
      const auto body = [](void* at) -> void* {
        const LongRun& run = *static_cast<LongRun*>(at);
        fused_engine().run(run.compiled, run.in.data(), run.out.data());
        return nullptr;
      };
      REQUIRE(pthread_create(&thread, &attributes, body, &run) == 0);
      pthread_join(thread, nullptr);
    }
  }
}

TEST_MAIN()
