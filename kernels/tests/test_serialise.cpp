// Graphs as bytes: the round trip, and bytes that lie.
#include <cstdlib>
#include <random>

#include "check.h"
#include "graphs.h"
#include "mlxk/error.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

Graph read(const std::vector<uint8_t>& bytes) { return parse(bytes.data(), bytes.size()); }

Graph sample() {
  const Edge x = placeholder({2, 3}, Dtype::float32, nullptr),
             n = placeholder({3}, Dtype::int32, nullptr);
  const Edge weights = transpose(ew("add", floats({1, 2, 3, 4, 5, 6}, {3, 2}), scalar(0)), {1, 0});
  evaluate({weights});
  const Edge sum = ew("add", ew("multiply", x, weights), n);
  const std::vector<Edge> both = structural_like(
      "test_signs", sum, 2, cpu(),
      {Value("text"), Value(Dims{1, 2}), Value(2.5), Value(true), Value(),
       Value(List{Value(int64_t{7}), Value(std::complex<double>(1, 2))}), Value(Dtype::bfloat16)});
  const Edge part =
      slice(select(ew("less", both[0], scalar(20)), both[0], both[1]), {0, 1}, {2, 3}, {1, 1});
  return Graph{{x, n}, {part, cast(reshape(both[1], {6}), Dtype::float16, cpu()), x}};
}

}  // namespace

TEST(a_round_trip_keeps_the_graph_and_its_values) {
  const Graph graph = sample();
  const std::vector<uint8_t> bytes = serialise(graph);
  const Graph again = read(bytes);
  CHECK_EQ(print(again), print(graph));
  CHECK(serialise(again) == bytes);
  const Edge arguments[] = {floats({1, 2, 3, -4, -5, -6}, {2, 3}),
                            array_of<int32_t>({1, 2, 3}, {3}, Dtype::int32)};
  const std::vector<Edge> a = substitute(graph, arguments, 2), b = substitute(again, arguments, 2);
  CHECK(values<float>(a[0]) == values<float>(b[0]));
  CHECK(values<uint16_t>(a[1]) == values<uint16_t>(b[1]));
}

TEST(graphs_inside_parameters_travel) {
  const Edge p = placeholder({2}, Dtype::float32, nullptr);
  const auto inner = std::make_shared<const Graph>(Graph{{p}, {ew("negative", p)}});
  const Edge x = placeholder({2}, Dtype::float32, nullptr);
  const Graph graph{{x}, {structural_like("test_reverse", x, 1, cpu(), {Value(inner)})[0]}};
  const Graph again = read(serialise(graph));
  CHECK_EQ(print(*again.outputs[0].node()->params[0].graph()), print(*inner));
}

TEST(what_cannot_travel_is_refused) {
  const Edge x = placeholder({2}, Dtype::float32, nullptr),
             other = placeholder({2}, Dtype::float32, nullptr);
  const Graph closure{
      {x}, {structural_like("test_reverse", x, 1, cpu(), {Value(std::make_shared<Opaque>())})[0]}};
  CHECK_THROWS(Error, "[test_reverse] a Python object", serialise(closure));
  CHECK_THROWS(Error, "none of its inputs", serialise(Graph{{x}, {ew("add", x, other)}}));
  CHECK_THROWS(Error, "these bytes are no graph", read({'n', 'o', 'n', 'e', 0, 0, 0, 0}));
  std::vector<uint8_t> bytes = serialise(sample());
  bytes[4] = 9;
  CHECK_THROWS(Error, "version 9", read(bytes));
}

TEST(a_truncated_file_raises_at_every_length) {
  const std::vector<uint8_t> bytes = serialise(sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of that very size, so that a sanitizer sees a read beyond it.
    const std::vector<uint8_t> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    CHECK_THROWS(Error, "", read(part));
  }
}

TEST(random_corruption_raises_or_gives_a_graph_that_lowers) {
  const std::vector<uint8_t> bytes = serialise(sample());
  const char* rounds = std::getenv("MLXK_FUZZ_BYTES");
  std::mt19937 random(3);
  int parsed = 0;
  for (int i = 0; i < (rounds ? std::atoi(rounds) : 20000); ++i) {
    std::vector<uint8_t> hurt = bytes;
    for (uint32_t n = random() % 4 + 1; n > 0; --n) {
      const size_t at = random() % hurt.size();
      constexpr uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
      hurt[at] = random() % 2 ? static_cast<uint8_t>(random()) : edges[random() % 5];
    }
    try {
      const Graph graph = read(hurt);
      bool small = true;
      std::vector<Node*> nodes;
      order(graph.outputs.data(), graph.outputs.size(), false, &nodes);
      for (Node* node : nodes) {
        for (uint32_t k = 0; k < node->output_count; ++k)
          small &= element_count(node->outputs[k].shape) < 100000;
      }
      ++parsed;
      if (small) verify(*lower(graph));
    } catch (const Error&) {}
  }
  CHECK(parsed > 0);
}

int main(int argc, char** argv) {
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
