// Which slots share memory: in place, by the arena, by donation; and what must not.
#include "check.h"
#include "graph/lower.h"
#include "graphs.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

Edge input(Dims shape, Dtype dtype = Dtype::float32) {
  return placeholder(std::move(shape), dtype, nullptr);
}

ProgramRef compiled(const std::vector<Edge>& inputs, const std::vector<Edge>& outputs) {
  ProgramRef program = lower(Graph{inputs, outputs});
  verify(*program);
  return program;
}

}  // namespace

TEST(a_chain_of_kernels_needs_one_buffer_and_its_workspace) {
  const Edge x = input({1024});
  Edge y = x;
  for (int i = 0; i < 10; ++i) y = reverse(y);
  const ProgramRef program = compiled({x}, {y});
  CHECK_EQ(program->output_slots.size(), 1u);
  CHECK_EQ(program->arena_bytes, 4096u);  // the workspace; each kernel writes over its input
  CHECK_EQ(program->slots[program->output_slots[0]].donor, 0);
}

TEST(lives_that_do_not_overlap_share_the_arena) {
  const Edge x = input({2, 512});
  Edge y = x;
  for (int i = 0; i < 10; ++i)
    y = ew("add", transpose(reverse(transpose(y, {1, 0})), {1, 0}), scalar(1));
  const ProgramRef program = compiled({x}, {y});
  CHECK(program->arena_bytes <= 3 * 4096);
}

TEST(many_temporaries_are_placed_tightly) {
  const Edge x = input({16});
  std::vector<Edge> parts;
  for (int i = 0; i < 100; ++i)
    parts.push_back(reverse(ew("add", x, scalar(static_cast<float>(i)))));
  Edge sum = parts[0];
  for (int i = 1; i < 100; ++i) sum = ew("add", sum, parts[i]);
  const ProgramRef program = compiled({x}, {sum});
  CHECK(program->arena_bytes <= 64 * 104);
}

TEST(a_broadcast_or_transposed_input_is_not_written_over) {
  const Edge row = input({1, 4}), square = input({4, 4});
  const ProgramRef program = compiled({row, square}, {ew("add", row, transpose(square, {1, 0}))});
  CHECK_EQ(program->slots[program->output_slots[0]].donor, -1);
}

TEST(an_input_read_in_two_layouts_is_not_written_over) {
  const Edge square = input({4, 4});
  const ProgramRef program = compiled({square}, {ew("add", square, transpose(square, {1, 0}))});
  CHECK_EQ(program->slots[program->output_slots[0]].donor, -1);
}

TEST(an_input_that_is_a_result_or_read_later_is_not_written_over) {
  const Edge x = input({4});
  const ProgramRef result = compiled({x}, {ew("negative", x), x});
  CHECK_EQ(result->slots[result->output_slots[0]].donor, -1);
  const Edge first = reverse(ew("negative", x));
  const ProgramRef later = compiled({x}, {reverse(ew("add", first, x))});
  const Slot& out = later->slots[later->output_slots[0]];
  CHECK(out.donor == -1 || out.first > 1);
}

TEST(other_item_sizes_are_not_written_over) {
  const Edge n = input({4}, Dtype::int64);
  const ProgramRef program = compiled({n}, {cast(n, Dtype::float32, cpu())});
  CHECK_EQ(program->slots[program->output_slots[0]].donor, -1);
}

TEST(a_call_passes_donation_through) {
  const Edge p = input({64}), g = input({64});
  const auto graph =
      std::make_shared<const Graph>(Graph{{p, g}, {ew("subtract", p, g), ew("abs", g)}});
  const ProgramRef program = lower(*graph);
  Edge weight = ew("add", floats(std::vector<float>(64, 3)), scalar(0));
  const Edge gradient = floats(std::vector<float>(64, 1));
  evaluate({weight});
  const Buffer* buffer = weight.node()->outputs[0].buffer.get();
  Edge loss;
  for (int step = 0; step < 5; ++step) {
    const Edge arguments[] = {weight, gradient};
    weight = Edge();
    std::vector<Edge> results = call(callee(graph, program), arguments, 2, cpu());
    const_cast<Edge&>(arguments[0]) = Edge();
    evaluate(results);
    weight = results[0];
    loss = results[1];  // kept: it does not hold the weight
    CHECK(weight.node()->outputs[0].buffer.get() == buffer);
  }
  CHECK_EQ(values<float>(weight)[0], -2.0f);
  CHECK_EQ(values<float>(gradient)[0], 1.0f);
}

TEST(the_same_argument_twice_is_not_donated) {
  const Edge p = input({4}), q = input({4});
  const auto graph = std::make_shared<const Graph>(Graph{{p, q}, {ew("add", reverse(p), q)}});
  const ProgramRef program = lower(*graph);
  Edge x = ew("add", floats({1, 2, 3, 4}), scalar(0));
  evaluate({x});
  const Edge arguments[] = {x, x};
  const std::vector<Edge> results = call(callee(graph, program), arguments, 2, cpu());
  x = Edge();
  const_cast<Edge&>(arguments[0]) = const_cast<Edge&>(arguments[1]) = Edge();
  CHECK(values<float>(results[0]) == std::vector<float>({5, 5, 5, 5}));
}

TEST(a_captured_array_is_computed_once) {
  const Edge p = input({4});
  const Edge captured = reverse(floats({1, 2, 3, 4}));
  const Edge inner = ew("add", p, reverse(captured));
  const ProgramRef program = compiled({p}, {ew("multiply", inner, captured)});
  CHECK(captured.node()->evaluated());
  CHECK_EQ(program->constants.size(), 1u);
  size_t kernels = 0;
  for (const Instruction& instruction : program->instructions)
    kernels += instruction.kind == Instruction::Kind::kernel;
  CHECK_EQ(kernels, 1u);
}

TEST(a_strided_argument_of_a_call_is_copied) {
  const Edge p = input({3, 2});
  const auto graph = std::make_shared<const Graph>(Graph{{p}, {reverse(p), p, reshape(p, {6})}});
  const ProgramRef program = lower(*graph);
  const Edge x = transpose(floats({1, 2, 3, 4, 5, 6}, {2, 3}), {1, 0});
  const std::vector<Edge> results = call(callee(graph, program), &x, 1, cpu());
  CHECK(values<float>(results[0]) == std::vector<float>({6, 3, 5, 2, 4, 1}));
  CHECK(values<float>(results[1]) == std::vector<float>({1, 4, 2, 5, 3, 6}));
  CHECK(values<float>(results[2]) == std::vector<float>({1, 4, 2, 5, 3, 6}));
}

int main(int argc, char** argv) {
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
