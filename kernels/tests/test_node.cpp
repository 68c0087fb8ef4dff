// Pool, reference counts, traces and constants; needs no kernel.
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "check.h"
#include "mlxk/op.h"

using namespace mlxk;

namespace {

Edge leaf() {
  static const int64_t zero = 0;
  return from_buffer(BufferRef(), 0, Dims(&zero, 0), Dims(), Dtype::float32);
}

const Op& add_op() {
  static const Op& added = [&]() -> const Op& {
    if (const Op* known = find_op("add")) return *known;
    Op op;
    op.name = "add";
    op.kind = Kind::elementwise;
    return register_op(op);
  }();
  return added;
}

Edge add(const Edge& a, const Edge& b) {
  const Edge inputs[2] = {a, b};
  return elementwise(add_op(), inputs, 2, 0);
}

struct Counted : Opaque {
  static inline int alive = 0;
  Counted() { ++alive; }
  ~Counted() override { --alive; }
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

TEST(a_node_is_small) { CHECK(sizeof(Node) <= 160); }

TEST(references_are_counted) {
  const int64_t before = graph_statistics().live_nodes;
  {
    Edge a = leaf();
    CHECK_EQ(a.node()->refs.load(), 1u);
    Edge b = a;
    CHECK_EQ(a.node()->refs.load(), 2u);
    Edge c = add(a, b);
    CHECK_EQ(a.node()->refs.load(), 4u);
    CHECK_EQ(graph_statistics().live_nodes, before + 2);
    b = Edge();
    a = std::move(c);
    CHECK(!c);
    CHECK_EQ(a.node()->refs.load(), 1u);
  }
  CHECK_EQ(graph_statistics().live_nodes, before);
}

TEST(a_chain_of_ten_million_is_built_and_freed) {
  const char* given = std::getenv("MLXK_CHAIN");
  const int64_t length = given ? std::atoll(given) : 10'000'000;
  const int64_t before = graph_statistics().live_nodes;
  const double start = seconds();
  double built;
  {
    const Edge one = constant(1, 0, 1, Dtype::float32);
    Edge x = leaf();
    for (int64_t i = 0; i < length; ++i) x = add(x, one);
    CHECK(graph_statistics().live_nodes >= before + length);
    built = seconds();
  }
  const double freed = seconds();
  CHECK(graph_statistics().live_nodes <= before + 1);  // the constant stays in its cache
  CHECK(graph_statistics().pooled_nodes <= 600'000);   // whole slabs were given back
  std::printf("chain of %lld: %.1f ns a node to build, %.1f ns to free\n",
              static_cast<long long>(length), (built - start) / length * 1e9,
              (freed - built) / length * 1e9);
}

TEST(equal_constants_are_one_node) {
  CHECK(constant(1, 0, 0, Dtype::float32) == constant(1, 0, 0, Dtype::float32));
  CHECK(!(constant(0.0, 0, 0, Dtype::float32) == constant(-0.0, 0, 0, Dtype::float32)));
  CHECK(!(constant(1, 0, 1, Dtype::float32) == constant(1, 0, 1, Dtype::int32)));
  CHECK(constant(NAN, 0, 0, Dtype::float32) == constant(NAN, 0, 0, Dtype::float32));
  CHECK(constant(0, 0, 300, Dtype::uint8) == constant(0, 0, 44, Dtype::uint8));
  CHECK_EQ(constant(0.1, 0, 0, Dtype::float16).node()->params[0].real(), 0.0999755859375);
  CHECK_EQ(constant(70000, 0, 0, Dtype::float16).node()->params[0].real(), INFINITY);
  CHECK_EQ(constant(6e-8, 0, 0, Dtype::float16).node()->params[0].real(), 0x1p-24);
  CHECK_EQ(constant(1.005, 0, 0, Dtype::bfloat16).node()->params[0].real(), 1.0078125);
}

TEST(many_inputs_and_outputs_live_on_the_heap) {
  Op op;
  op.name = "test_many";
  op.kind = Kind::structural;
  const Op* many = &register_op(op);
  const int64_t before = graph_statistics().live_nodes;
  {
    std::vector<Edge> inputs(5, leaf());
    const Dims shapes[3] = {Dims{2, 3}, Dims{4}, Dims{}};
    const Dtype dtypes[3] = {Dtype::float32, Dtype::int8, Dtype::bool_};
    Node* node = structural(*many, inputs.data(), 5, Params(List{Value(3)}), shapes, dtypes, 3, 0);
    Edge first = Edge::adopt(node, 0);
    Edge last(node, 2);
    first = Edge();
    CHECK_EQ(last.node()->outputs[1].shape.str(), std::string("(4,)"));
    CHECK_EQ(last.node()->inputs[4].node()->refs.load(), 6u + 4u);
  }
  CHECK_EQ(graph_statistics().live_nodes, before);
}

TEST(opaque_parameters_die_with_their_node) {
  {
    Edge a = placeholder(Dims{3}, Dtype::int8, std::make_shared<Counted>());
    CHECK_EQ(Counted::alive, 1);
    CHECK_EQ(a.node()->trace, placeholder_trace);
    CHECK_EQ(add(a, a).node()->trace, placeholder_trace);
  }
  CHECK_EQ(Counted::alive, 0);
}

TEST(an_open_trace_keeps_edges) {
  Edge x = leaf();
  const uint32_t outer = open_trace();
  const uint32_t inner = open_trace();
  CHECK(outer != inner);
  Edge traced = trace_leaf(x, inner);
  Edge y = add(traced, x);
  Edge twice = add(trace_leaf(traced, outer), y);
  CHECK_EQ(y.node()->trace, inner);
  CHECK_EQ(twice.node()->trace, inner | outer);
  detach(y.node());
  detach(twice.node());
  CHECK_EQ(y.node()->input_count, 2u);
  close_trace(inner);
  CHECK_EQ(y.node()->input_count, 0u);
  CHECK_EQ(twice.node()->input_count, 2u);  // the outer one wants it
  close_trace(outer);
  CHECK_EQ(twice.node()->input_count, 0u);
  CHECK_EQ(add(y, y).node()->trace, 0u);  // closed bits are forgotten
  Edge later = add(x, x);
  detach(later.node());
  CHECK_EQ(later.node()->input_count, 0u);
}

TEST(other_threads_may_drop_nodes) {
  const int64_t before = graph_statistics().live_nodes;
  {
    std::vector<Edge> made;
    for (int i = 0; i < 1000; ++i) made.push_back(add(leaf(), leaf()));
    std::vector<Edge> mine(made.begin(), made.begin() + 500);
    std::thread other([&] {
      WithoutGraphLock here;
      made.clear();
    });
    other.join();
    CHECK(graph_statistics().live_nodes >= before + 500);
    mine.clear();
  }
  CHECK_EQ(graph_statistics().live_nodes, before);
}

TEST(references_dropped_elsewhere_are_counted_later) {
  const int64_t before = graph_statistics().live_nodes;
  {
    const Edge shared = add(leaf(), leaf());
    std::vector<Edge> theirs(1000, shared);
    std::thread other([&] {
      WithoutGraphLock here;
      theirs.clear();
    });
    for (int i = 0; i < 1000; ++i) {  // counted here meanwhile
      const Edge mine = shared;
      const Edge user = add(mine, shared);
      CHECK(mine.node()->refs.load() >= 4);
    }
    other.join();
    graph_statistics();  // takes what was dropped
    CHECK_EQ(shared.node()->refs.load(), 1u);
  }
  CHECK_EQ(graph_statistics().live_nodes, before);
}

TEST_MAIN()
