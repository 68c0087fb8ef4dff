// Loops and branches as instructions: how carries move, where results go, what verify and parse
// refuse.
#include "check.h"
#include "graphs.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

Edge input(Dims shape, Dtype dtype = Dtype::float32) {
  return placeholder(std::move(shape), dtype, nullptr);
}

std::shared_ptr<const Graph> closed(std::vector<Edge> inputs, std::vector<Edge> outputs,
                                    std::vector<Edge>* captured = nullptr) {
  std::vector<Edge> none;
  auto graph = std::make_shared<const Graph>(close_over(
      Graph{std::move(inputs), std::move(outputs), nullptr}, captured ? captured : &none));
  prepare(*graph);
  return graph;
}

const Op& control_op() { return op_named("test_control", Kind::control); }

// The outputs of a scan of float32: carries as given, the others stacked.
std::vector<Edge> scan(std::shared_ptr<const Graph> body, std::vector<Edge> inputs, int captured,
                       int carries, int64_t length, bool reverse = false) {
  std::vector<Dims> shapes;
  std::vector<Dtype> dtypes;
  for (size_t i = 0; i < body->outputs.size(); ++i) {
    const Dims& one = body->outputs[i].shape();
    std::vector<int64_t> lengths(one.begin(), one.end());
    if (i >= static_cast<size_t>(carries)) lengths.insert(lengths.begin(), length);
    shapes.emplace_back(lengths.data(), lengths.size());
    dtypes.push_back(body->outputs[i].dtype());
  }
  const Params params(List{Value("scan"), Value(body), Value(captured), Value(carries),
                           Value(length), Value(reverse)});
  const Edge first = Edge::adopt(
      structural(control_op(), inputs.data(), static_cast<uint32_t>(inputs.size()), params,
                 shapes.data(), dtypes.data(), static_cast<uint32_t>(shapes.size()), cpu()),
      0);
  std::vector<Edge> edges;
  for (uint32_t i = 0; i < shapes.size(); ++i) edges.emplace_back(first.node(), i);
  return edges;
}

std::string printed(const std::vector<Edge>& inputs, const std::vector<Edge>& outputs) {
  const ProgramRef program = lower(Graph{inputs, outputs, nullptr});
  verify(*program);
  return print(*program);
}

bool says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST(closing_captures_once_and_keeps_scalars) {
  const Edge a = floats({1, 2}), x = input(Dims{2});
  const Edge outside = ew("negative", a);
  std::vector<Edge> captured;
  const Edge inside = ew("add", ew("multiply", x, outside), ew("add", outside, scalar(3)));
  const Graph graph = close_over(Graph{{x}, {inside, a, x, scalar(4)}, nullptr}, &captured);
  // What needs no input is computed outside, once: `outside + 3`, too.
  CHECK_EQ(captured.size(), size_t{3});
  CHECK_EQ(graph.inputs.size(), size_t{4});
  CHECK(graph.outputs[2] == graph.inputs[3]);
  CHECK(graph.outputs[3] == scalar(4));
  for (const Edge& edge : graph.inputs) CHECK(edge.node()->op == op_placeholder);
}

TEST(carries_move_in_three_ways) {
  const Edge a = input(Dims{2}), b = input(Dims{2}), c = input(Dims{2}), d = input(Dims{2});
  const Edge x = input(Dims{2});
  // a is left alone, b is written over, c and d change places.
  const auto body = closed({a, b, c, d, x}, {a, ew("add", b, x), d, c, ew("add", b, a)});
  const std::vector<Edge> in{input(Dims{2}), input(Dims{2}), input(Dims{2}), input(Dims{2}),
                             input(Dims{3, 2})};
  const std::string text = printed(in, scan(body, in, 0, 4, 3));
  CHECK(says(text, "control test_control"));
  CHECK(says(text, "3 steps\n"));
  CHECK(says(text, "carry 0 kept"));
  CHECK(says(text, "carry 1 in place"));
  CHECK(says(text, "carry 2 alternating"));
  const std::vector<Edge> arguments{floats({1, 2}), floats({10, 20}), floats({5, 6}),
                                    floats({7, 8}), floats({1, 1, 2, 2, 3, 3}, Dims{3, 2})};
  const std::vector<Edge> out = scan(body, arguments, 0, 4, 3);
  eval(out.data(), out.size(), false);
  CHECK(values<float>(out[0]) == (std::vector<float>{1, 2}));
  CHECK(values<float>(out[1]) == (std::vector<float>{16, 26}));
  CHECK(values<float>(out[2]) == (std::vector<float>{7, 8}));
  CHECK(values<float>(out[3]) == (std::vector<float>{5, 6}));
  CHECK(values<float>(out[4]) == (std::vector<float>{11, 22, 12, 23, 14, 25}));
  CHECK(values<float>(arguments[1]) == (std::vector<float>{10, 20}));
  const std::vector<Edge> back = scan(body, arguments, 0, 4, 3, true);
  eval(back.data(), back.size(), false);
  CHECK(values<float>(back[4]) == (std::vector<float>{16, 27, 14, 25, 11, 22}));
}

TEST(a_carry_that_is_given_out_is_read_where_it_is_stacked) {
  const Edge c = input(Dims{2}), x = input(Dims{2});
  const Edge sum = ew("add", c, x);
  const auto body = closed({c, x}, {sum, ew("negative", sum), sum});
  const std::vector<Edge> in{input(Dims{2}), input(Dims{3, 2})};
  const std::vector<Edge> all = scan(body, in, 0, 1, 3);
  CHECK(says(printed(in, all), "carry 0 stacked\n    result 1 stacked\n    result 2 stacked\n"));
  // What nobody reads is not stacked; without its rows the carry is written over.
  const std::string text = printed(in, {all[0], all[1]});
  CHECK(says(text, "carry 0 in place\n    result 1 stacked\n    program"));
  const std::vector<Edge> arguments{floats({1, 2}), floats({1, 1, 2, 2, 3, 3}, Dims{3, 2})};
  for (const bool reverse : {false, true}) {
    const std::vector<float> sums =
        reverse ? std::vector<float>{7, 8, 6, 7, 4, 5} : std::vector<float>{2, 3, 4, 5, 7, 8};
    const std::vector<Edge> out = scan(body, arguments, 0, 1, 3, reverse);
    eval(out.data(), out.size(), false);
    CHECK(values<float>(out[0]) == (std::vector<float>{7, 8}));
    CHECK(values<float>(out[2]) == sums);
    CHECK_EQ(values<float>(out[1])[3], -sums[3]);
    CHECK(values<float>(arguments[0]) == (std::vector<float>{1, 2}));
    const std::vector<Edge> few = scan(body, arguments, 0, 1, 3, reverse);
    const Edge doubled = ew("add", few[1], few[1]);
    const Graph graph{{}, {few[0], doubled}, nullptr};
    verify(*lower(graph));
    const std::vector<Edge> called =
        call(callee(std::make_shared<const Graph>(graph), lower(graph)), nullptr, 0, cpu());
    eval(called.data(), called.size(), false);
    CHECK(values<float>(called[0]) == (std::vector<float>{7, 8}));
    CHECK_EQ(values<float>(called[1])[3], -2 * sums[3]);
  }
}

TEST(a_carry_takes_over_an_intermediate_result_but_no_input) {
  const Edge c = input(Dims{40}), x = input(Dims{});
  const auto body = closed({c, x}, {ew("add", c, x)});
  const Edge start = input(Dims{40}), steps = input(Dims{3});
  CHECK(says(printed({start, steps}, scan(body, {ew("negative", start), steps}, 0, 1, 3)),
             "%3 output 160 in place of %2"));
  CHECK(says(printed({start, steps}, scan(body, {start, steps}, 0, 1, 3)), "\n%2 output 0 160\n"));
}

TEST(odd_rows_of_any_size) {
  for (const int64_t width : {1, 7, 20001}) {
    const Edge c = input(Dims{width}), x = input(Dims{width});
    const auto body = closed({c, x}, {ew("add", c, x), ew("negative", x)});
    std::vector<float> rows(static_cast<size_t>(3 * width));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i % 11);
    const std::vector<float> zeros(static_cast<size_t>(width), 0.0f);
    for (const bool reverse : {false, true}) {
      const std::vector<Edge> out =
          scan(body, {floats(zeros), floats(rows, Dims{3, width})}, 0, 1, 3, reverse);
      eval(out.data(), out.size(), false);
      const std::vector<float> sums = values<float>(out[0]), stacked = values<float>(out[1]);
      for (size_t i = 0; i < zeros.size(); ++i)
        CHECK_EQ(sums[i], rows[i] + rows[i + zeros.size()] + rows[i + 2 * zeros.size()]);
      for (size_t i = 0; i < rows.size(); ++i) CHECK_EQ(stacked[i], -rows[i]);
    }
  }
}

TEST(graphs_that_do_not_fit_are_refused) {
  const Edge c = input(Dims{2}), x = input(Dims{2});
  const auto body = closed({c, x}, {ew("add", c, x)});
  const Edge start = floats({1, 2}), rows = floats({1, 2, 3, 4}, Dims{2, 2});
  const auto refused = [&](std::vector<Edge> inputs, int captured, int carries, int64_t length) {
    const std::vector<Edge> out = scan(body, std::move(inputs), captured, carries, length);
    CHECK_THROWS(Error, "do not fit", eval(out.data(), 1, false));
  };
  refused({start, rows}, 0, 1, 3);
  refused({start}, 0, 1, 2);
  refused({rows, start}, 0, 1, 2);
  refused({start, rows}, 2, 0, 2);
  refused({start, floats({1, 2, 3, 4, 5, 6}, Dims{2, 3})}, 0, 1, 2);
}

TEST_MAIN()
