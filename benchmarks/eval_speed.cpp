// What the graph itself costs: building, lowering and running graphs whose arithmetic takes no
// time.
//
//   g++ -std=c++20 -O2 -I kernels/include -I kernels -I kernels/tests benchmarks/eval_speed.cpp -o
//   eval_speed
//       -L<build> -lmlxk -Wl,-rpath,<build> && ./eval_speed
#include <sys/resource.h>

#include <time.h>
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "graphs.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

double now() {  // of this thread: a busy machine disturbs it least
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The median time of one call in nanoseconds.
template <class Body> double median(int rounds, int calls, const Body& body) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const double start = now();
    for (int k = 0; k < calls; ++k) body();
    times.push_back((now() - start) / calls * 1e9);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double peak_mb() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

Edge chain(Edge x, int length) {
  const Op& add = op_named("add", Kind::elementwise);
  const StreamId stream = cpu();
  const Edge one = scalar(1);
  for (int i = 0; i < length; ++i) {
    const Edge inputs[] = {x, one};
    x = elementwise(add, inputs, 2, stream);
  }
  return x;
}

void long_chain(int length) {
  const Edge x = floats({1, 2, 3, 4});
  const double before = peak_mb();
  const double start = now();
  Edge y = chain(x, length);
  const double built = now();
  eval(&y, 1, false);
  const double evaluated = now();
  y = Edge();
  const double freed = now();
  std::printf(
      "chain of %d: build %.0f, eval and free %.0f, result %.0f, all %.0f ns a node; %.0f bytes a "
      "node\n",
      length, (built - start) / length * 1e9, (evaluated - built) / length * 1e9,
      (freed - evaluated) / length * 1e9, (freed - start) / length * 1e9,
      (peak_mb() - before) * 1024 * 1024 / length);
}

}  // namespace

int main(int argc, char** argv) {
  const Edge a = floats({1, 2, 3, 4});
  const Edge b = floats({5, 6, 7, 8});
  const Op& add = op_named("add", Kind::elementwise);
  const StreamId stream = cpu();
  std::printf("build a+b: %.0f ns\n", median(21, 1000, [&] {
                const Edge inputs[] = {a, b};
                elementwise(add, inputs, 2, stream);
              }));
  std::printf("eval(a+b): %.0f ns\n", median(21, 1000, [&] {
                const Edge inputs[] = {a, b};
                const Edge sum = elementwise(add, inputs, 2, stream);
                eval(&sum, 1, false);
              }));
  const Edge wide_a = floats(std::vector<float>(64, 1.5f));
  std::printf("6 ops on 64 elements: %.0f ns\n", median(21, 1000, [&] {
                const Edge y = ew("multiply", ew("add", ew("square", wide_a), scalar(1)),
                                  ew("negative", ew("abs", wide_a)));
                const Edge z = ew("maximum", y, wide_a);
                eval(&z, 1, false);
              }));
  std::printf("1000 x + 1: %.1f us\n", median(21, 20, [&] {
                                         const Edge y = chain(a, 1000);
                                         eval(&y, 1, false);
                                       }) / 1000);
  std::vector<Edge> many;
  std::printf("100 roots: %.1f us\n", median(21, 20, [&] {
                                        many.clear();
                                        for (int i = 0; i < 100; ++i) many.push_back(chain(a, 2));
                                        eval(many.data(), many.size(), false);
                                      }) / 1000);

  Graph graph;
  for (int i = 0; i < 4; ++i) graph.inputs.push_back(placeholder({4}, Dtype::float32, nullptr));
  Edge y = graph.inputs[0];
  for (int i = 0; i < 10; ++i) y = ew(i % 2 ? "multiply" : "add", y, graph.inputs[i % 4]);
  graph.outputs = {y};
  const auto recorded = std::make_shared<const Graph>(graph);
  const ProgramRef program = lower(graph);
  const Edge arguments[] = {a, b, a, b};
  std::printf("compiled call, 10 ops and 4 leaves: %.0f ns\n", median(21, 1000, [&] {
                const std::vector<Edge> results = call(recorded, program, arguments, 4, stream);
                eval(results.data(), 1, false);
              }));

  // A training step: 300 parameters that each run donates.
  Graph step;
  for (int i = 0; i < 300; ++i) step.inputs.push_back(placeholder({4}, Dtype::float32, nullptr));
  for (int i = 0; i < 300; ++i)
    step.outputs.push_back(ew("multiply", step.inputs[i], scalar(0.999f)));
  const auto step_graph = std::make_shared<const Graph>(step);
  const ProgramRef step_program = lower(step);
  std::vector<Edge> parameters;
  for (int i = 0; i < 300; ++i) parameters.push_back(floats({1, 2, 3, 4}));
  std::printf("compiled step, 300 parameters: %.1f us\n",
              median(21, 20, [&] {
                std::vector<Edge> next =
                    call(step_graph, step_program, parameters.data(), 300, stream);
                parameters = std::move(next);
                eval(parameters.data(), 300, false);
              }) / 1000);
  long_chain(1000000);
  if (argc > 1) long_chain(std::atoi(argv[1]));
  return 0;
}
