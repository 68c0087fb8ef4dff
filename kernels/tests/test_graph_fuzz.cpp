// Random graphs against a naive evaluator that computes node by node: several streams, async,
// views, kernels, dropped handles (donation), compiled calls, simplified graphs and graphs read
// back from bytes. Every Program is verified.
//
//   MLXK_FUZZ_GRAPHS=20000 MLXK_FUZZ_SEED=7 ./test_graph_fuzz
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>

#include "check.h"
#include "graphs.h"
#include "mlxk/error.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

// A value as the naive evaluator holds it: float32 and int32 are exact in a double, bool is 0 or 1.
struct Naive {
  Dims shape;
  Dtype dtype;
  std::vector<double> data;
};

double rounded(double value, Dtype dtype) {
  if (dtype == Dtype::float32) return static_cast<float>(value);
  if (dtype == Dtype::bool_) return value != 0;
  return static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(value)));
}

// The index into an array of shape `from` of element `at` of shape `to`, broadcast.
size_t broadcast_index(const Dims& from, const Dims& to, size_t at) {
  size_t index = 0;
  size_t step = 1;
  size_t rest = at;
  for (size_t i = to.size(); i-- > 0;) {
    const size_t place = rest % static_cast<size_t>(to[i]);
    rest /= static_cast<size_t>(to[i]);
    if (i + from.size() >= to.size()) {
      const int64_t length = from[i + from.size() - to.size()];
      if (length != 1) index += place * step;
      step *= static_cast<size_t>(length);
    }
  }
  return index;
}

struct Value2 {
  Edge edge;
  std::shared_ptr<Naive> naive;
};

class Fuzzer {
 public:
  explicit Fuzzer(uint32_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) streams_[i] = stream_of(i);
  }

  void run() {
    const int phases = pick(1, 3);
    for (int i = 0; i < 3; ++i) leaf();
    for (int phase = 0; phase < phases; ++phase) {
      const int count = pick(1, 90);
      for (int i = 0; i < count; ++i) {
        node();
        if (pick(0, 3) == 0 && values_.size() > 4)
          values_.erase(values_.begin() + pick(0, static_cast<int>(values_.size()) - 1));
      }
      if (pick(0, 3) == 0) compiled();
      std::vector<Edge> roots;
      for (const Value2& value : values_) {
        if (pick(0, 2) == 0) roots.push_back(value.edge);
      }
      evaluate(roots, pick(0, 2) == 0);
    }
    for (const Value2& value : values_) compare(value);
  }

 private:
  static StreamId stream_of(int i) {
    static const StreamId made[3] = {cpu(), new_stream(DeviceKind::cpu),
                                     new_stream(DeviceKind::cpu)};
    return made[i];
  }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  StreamId stream() { return streams_[many_streams_ ? pick(0, 2) : 0]; }
  const Value2& any() { return values_[pick(0, static_cast<int>(values_.size()) - 1)]; }
  void keep(Edge edge, Naive naive) {
    CHECK(edge.shape() == naive.shape);
    CHECK(edge.dtype() == naive.dtype);
    values_.push_back({std::move(edge), std::make_shared<Naive>(std::move(naive))});
  }

  void leaf() {
    constexpr int64_t lengths[] = {1, 2, 3, 4};
    const int ndim = pick(0, 3);
    std::vector<int64_t> shape;
    for (int i = 0; i < ndim; ++i) shape.push_back(lengths[pick(0, 3)]);
    if (pick(0, 30) == 0 && ndim) shape[0] = 0;
    const Dims dims(shape.data(), shape.size());
    const int64_t size = element_count(dims);
    Naive naive{dims, pick(0, 3) ? Dtype::float32 : Dtype::int32, {}};
    for (int64_t i = 0; i < size; ++i) naive.data.push_back(pick(-20, 20));
    if (naive.dtype == Dtype::float32) {
      keep(floats(std::vector<float>(naive.data.begin(), naive.data.end()), dims), naive);
    } else {
      keep(array_of(std::vector<int32_t>(naive.data.begin(), naive.data.end()), dims, Dtype::int32),
           naive);
    }
  }

  template <class F> Naive map(const Naive& a, Dtype dtype, const F& f) {
    Naive out{a.shape, dtype, {}};
    for (double v : a.data) out.data.push_back(rounded(f(v), dtype));
    return out;
  }

  // Operands that broadcast, of one dtype: the second is brought to the first's shape by a scalar
  // where they do not.
  bool pair(Value2* a, Value2* b) {
    *a = any();
    *b = any();
    if (pick(0, 3) == 0) {
      const float value = static_cast<float>(pick(-3, 3));
      const Dtype dtype = a->naive->dtype == Dtype::bool_ ? Dtype::float32 : a->naive->dtype;
      *b = {constant(value, 0, static_cast<int64_t>(value), dtype),
            std::make_shared<Naive>(Naive{{}, dtype, {value}})};
    }
    try {
      broadcast(a->naive->shape, b->naive->shape, "fuzz");
    } catch (const Error&) { return false; }
    return true;
  }

  Naive as(const Naive& a, Dtype dtype) {
    return map(a, dtype, [](double v) { return v; });
  }

  template <class F>
  Naive zip(const Naive& a, const Naive& b, Dtype compute, Dtype result, const F& f) {
    const Naive x = as(a, compute);
    const Naive y = as(b, compute);
    Naive out{broadcast(a.shape, b.shape, "fuzz"), result, {}};
    const int64_t size = element_count(out.shape);
    for (int64_t i = 0; i < size; ++i) {
      out.data.push_back(rounded(f(x.data[broadcast_index(a.shape, out.shape, i)],
                                   y.data[broadcast_index(b.shape, out.shape, i)]),
                                 result));
    }
    return out;
  }

  void binary() {
    Value2 a, b;
    if (!pair(&a, &b)) return;
    const Dtype common = promote(a.naive->dtype, b.naive->dtype);
    const int which = pick(0, 4);
    if (which == 3) {
      keep(ew("less", a.edge, b.edge, stream()),
           zip(*a.naive, *b.naive, common, Dtype::bool_, [](double x, double y) { return x < y; }));
      return;
    }
    if (common == Dtype::bool_) return;
    if (which == 0) {
      keep(ew("add", a.edge, b.edge, stream()),
           zip(*a.naive, *b.naive, common, common, [&](double x, double y) { return x + y; }));
    } else if (which == 1) {
      keep(ew("subtract", a.edge, b.edge, stream()),
           zip(*a.naive, *b.naive, common, common, [](double x, double y) { return x - y; }));
    } else if (which == 2) {
      keep(ew("maximum", a.edge, b.edge, stream()),
           zip(*a.naive, *b.naive, common, common,
               [](double x, double y) { return x > y ? x : y; }));
    } else {
      // Small factors: products of float32 stay far from where they overflow an int32 or become
      // NaN.
      const Edge small = ew(
          "minimum",
          ew("maximum", b.edge,
             constant(-2, 0, -2, b.naive->dtype == Dtype::bool_ ? Dtype::int32 : b.naive->dtype)),
          constant(2, 0, 2, Dtype::int32));
      const Dtype dtype = small.dtype();
      const Naive clipped = map(as(*b.naive, dtype), dtype, [](double v) {
        return v < -2 ? -2 : v > 2 ? 2 : v;
      });
      const Dtype both = promote(a.naive->dtype, dtype);
      keep(ew("multiply", a.edge, small, stream()),
           zip(*a.naive, clipped, both, both, [](double x, double y) { return x * y; }));
    }
  }

  void unary() {
    const Value2 a = any();
    if (a.naive->dtype == Dtype::bool_) return;
    if (pick(0, 1)) {
      keep(ew("negative", a.edge, stream()),
           map(*a.naive, a.naive->dtype, [](double v) { return -v; }));
    } else {
      keep(ew("abs", a.edge, stream()), map(*a.naive, a.naive->dtype, [](double v) {
             return v < 0 ? -v : v == 0 ? 0 : v;
           }));
    }
  }

  void choose() {
    Value2 a, b;
    if (!pair(&a, &b)) return;
    const Value2 c = any();
    const Dims first = broadcast(a.naive->shape, b.naive->shape, "fuzz");
    try {
      broadcast(first, c.naive->shape, "fuzz");
    } catch (const Error&) { return; }
    const Dtype common = promote(a.naive->dtype, b.naive->dtype);
    const Naive x = zip(*a.naive, *b.naive, common, common, [](double v, double) { return v; });
    const Naive y = zip(*b.naive, *a.naive, common, common, [](double v, double) { return v; });
    const Dims shape = broadcast(first, c.naive->shape, "fuzz");
    Naive out{shape, common, {}};
    const int64_t size = element_count(shape);
    for (int64_t i = 0; i < size; ++i) {
      const bool take = c.naive->data[broadcast_index(c.naive->shape, shape, i)] != 0;
      out.data.push_back((take ? x : y).data[broadcast_index(first, shape, i)]);
    }
    keep(select(c.edge, a.edge, b.edge, stream()), std::move(out));
  }

  void cast_one() {
    const Value2 a = any();
    const Dtype to = pick(0, 1) ? Dtype::float32 : Dtype::bool_;
    if (a.naive->dtype == to) return;
    if (a.naive->dtype == Dtype::int32 && to == Dtype::float32) {
      keep(cast(a.edge, to, stream()), as(*a.naive, to));
    } else if (to == Dtype::bool_) {
      keep(cast(a.edge, to, stream()), as(*a.naive, to));
    } else {
      keep(cast(a.edge, Dtype::int32, stream()), as(*a.naive, Dtype::int32));
    }
  }

  // The elements of `a` that `index` names, in the order of the new shape.
  template <class F> Naive gather(const Naive& a, Dims shape, const F& index) {
    Naive out{shape, a.dtype, {}};
    const int64_t size = element_count(shape);
    for (int64_t i = 0; i < size; ++i) out.data.push_back(a.data[index(i)]);
    return out;
  }

  void movement_one() {
    const Value2 a = any();
    const Dims& shape = a.naive->shape;
    const size_t ndim = shape.size();
    switch (pick(0, 3)) {
      case 0: {
        const Dims flat{element_count(shape)};
        const Dims column = Dims{element_count(shape), 1};
        const Dims to = pick(0, 1) ? flat : column;
        keep(reshape(a.edge, to, stream()), gather(*a.naive, to, [](int64_t i) { return i; }));
        return;
      }
      case 1: {
        if (ndim < 2) return;
        std::vector<int64_t> axes(ndim), lengths(ndim);
        for (size_t i = 0; i < ndim; ++i) axes[i] = static_cast<int64_t>(i);
        std::shuffle(axes.begin(), axes.end(), random_);
        for (size_t i = 0; i < ndim; ++i) lengths[i] = shape[axes[i]];
        const Dims strides = row_major(shape);
        const Dims to(lengths.data(), ndim);
        keep(transpose(a.edge, Dims(axes.data(), ndim), stream()),
             gather(*a.naive, to, [&](int64_t at) {
               int64_t index = 0;
               for (size_t i = ndim; i-- > 0;) {
                 index += at % to[i] * strides[axes[i]];
                 at /= to[i];
               }
               return index;
             }));
        return;
      }
      case 2: {
        if (ndim == 0) return;
        std::vector<int64_t> starts, stops, steps, lengths;
        for (int64_t length : shape) {
          const bool back = pick(0, 3) == 0 && length > 0;
          const int64_t step = pick(1, 2);
          const int64_t start = length ? pick(0, static_cast<int>(length) - 1) : 0;
          starts.push_back(start);
          stops.push_back(back ? -1 : length);
          steps.push_back(back ? -step : step);
          lengths.push_back(back ? start / step + 1 : (length - start + step - 1) / step);
        }
        const Dims to(lengths.data(), ndim);
        const Dims strides = row_major(shape);
        keep(slice(a.edge, Dims(starts.data(), ndim), Dims(stops.data(), ndim),
                   Dims(steps.data(), ndim), stream()),
             gather(*a.naive, to, [&](int64_t at) {
               int64_t index = 0;
               for (size_t i = ndim; i-- > 0;) {
                 index += (starts[i] + at % to[i] * steps[i]) * strides[i];
                 at /= to[i];
               }
               return index;
             }));
        return;
      }
      default: {
        if (ndim >= 4) return;
        std::vector<int64_t> lengths(shape.begin(), shape.end());
        lengths.insert(lengths.begin(), pick(1, 2));
        if (element_count(Dims(lengths.data(), ndim + 1)) > 500) return;
        const Dims to(lengths.data(), ndim + 1);
        keep(broadcast_to(a.edge, to, stream()),
             gather(*a.naive, to, [&](int64_t i) { return broadcast_index(shape, to, i); }));
      }
    }
  }

  void kernel() {
    const Value2 a = any();
    if (a.naive->dtype != Dtype::float32) return;
    if (pick(0, 1)) {
      Naive out = *a.naive;
      std::reverse(out.data.begin(), out.data.end());
      keep(reverse(a.edge, stream()), std::move(out));
      return;
    }
    const std::vector<Edge> both = structural_like("test_signs", a.edge, 2, stream());
    keep(both[0], map(*a.naive, Dtype::float32, [](double v) { return v > 0 ? v : 0; }));
    if (pick(0, 1))
      keep(both[1], map(*a.naive, Dtype::float32, [](double v) { return v < 0 ? v : 0; }));
  }

  void node() {
    switch (pick(0, 11)) {
      case 0:
      case 1:
      case 2:
      case 3: binary(); break;
      case 4:
      case 5: unary(); break;
      case 6: choose(); break;
      case 7: cast_one(); break;
      case 8:
      case 9: movement_one(); break;
      case 10: kernel(); break;
      default: leaf();
    }
  }

  // A function over placeholders, recorded by a fuzzer of its own, called on arrays of this one.
  void compiled() {
    std::vector<Value2> arguments;
    const int count = pick(1, 4);
    for (int i = 0; i < count; ++i) arguments.push_back(any());
    Fuzzer inner(random_());
    inner.many_streams_ = false;
    inner.streams_[0] = stream();
    Graph graph;
    for (const Value2& argument : arguments) {
      const Edge in = placeholder(argument.naive->shape, argument.naive->dtype, nullptr);
      graph.inputs.push_back(in);
      inner.values_.push_back({in, argument.naive});
    }
    const int nodes = pick(1, 40);
    for (int i = 0; i < nodes; ++i) inner.node();
    std::vector<std::shared_ptr<Naive>> expected;
    const int outputs = pick(1, 5);
    for (int i = 0; i < outputs; ++i) {
      const Value2 out = inner.any();
      graph.outputs.push_back(out.edge);
      expected.push_back(out.naive);
    }
    inner.values_.clear();
    if (pick(0, 2) == 0) simplify(&graph);
    if (pick(0, 2) == 0) {
      const std::vector<uint8_t> bytes = serialise(graph);
      graph = parse(bytes.data(), bytes.size());
    }
    const ProgramRef program = lower(graph);
    verify(*program);
    std::vector<Edge> edges;
    for (const Value2& argument : arguments) edges.push_back(argument.edge);
    const auto shared = std::make_shared<const Graph>(graph);
    arguments.clear();
    graph = Graph();
    std::vector<Edge> results =
        pick(0, 3) ? call(callee(shared, program), edges.data(), edges.size(), stream())
                   : substitute(*shared, edges.data(), edges.size());
    edges.clear();
    for (size_t i = 0; i < results.size(); ++i) keep(results[i], *expected[i]);
  }

  void compare(const Value2& value) {
    std::vector<double> found;
    if (value.naive->dtype == Dtype::float32) {
      for (float v : values<float>(value.edge)) found.push_back(v);
    } else if (value.naive->dtype == Dtype::int32) {
      for (int32_t v : values<int32_t>(value.edge)) found.push_back(v);
    } else {
      for (uint8_t v : values<uint8_t>(value.edge)) found.push_back(v);
    }
    CHECK_EQ(found.size(), value.naive->data.size());
    for (size_t i = 0; i < found.size() && i < value.naive->data.size(); ++i) {
      if (found[i] == value.naive->data[i]) continue;
      CHECK_EQ(found[i], value.naive->data[i]);
      break;
    }
  }

  std::mt19937 random_;
  std::vector<Value2> values_;
  StreamId streams_[3];
  bool many_streams_ = random_() % 3 == 0;
};

int number(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

}  // namespace

TEST(random_graphs_match_the_naive_evaluator) {
  const int graphs = number("MLXK_FUZZ_GRAPHS", 1500);
  const int first = number("MLXK_FUZZ_SEED", 1);
  for (int seed = first; seed < first + graphs; ++seed) {
    const int before = mlxk_check::failures();
    try {
      Fuzzer(static_cast<uint32_t>(seed)).run();
    } catch (const std::exception& error) { mlxk_check::fail(__FILE__, __LINE__, error.what()); }
    if (mlxk_check::failures() != before) {
      std::printf("seed %d\n", seed);
      break;
    }
  }
  for (StreamId stream = 0; stream < 3; ++stream) synchronize(cpu());
}

int main(int argc, char** argv) {
  setenv("MLXK_VERIFY", "1", 1);
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
