// Golden prints of Programs: what lowering, fusion and planning decide, readable and stable. And
// verify(), which must refuse what is broken.
#include <cstdlib>

#include "check.h"
#include "graph/lower.h"
#include "graphs.h"
#include "mlxk/error.h"

using namespace mlxk;
using namespace mlxk_graphs;

namespace {

Edge input(Dims shape, Dtype dtype = Dtype::float32) {
  return placeholder(std::move(shape), dtype, nullptr);
}

ProgramRef compiled(const std::vector<Edge>& inputs, const std::vector<Edge>& outputs) {
  Graph graph{inputs, outputs};
  ProgramRef program = lower(graph);
  verify(*program);
  return program;
}

// The Program of a plain eval of the roots.
std::string of_eval(const std::vector<Edge>& roots) {
  Lowering lowering;
  Program program;
  program.keep_chains = true;
  lowering.lower_roots(roots.data(), roots.size(), &program);
  verify(program);
  return print(program);
}

void expect(const std::string& found, const char* wanted) {
  if (found == wanted) return;
  mlxk_check::fail(__FILE__, __LINE__,
                   "the print is another:\n" + found + "instead of:\n" + wanted);
}

}  // namespace

TEST(merge) {
  const Edge x = input({4}), y = input({4});
  const Edge opposite = ew("negative", x), product = ew("multiply", x, y);
  const Edge out = ew("add", product, opposite);
  expect(print(*compiled({x, y}, {out})), R"(program: inputs 2, outputs 1, arena 0
%0 input 0
%1 input 1
%2 output 0 16 from %0
0: fused %2:float32(4,) <- %0:float32(4,), %1:float32(4,)
    s0:float32 = negative i0
    s1:float32 = multiply i0, i1
    s2:float32 = add s1, s0 -> o0
return %2:float32(4,)
)");
}

TEST(fan_out) {
  const Edge x = input({2, 3});
  const Edge shared = ew("square", x);
  expect(print(*compiled({x}, {ew("add", shared, x), ew("negative", shared), shared})),
         R"(program: inputs 1, outputs 3, arena 0
%0 input 0
%1 output 0 24 from %0
%2 output 1 24
%3 output 2 24
0: fused %1:float32(2, 3), %2:float32(2, 3), %3:float32(2, 3) <- %0:float32(2, 3)
    s0:float32 = square i0 -> o0
    s1:float32 = add s0, i0 -> o1
    s2:float32 = negative s0 -> o2
return %2:float32(2, 3)
return %3:float32(2, 3)
return %1:float32(2, 3)
)");
}

TEST(mixed_dtypes) {
  const Edge x = input({4}, Dtype::float16), n = input({4}, Dtype::int32);
  const Edge sum = ew("add", x, n), low = ew("less", n, constant(0, 0, 3, Dtype::int32));
  const Edge out = select(low, sum, scalar(1));
  expect(print(*compiled({x, n}, {out})), R"(program: inputs 2, outputs 1, arena 0
%0 input 0
%1 input 1
%2 output 0 16 from %1
0: fused %2:float32(4,) <- %1:int32(4,), %0:float16(4,)
    s0:float16 = cast i0
    s1:float16 = add i1, s0
    s2:bool = less i0, 3
    s3:float32 = cast s1
    s4:float32 = where s2, s3, 1 -> o0
return %2:float32(4,)
)");
}

TEST(views_inside_a_chain) {
  const Edge x = input({2, 3}), row = input({3});
  const Edge sum = ew("add", x, row);
  const Edge turned = transpose(sum, {1, 0});
  const Edge part = slice(ew("negative", turned), {1, 0}, {3, 2}, {1, 1});
  expect(print(*compiled({x, row}, {reshape(ew("square", part), {4})})),
         R"(program: inputs 2, outputs 1, arena 128
%0 input 0
%1 input 1
%2 planned 24 at 0
%3 planned 24 at 64
%4 output 0 16
0: fused %2:float32(2, 3) <- %0:float32(2, 3), %1:float32(2, 3)/(0, 1)
    s0:float32 = add i0, i1 -> o0
1: fused %3:float32(3, 2) <- %2:float32(3, 2)/(1, 3)
    s0:float32 = negative i0 -> o0
2: fused %4:float32(2, 2) <- %3:float32(2, 2)+8
    s0:float32 = square i0 -> o0
return %4:float32(4,)
)");
}

TEST(donation) {
  const Edge weight = input({64}), gradient = input({64});
  const Edge step = reverse(ew("multiply", gradient, scalar(0.5f)));
  expect(print(*compiled({weight, gradient}, {ew("subtract", weight, step)})),
         R"(program: inputs 2, outputs 1, arena 512
%0 input 0
%1 input 1
%2 planned 256 at 0
%3 planned 256 in place of %2
%4 planned 256 at 256
%5 output 0 256 from %0
0: fused %2:float32(64,) <- %1:float32(64,)
    s0:float32 = multiply i0, 0.5 -> o0
1: kernel test_reverse %3:float32(64,) <- %2:float32(64,) workspace %4
2: fused %5:float32(64,) <- %0:float32(64,), %3:float32(64,)
    s0:float32 = subtract i0, i1 -> o0
return %5:float32(64,)
)");
}

TEST(two_streams) {
  const StreamId a = cpu(), b = new_stream(DeviceKind::cpu);
  const Edge x = input({4});
  const Edge left = reverse(x, a);
  const Edge right = ew("negative", left, b);
  expect(print(*compiled({x}, {ew("add", left, right, a)})),
         R"(program: inputs 1, outputs 1, arena 192
%0 input 0
%1 planned 16 at 0 exclusive
%2 planned 16 at 64
%3 planned 16 at 128 exclusive
%4 output 0 16
0: [0] kernel test_reverse %1:float32(4,) <- %0:float32(4,) workspace %2
1: [0] record event 0
2: [1] wait event 0
3: [1] fused %3:float32(4,) <- %1:float32(4,)
    s0:float32 = negative i0 -> o0
4: [1] record event 1
5: [0] wait event 1
6: [0] fused %4:float32(4,) <- %1:float32(4,), %3:float32(4,)
    s0:float32 = add i0, i1 -> o0
return %4:float32(4,)
)");
}

TEST(live_intermediate) {
  const Edge x = floats({1, 2, 3, 4});
  const Edge kept = ew("add", x, scalar(1));
  const Edge out = ew("square", ew("negative", kept));
  expect(of_eval({out}), R"(program: inputs 1, outputs 2, arena 0
%0 input 0
%1 output 0 16 from %0
%2 output 1 16
0: fused %1:float32(4,), %2:float32(4,) <- %0:float32(4,)
    s0:float32 = add i0, 1 -> o0
    s1:float32 = negative s0
    s2:float32 = square s1 -> o1
)");
}

TEST(constant_immediates) {
  const Edge x = input({4}), n = input({4}, Dtype::uint8);
  const Edge out = ew("multiply", ew("add", x, scalar(2)), scalar(2));
  const Edge bytes = ew("add", n, constant(0, 0, 200, Dtype::uint8));
  expect(print(*compiled({x, n}, {out, bytes, broadcast_to(scalar(3), {2})})),
         R"(program: inputs 2, outputs 3, arena 0
%0 input 0
%1 input 1
%2 output 0 16 from %0
%3 output 1 4 from %1
%4 constant 0
%5 output 2 8
0: fused %2:float32(4,), %3:uint8(4,) <- %0:float32(4,), %1:uint8(4,)
    s0:float32 = add i0, 2
    s1:float32 = multiply s0, 2 -> o0
    s2:uint8 = add i1, 200 -> o1
1: copy %5:float32(2,) <- %4:float32(2,)
return %2:float32(4,)
return %3:uint8(4,)
return %5:float32(2,)
)");
}

TEST(kernel_with_private_copy) {
  const Edge x = input({2, 3});
  expect(print(*compiled({x}, {reverse(transpose(x, {1, 0}))})),
         R"(program: inputs 1, outputs 1, arena 64
%0 input 0
%1 output 0 24
%2 output 24 in place of %1
%3 planned 24 at 0
0: copy %1:float32(3, 2) <- %0:float32(3, 2)/(1, 3)
1: kernel test_reverse %2:float32(3, 2) <- %1:float32(3, 2) workspace %3
return %2:float32(3, 2)
)");
}

TEST(call_node) {
  const Edge p = input({4}), q = input({4});
  const ProgramRef inner = compiled({p, q}, {reverse(ew("add", p, q)), p});
  const auto graph = std::make_shared<const Graph>(Graph{{p, q}, {reverse(ew("add", p, q)), p}});
  const Edge x = floats({1, 2, 3, 4}), y = floats({5, 6, 7, 8});
  const Edge arguments[] = {ew("negative", x), y};
  const std::vector<Edge> results = call(callee(graph, inner), arguments, 2, cpu());
  expect(print(*inner), R"(program: inputs 2, outputs 1, arena 64
%0 input 0
%1 input 1
%2 output 0 16 from %1
%3 output 16 in place of %2
%4 planned 16 at 0
0: fused %2:float32(4,) <- %0:float32(4,), %1:float32(4,)
    s0:float32 = add i0, i1 -> o0
1: kernel test_reverse %3:float32(4,) <- %2:float32(4,) workspace %4
return %3:float32(4,)
return %0:float32(4,)
)");
  expect(of_eval({ew("add", results[0], results[1])}), R"(program: inputs 2, outputs 3, arena 256
%0 input 0
%1 output 0 16 from %0
%2 input 1
%3 output 1 16 from %2
%4 planned 256 at 0
%5 output 2 16
0: fused %1:float32(4,) <- %0:float32(4,)
    s0:float32 = negative i0 -> o0
1: call %3:uint8(16,) <- %1:float32(4,), %2:float32(4,) workspace %4
2: fused %5:float32(4,) <- %3:float32(4,), %1:float32(4,)
    s0:float32 = add i0, i1 -> o0
)");
}

TEST(verify_refuses_what_is_broken) {
  const Edge x = input({4});
  const Edge first = reverse(x), second = reverse(ew("negative", x));
  const Edge out =
      reverse(ew("add", reverse(ew("add", first, second)), ew("multiply", first, second)));
  const ProgramRef good = compiled({x}, {out});
  const auto broken = [&](const char* message, auto&& change) {
    Program copy;
    copy.slots = good->slots;
    copy.operands = good->operands;
    copy.instructions = good->instructions;
    copy.inputs = good->inputs;
    copy.input_slots = good->input_slots;
    copy.output_slots = good->output_slots;
    copy.results = good->results;
    copy.params = good->params;
    copy.streams = good->streams;
    copy.chains = good->chains;
    copy.chain_steps = good->chain_steps;
    copy.chain_dtypes = good->chain_dtypes;
    copy.chain_immediates = good->chain_immediates;
    copy.arena_bytes = good->arena_bytes;
    copy.max_operands = good->max_operands;
    copy.keep_chains = true;
    change(copy);
    CHECK_THROWS(Error, message, verify(copy));
  };
  broken("before it is written",
         [](Program& p) { std::swap(p.instructions[1], p.instructions[2]); });
  broken("reaches outside", [](Program& p) { p.operands[0].offset = 4; });
  broken("leaves the arena", [](Program& p) { p.arena_bytes = 0; });
  broken("mixes dtypes", [](Program& p) { p.chain_steps[0].input_dtype = Dtype::int32; });
  broken("has no kernel", [](Program& p) { p.instructions[0].kernel = nullptr; });
  broken("a result lies in slot", [](Program& p) { p.results[0].slot = 1000; });
  broken("share memory while both live", [](Program& p) {
    for (Slot& slot : p.slots) slot.offset = 0;
  });
}

int main(int argc, char** argv) {
  register_test_kernels();
  return mlxk_check::run(argc, argv);
}
