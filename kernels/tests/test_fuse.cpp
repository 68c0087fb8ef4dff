// Which nodes become one chain: bounds, further outputs, convexity, streams.
#include <algorithm>
#include <cmath>
#include <string>

#include "check.h"
#include "graph/lower.h"
#include "graphs.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

struct Shape {
  size_t fused = 0, kernels = 0, copies = 0, outputs = 0, steps = 0, widest = 0;
};

Shape lowered(const std::vector<Edge>& roots) {
  Lowering lowering;
  Program program;
  program.keep_chains = true;
  lowering.lower_roots(roots.data(), roots.size(), &program);
  verify(program);
  Shape shape;
  for (const Instruction& instruction : program.instructions) {
    shape.fused += instruction.kind == Instruction::Kind::fused;
    shape.kernels += instruction.kind == Instruction::Kind::kernel;
    shape.copies += instruction.kind == Instruction::Kind::copy;
    if (instruction.kind != Instruction::Kind::fused) continue;
    shape.outputs += instruction.output_count;
    shape.steps += program.chains[instruction.index].step_count;
    shape.widest = std::max<size_t>(shape.widest, instruction.input_count);
  }
  return shape;
}

}  // namespace

TEST(a_long_chain_is_cut_by_steps) {
  Edge x = floats({1, 2});
  for (int i = 0; i < 200; ++i) x = ew("add", x, scalar(1));
  const Shape shape = lowered({x});
  CHECK_EQ(shape.fused, 4u);
  CHECK_EQ(shape.steps, 200u);
  CHECK_EQ(shape.outputs, 4u);
  CHECK(values<float>(x) == std::vector<float>({201, 202}));
}

TEST(division_by_a_power_of_two_is_multiplication) {
  const float tiny = 1e-45f, large = 3e38f, inf = INFINITY;
  const Edge x = floats({3, -0.0f, tiny, large, inf});
  const auto formula = [&](const Edge& y) {
    Lowering lowering;
    Program program;
    program.keep_chains = true;
    lowering.lower_roots(&y, 1, &program);
    return std::string(scalar_formula(program.chain_steps[0].formula).name);
  };
  for (const double divisor : {0.5, -4.0, 16384.0, 1.0}) {
    const Edge y = ew("divide", x, scalar(divisor));
    CHECK_EQ(formula(y), "multiply");
    const auto d = static_cast<float>(divisor);
    CHECK(values<float>(y) == std::vector<float>({3 / d, -0.0f / d, tiny / d, large / d, inf / d}));
    CHECK_EQ(std::signbit(values<float>(y)[1]), d > 0);
  }
  for (const double divisor : {3.0, 0.0, 65536.0, HUGE_VAL})
    CHECK_EQ(formula(ew("divide", x, scalar(divisor))), "divide");
  CHECK_EQ(formula(ew("divide", scalar(2), x)), "divide");
}

TEST(equal_constants_are_one_immediate) {
  Edge x = floats({1});
  for (int i = 0; i < 20; ++i) x = ew("add", x, scalar(1));
  x = ew("multiply", x, ew("add", x, scalar(2)));
  Lowering lowering;
  Program program;
  program.keep_chains = true;
  lowering.lower_roots(&x, 1, &program);
  CHECK_EQ(program.chain_immediates.size(), 2u);
}

TEST(many_inputs_are_cut) {
  std::vector<Edge> leaves;
  for (int i = 0; i < 40; ++i) leaves.push_back(floats({static_cast<float>(i)}));
  Edge sum = leaves[0];
  for (int i = 1; i < 40; ++i) sum = ew("add", sum, leaves[i]);
  const Shape shape = lowered({sum});
  CHECK(shape.widest <= static_cast<size_t>(max_fused_inputs));
  CHECK_EQ(shape.fused, 3u);
  CHECK_EQ(values<float>(sum)[0], 780.0f);
}

TEST(many_outputs_are_cut) {
  const Edge x = floats({1, 2});
  std::vector<Edge> roots;
  for (int i = 0; i < 30; ++i) roots.push_back(ew("add", x, scalar(static_cast<float>(i))));
  const Shape shape = lowered(roots);
  CHECK_EQ(shape.fused, 4u);
  CHECK_EQ(shape.outputs, 30u);
  for (int i = 0; i < 30; ++i) CHECK_EQ(values<float>(roots[i])[1], 2.0f + static_cast<float>(i));
}

TEST(a_prefix_with_few_outputs_is_found_among_many_open_values) {
  // Ten values are needed at once and then consumed: the cut must come where at most eight are
  // open.
  const Edge x = floats({1, 2});
  std::vector<Edge> open;
  for (int i = 0; i < 12; ++i) open.push_back(ew("add", x, scalar(static_cast<float>(i))));
  Edge sum = open[0];
  for (int i = 1; i < 12; ++i) sum = ew("multiply", sum, open[i]);
  std::vector<Edge> held(open.begin(), open.begin() + 9);
  open.clear();
  held.push_back(sum);
  const Shape shape = lowered(held);
  CHECK_EQ(shape.steps, 23u);  // nothing is computed twice
  CHECK_EQ(values<float>(held[8])[0], 9.0f);
}

TEST(nothing_is_computed_twice) {
  const Edge x = floats({1, 2});
  const Edge shared = ew("square", x);
  const Edge a = ew("negative", shared), b = reverse(shared), c = ew("abs", shared);
  const Shape shape = lowered({a, b, c});
  CHECK_EQ(shape.steps, 3u);
  CHECK_EQ(shape.kernels, 1u);
}

TEST(other_shapes_and_streams_do_not_merge) {
  const Edge x = floats({1, 2}), y = floats({1, 2, 3});
  CHECK_EQ(lowered({ew("negative", x), ew("negative", y)}).fused, 2u);
  const StreamId other = new_stream(DeviceKind::cpu);
  CHECK_EQ(lowered({ew("negative", x), ew("abs", x, other)}).fused, 2u);
  CHECK_EQ(lowered({ew("negative", x), ew("abs", x)}).fused, 1u);
}

TEST(a_view_of_a_member_ends_the_group) {
  const Edge x = floats({1, 2, 3, 4}, {2, 2});
  const Edge doubled = ew("add", x, x);
  const Edge out = ew("add", doubled, transpose(doubled, {1, 0}));
  const Shape shape = lowered({out});
  CHECK_EQ(shape.fused, 2u);
  CHECK_EQ(shape.copies, 0u);
  CHECK(values<float>(out) == std::vector<float>({4, 10, 10, 16}));
}

TEST(a_view_of_something_else_does_not) {
  const Edge x = floats({1, 2, 3, 4}, {2, 2});
  const Edge doubled = ew("add", x, x);
  const Edge out = ew("add", doubled, transpose(x, {1, 0}));
  CHECK_EQ(lowered({out}).fused, 1u);
  CHECK(values<float>(out) == std::vector<float>({3, 7, 8, 12}));
}

int main(int argc, char** argv) {
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
