// eval over all kinds of nodes: results, memory, errors, streams, traces.
#include <cstdlib>
#include <mutex>
#include <thread>

#include "check.h"
#include "graphs.h"
#include "mlxk/error.h"

using namespace mlxk;
using namespace mlxk_graphs;

using Floats = std::vector<float>;

TEST(evaluates_a_chain_with_scalars) {
  const Edge x = floats({1, 2, 3});
  const Edge y = ew("multiply", ew("add", x, scalar(1)), scalar(2));
  CHECK(values<float>(y) == Floats({4, 6, 8}));
  CHECK_EQ(y.node()->input_count, 0u);
}

TEST(broadcasts_by_stride_zero) {
  const Edge column = floats({1, 2}, {2, 1});
  const Edge row = floats({10, 20, 30}, {3});
  CHECK(values<float>(ew("add", column, row)) == Floats({11, 21, 31, 12, 22, 32}));
}

TEST(an_intermediate_with_a_handle_is_stored_once) {
  const Edge x = floats({1, 2, 3});
  const Edge inner = ew("negative", x);
  const Edge outer = ew("square", inner);
  evaluate({outer});
  CHECK(inner.node()->evaluated());
  CHECK(values<float>(inner) == Floats({-1, -2, -3}));
}

TEST(an_intermediate_without_a_handle_is_not_stored) {
  const Edge x = floats({1, 2, 3});
  const size_t before = active_memory();
  const Edge outer = ew("square", ew("negative", ew("negative", x)));
  evaluate({outer});
  CHECK_EQ(active_memory() - before, 3 * sizeof(float));
}

TEST(views_share_the_buffer_of_their_base) {
  const Edge x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  const Edge doubled = ew("add", x, x);
  const Edge turned = transpose(doubled, {1, 0});
  const Edge part = slice(turned, {1, 0}, {3, 2}, {1, 1});
  evaluate({part, doubled});
  CHECK(part.node()->outputs[0].buffer.get() == doubled.node()->outputs[0].buffer.get());
  CHECK(values<float>(part) == Floats({4, 10, 6, 12}));
  CHECK(values<float>(reshape(turned, {6})) == Floats({2, 8, 4, 10, 6, 12}));
}

TEST(constants_as_roots_and_under_views) {
  CHECK(values<float>(scalar(2.5f)) == Floats({2.5f}));
  CHECK(values<float>(scalar(2.5f)) == Floats({2.5f}));
  const Edge full = broadcast_to(scalar(7), {2, 2});
  CHECK(values<float>(full) == Floats({7, 7, 7, 7}));
  CHECK_EQ(full.node()->outputs[0].strides[1], 1);  // no view of what equal constants share
  const Edge half = constant(1.5, 0, 0, Dtype::float16);
  CHECK_EQ(values<uint16_t>(half)[0], 0x3e00);
  CHECK_EQ(values<uint16_t>(constant(1.5, 0, 0, Dtype::bfloat16))[0], 0x3fc0);
  CHECK_EQ(values<int64_t>(constant(0, 0, -5, Dtype::int64))[0], -5);
}

TEST(kernels_get_private_copies_and_workspace) {
  const Edge x = floats({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(values<float>(reverse(transpose(x, {1, 0}))) == Floats({6, 3, 5, 2, 4, 1}));
  const std::vector<Edge> both = structural_like("test_signs", floats({-1, 2}), 2);
  CHECK(values<float>(ew("subtract", both[0], both[1])) == Floats({1, 2}));
  CHECK(values<float>(both[1]) == Floats({-1, 0}));
}

TEST(a_donated_input_lends_its_buffer) {
  Edge x = ew("add", floats({1, 2, 3}), scalar(1));
  evaluate({x});
  const Buffer* buffer = x.node()->outputs[0].buffer.get();
  Edge y = ew("multiply", x, scalar(2));
  x = Edge();
  evaluate({y});
  CHECK(y.node()->outputs[0].buffer.get() == buffer);
  CHECK(values<float>(y) == Floats({4, 6, 8}));
}

TEST(an_input_with_a_handle_or_a_view_is_not_donated) {
  const Edge x = ew("add", floats({1, 2, 3, 4}), scalar(1));
  evaluate({x});
  const Edge y = ew("multiply", x, scalar(2));
  evaluate({y});
  CHECK(values<float>(x) == Floats({2, 3, 4, 5}));
  Edge base = ew("add", x, x);
  const Edge view = slice(base, {0}, {2}, {1});
  evaluate({base, view});
  Edge z = ew("negative", base);
  base = Edge();
  evaluate({z});
  CHECK(values<float>(view) == Floats({4, 6}));
  Edge exported = ew("add", x, x);
  evaluate({exported});
  const BufferRef held = exported.node()->outputs[0].buffer;
  Edge after = ew("negative", exported);
  exported = Edge();
  evaluate({after});
  CHECK_EQ(static_cast<float*>(held->bytes)[0], 4.0f);
}

TEST(a_placeholder_names_itself) {
  struct Where : Opaque {
    std::string str() const override { return "function `f`, line 3."; }
  };
  const Edge p = placeholder({2}, Dtype::float32, std::make_shared<Where>());
  const Edge y = ew("negative", p);
  CHECK_THROWS(Error, "function `f`, line 3.", evaluate({y}));
  CHECK(!y.node()->evaluated());
}

TEST(an_open_trace_keeps_edges) {
  const uint32_t mask = open_trace();
  const Edge x = trace_leaf(floats({1, 2}), mask);
  const Edge y = ew("square", ew("negative", x));
  evaluate({y});
  CHECK_EQ(y.node()->input_count, 1u);
  const Edge inner = y.node()->inputs[0];
  CHECK(inner.node()->evaluated());  // the trace may want it: it is not computed twice
  std::vector<Node*> walk;
  dependents(&y, 1, &x, 1, &walk);
  CHECK_EQ(walk.size(), 2u);
  close_trace(mask);
  CHECK_EQ(y.node()->input_count, 0u);
  CHECK(values<float>(y) == Floats({1, 4}));
}

TEST(a_failed_kernel_poisons_its_outputs) {
  const Edge x = structural_like("test_fail", floats({1, 2}), 1)[0];
  const Edge y = ew("negative", x);
  CHECK_THROWS(std::runtime_error, "the kernel failed", evaluate({y}));
  CHECK_THROWS(std::runtime_error, "the kernel failed", values<float>(y));
  const Edge z = ew("negative", y);
  CHECK_THROWS(std::runtime_error, "the kernel failed", evaluate({z}));
}

TEST(async_errors_surface_when_read) {
  const Edge x = structural_like("test_fail", floats({1, 2}), 1)[0];
  evaluate({x}, true);
  CHECK_THROWS(std::runtime_error, "the kernel failed", values<float>(x));
}

TEST(streams_wait_for_each_other) {
  const StreamId a = new_stream(DeviceKind::cpu);
  const StreamId b = new_stream(DeviceKind::cpu);
  for (int round = 0; round < 20; ++round) {
    const Edge x = floats(Floats(1000, 1.0f));
    const Edge left = reverse(ew("add", x, scalar(1), a), a);
    const Edge right = reverse(ew("multiply", left, scalar(3), b), b);
    const Edge sum = ew("add", left, right, a);
    evaluate({sum}, round % 2);
    CHECK(values<float>(sum) == Floats(1000, 8.0f));
  }
}

TEST(a_failure_crosses_streams) {
  const StreamId a = new_stream(DeviceKind::cpu);
  const StreamId b = new_stream(DeviceKind::cpu);
  const Edge bad = structural_like("test_fail", floats({1, 2}), 1, a)[0];
  const Edge y = ew("negative", bad, b);
  CHECK_THROWS(std::runtime_error, "the kernel failed", evaluate({y}));
}

TEST(async_work_is_waited_for_by_later_graphs) {
  Edge x = floats(Floats(100000, 0.0f));
  for (int i = 0; i < 50; ++i) {
    x = ew("add", x, scalar(1));
    evaluate({x}, true);
  }
  CHECK(values<float>(x) == Floats(100000, 50.0f));
}

TEST(running_out_of_memory_changes_nothing) {
  const size_t former = set_memory_limit(size_t{1} << 20);
  setenv("MLX_STRICT_MEMORY", "1", 1);
  const Edge x = broadcast_to(scalar(1), {1 << 20});
  const Edge y = ew("negative", x);
  CHECK_THROWS(Error, "memory", evaluate({y}));
  CHECK(!y.node()->evaluated());
  setenv("MLX_STRICT_MEMORY", "0", 1);
  set_memory_limit(former);
  CHECK_EQ(values<float>(y)[5], -1.0f);
}

TEST(a_million_ops_deep) {
  Edge x = floats({0, 1});
  for (int i = 0; i < 1000000; ++i) x = ew("add", x, scalar(1));
  CHECK(values<float>(x) == Floats({1000000, 1000001}));
}

TEST(async_errors_surface_at_synchronize) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  const Edge x = structural_like("test_fail", floats({1, 2}), 1, stream)[0];
  evaluate({x}, true);
  CHECK_THROWS(std::runtime_error, "the kernel failed", synchronize(stream));
  synchronize(stream);
}

TEST(errors_name_the_line) {
  set_source_names([](uint32_t source) { return "train.py:" + std::to_string(source); });
  const uint32_t former = set_source(12);
  const Edge x = structural_like("test_error", floats({1, 2}), 1)[0];
  set_source(former);
  CHECK_THROWS(Error, "[test_error] no. The array was made at train.py:12.", evaluate({x}));
  set_source_names(nullptr);
}

TEST(threads_share_arrays_under_the_graph_lock) {
  static std::mutex mutex;
  mutex.lock();
  set_graph_lock({[]() -> void* {
                    mutex.unlock();
                    return nullptr;
                  },
                  [](void*) { mutex.lock(); }});
  {
    const Edge shared = floats(Floats(50000, 1.0f));
    std::vector<Edge> latest(1, ew("add", shared, scalar(1)));
    const auto work = [&](int seed) {
      outside_graph_lock(true);
      for (int i = 0; i < 50; ++i) {
        mutex.lock();
        outside_graph_lock(false);
        // Each works on what the other may still be computing.
        Edge mine = ew("add", latest[0], scalar(1));
        for (int k = 0; k < i % 5; ++k) mine = reverse(mine);
        latest[0] = ew("subtract", mine, scalar(1));
        eval(latest.data(), 1, (i + seed) % 3 == 0);
        mine = Edge();
        outside_graph_lock(true);
        mutex.unlock();
      }
    };
    mutex.unlock();
    std::thread a(work, 0), b(work, 1);
    a.join();
    b.join();
    mutex.lock();
    CHECK(values<float>(latest[0]) == Floats(50000, 2.0f));
  }
  set_graph_lock({nullptr, nullptr});
  mutex.unlock();
}

TEST(an_interrupt_ends_a_run) {
  static bool interrupt_now = true;
  KernelTable& table = kernels(DeviceKind::cpu);
  Kernel signal;
  signal.run = [](const KernelCall&) {
    if (interrupt_now) request_interrupt();
  };
  table.add("test_interrupt", signal);
  const Edge x = reverse(structural_like("test_interrupt", floats({1, 2}), 1)[0]);
  CHECK_THROWS(Error, "[eval] interrupted.", evaluate({x}));
  interrupt_now = false;
  const Edge y = reverse(structural_like("test_interrupt", floats({1, 2}), 1)[0]);
  evaluate({y});  // the old request is over
  CHECK(!interrupt_requested());
}

TEST(empty_arrays) {
  const Edge x = floats({}, {0, 3});
  CHECK(values<float>(ew("add", x, scalar(1))).empty());
  CHECK(values<float>(reverse(reshape(transpose(x, {1, 0}), {0}))).empty());
}

int main(int argc, char** argv) {
  setenv("MLXK_VERIFY", "1", 1);
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
