// The walks: orders, dependents, substitution, simplification.
#include <algorithm>

#include "check.h"
#include "graphs.h"
#include "mlxk/error.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

std::vector<Node*> order_of(const std::vector<Edge>& roots, bool through_evaluated = false) {
  std::vector<Node*> out;
  order(roots.data(), roots.size(), through_evaluated, &out);
  return out;
}

std::string printed(const std::vector<Edge>& inputs, const std::vector<Edge>& outputs) {
  return print(Graph{inputs, outputs});
}

}  // namespace

TEST(inputs_come_first_and_ties_break_by_age) {
  const Edge x = floats({1});
  const Edge a = ew("negative", x), b = ew("abs", x), c = ew("square", x);
  const Edge sum = ew("add", ew("add", c, b), a);
  const std::vector<Node*> nodes = order_of({sum, b});
  CHECK_EQ(nodes.size(), 5u);
  for (size_t i = 1; i < nodes.size(); ++i) CHECK(nodes[i - 1]->sequence < nodes[i]->sequence);
  CHECK(nodes.front() == a.node());
  CHECK(nodes.back() == sum.node());
}

TEST(a_cast_made_for_an_input_is_older_than_its_node) {
  const Edge x = array_of<int32_t>({1}, {1}, Dtype::int32);
  const Edge sum = ew("add", x, floats({1}));
  const std::vector<Node*> nodes = order_of({sum});
  CHECK_EQ(nodes.size(), 2u);
  CHECK(nodes[1] == sum.node());
}

TEST(a_sparse_order_is_sorted_too) {
  const Edge x = floats({1});
  std::vector<Edge> kept;
  Edge last = x;
  for (int i = 0; i < 1000; ++i) {
    const Edge other = ew("negative", x);
    if (i % 100 == 0) kept.push_back(last = ew("add", last, other));
  }
  std::reverse(kept.begin(), kept.end());
  std::swap(kept[2], kept[5]);
  const std::vector<Node*> nodes = order_of(kept);
  CHECK_EQ(nodes.size(), 20u);
  for (size_t i = 1; i < nodes.size(); ++i) CHECK(nodes[i - 1]->sequence < nodes[i]->sequence);
}

TEST(a_chain_with_arrays_of_long_ago_is_sorted_too) {
  std::vector<Edge> old;
  const Edge x = floats({1});
  for (int i = 0; i < 20; ++i) {
    old.push_back(ew("negative", x));
    for (int k = 0; k < 1000; ++k) ew("abs", x);
  }
  Edge last = x;
  for (int i = 0; i < 500; ++i) last = ew("add", last, i % 7 ? x : old[i * 13 % 20]);
  const std::vector<Node*> nodes = order_of({last});
  CHECK_EQ(nodes.size(), 520u);
  for (size_t i = 1; i < nodes.size(); ++i) CHECK(nodes[i - 1]->sequence < nodes[i]->sequence);
}

TEST(evaluated_nodes_are_leaves_unless_their_edges_are_asked_for) {
  const uint32_t mask = open_trace();
  const Edge x = trace_leaf(floats({1}), mask);
  const Edge y = ew("negative", x);
  evaluate({y});
  const Edge z = ew("square", y);
  CHECK_EQ(order_of({z}).size(), 1u);
  CHECK_EQ(order_of({z}, true).size(), 3u);
  close_trace(mask);
}

TEST(dependents_skip_what_does_not_depend) {
  const Edge x = floats({1}), w = floats({2});
  const Edge leaf = ew("abs", x);
  const Edge used = ew("multiply", leaf, ew("negative", w));
  const Edge out = ew("add", used, ew("square", w));
  std::vector<Node*> nodes;
  dependents(&out, 1, &leaf, 1, &nodes);
  CHECK_EQ(nodes.size(), 2u);
  CHECK(nodes[0] == used.node());
  CHECK(nodes[1] == out.node());
}

TEST(dependents_do_not_walk_what_is_older_than_the_leaves) {
  const Edge old = ew("negative", floats({1}));
  const uint64_t mark = old.node()->mark;
  const Edge leaf = ew("abs", old);
  const Edge out = ew("add", ew("square", leaf), old);
  std::vector<Node*> nodes;
  dependents(&out, 1, &leaf, 1, &nodes);
  CHECK_EQ(nodes.size(), 2u);
  CHECK_EQ(old.node()->mark, mark);
}

TEST(substitute_makes_what_depends_anew) {
  const Edge p = placeholder({2}, Dtype::float32, nullptr);
  const Edge w = ew("negative", floats({1, 2}));
  const Graph graph{{p}, {ew("add", ew("multiply", p, w), p), w, p}};
  const Edge x = floats({10, 20});
  const std::vector<Edge> results = substitute(graph, &x, 1);
  CHECK(results[1] == w);
  CHECK(results[2] == x);
  CHECK(values<float>(results[0]) == std::vector<float>({0, -20}));
  const Edge wide = floats({1, 2, 3, 4}, {2, 2});
  CHECK(values<float>(substitute(graph, &wide, 1)[0]) == std::vector<float>({0, -2, 0, -4}));
  const Graph fixed{{p}, {reverse(p)}};
  CHECK_THROWS(Error, "[test_reverse] the shape (2, 2)", substitute(fixed, &wide, 1));
}

TEST(simplify_merges_equal_nodes_and_drops_identity_casts) {
  const Edge p = placeholder({2}, Dtype::float32, nullptr);
  const Edge a = ew("add", ew("negative", p), scalar(1));
  const Edge b = ew("add", ew("negative", p), scalar(1));
  Graph graph{{p}, {ew("multiply", a, b)}};
  simplify(&graph);
  CHECK_EQ(print(graph), std::string("graph: inputs 1, outputs 1\n"
                                     "%0 = input : float32(2,)\n"
                                     "%1 = negative %0 : float32(2,)\n"
                                     "%2 = constant [1.0] : float32()\n"
                                     "%3 = add %1, %2 : float32(2,)\n"
                                     "%4 = multiply %3, %3 : float32(2,)\n"
                                     "return %4\n"));
}

TEST(simplify_keeps_the_order) {
  const Edge p = placeholder({2}, Dtype::float32, nullptr);
  const Edge a = ew("negative", p), same = ew("negative", p);
  const Edge changed = ew("abs", same), unchanged = ew("square", a);
  Graph graph{{p}, {ew("multiply", changed, unchanged), a}};
  simplify(&graph);
  CHECK_EQ(print(graph), std::string("graph: inputs 1, outputs 2\n"
                                     "%0 = input : float32(2,)\n"
                                     "%1 = negative %0 : float32(2,)\n"
                                     "%2 = abs %1 : float32(2,)\n"
                                     "%3 = square %1 : float32(2,)\n"
                                     "%4 = multiply %2, %3 : float32(2,)\n"
                                     "return %4\n"
                                     "return %1\n"));
}

TEST(simplify_keeps_signed_zeros_and_effects) {
  const Edge p = placeholder({1}, Dtype::float32, nullptr);
  Graph graph{{p}, {ew("add", p, scalar(0.0f)), ew("add", p, scalar(-0.0f))}};
  simplify(&graph);
  CHECK(!(graph.outputs[0] == graph.outputs[1]));
  if (!find_op("test_effect")) {
    Op made;
    made.name = "test_effect";
    made.kind = Kind::structural;
    made.effect = true;
    register_op(made);
  }
  Graph effects{{p},
                {structural_like("test_effect", p, 1)[0], structural_like("test_effect", p, 1)[0]}};
  simplify(&effects);
  CHECK(!(effects.outputs[0] == effects.outputs[1]));
}

TEST(prints_data_and_several_outputs) {
  const Edge p = placeholder({2}, Dtype::float32, nullptr);
  const std::vector<Edge> both = structural_like("test_signs", ew("add", p, floats({1, 2})), 2);
  CHECK_EQ(printed({p}, {both[1]}), std::string("graph: inputs 1, outputs 1\n"
                                                "%0 = input : float32(2,)\n"
                                                "%1 = data : float32(2,)\n"
                                                "%2 = add %0, %1 : float32(2,)\n"
                                                "%3 = test_signs %2 : float32(2,), float32(2,)\n"
                                                "return %3.1\n"));
}

int main(int argc, char** argv) {
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
