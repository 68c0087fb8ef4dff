// Times of the elementwise machine, without Python or graph: chains over n float32 as multiples of
// a copy of the same traffic in the same rounds, and, below 10^5 elements, nanoseconds of one run.
//
//   g++ -std=c++20 -O2 -I kernels/include benchmarks/elementwise_speed.cpp -L<build> -lmlxk
//       -Wl,-rpath,<build> -o elementwise_speed && ./elementwise_speed [n] [rounds] [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "mlxk/kernel.h"
#include "mlxk/runtime.h"
#include "mlxk/threads.h"

using namespace mlxk;

namespace {

constexpr Dtype f32 = Dtype::float32;

struct Case {
  std::string name;
  std::vector<FusedStep> steps;
  std::vector<Dtype> inputs, outputs;
  std::vector<Immediate> immediates;
};

FusedStep step(uint16_t formula, Dtype input, Dtype result, std::vector<FusedArg> args,
               int output) {
  FusedStep s{};
  s.formula = formula;
  s.arg_count = static_cast<uint8_t>(args.size());
  s.dtype = result;
  s.input_dtype = input;
  std::copy(args.begin(), args.end(), s.args);
  s.output = static_cast<int16_t>(output);
  return s;
}
FusedStep on_f32(const char* formula, std::vector<FusedArg> args, int output = -1) {
  return step(scalar_formula(formula), f32, f32, args, output);
}
FusedArg in(int k) { return {FusedArg::input, static_cast<uint16_t>(k)}; }
FusedArg earlier(int k) { return {FusedArg::step, static_cast<uint16_t>(k)}; }
FusedArg constant(int k) { return {FusedArg::immediate, static_cast<uint16_t>(k)}; }
Immediate immediate(float value) {
  Immediate i{};
  i.dtype = f32;
  std::memcpy(i.bytes, &value, 4);
  return i;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"add", {on_f32("add", {in(0), in(1)}, 0)}, {f32, f32}, {f32}, {}});
  all.push_back({"x + 1", {on_f32("add", {in(0), constant(0)}, 0)}, {f32}, {f32}, {immediate(1)}});
  all.push_back({"x * y + z",
                 {on_f32("multiply", {in(0), in(1)}), on_f32("add", {earlier(0), in(2)}, 0)},
                 {f32, f32, f32},
                 {f32},
                 {}});
  for (const Dtype d : {Dtype::bfloat16, Dtype::float16, Dtype::int32, Dtype::int8, Dtype::bool_}) {
    all.push_back({std::string("float32 to ") + name(d),
                   {step(fused_cast, f32, d, {in(0)}, 0)},
                   {f32},
                   {d},
                   {}});
    all.push_back({std::string(name(d)) + " to float32",
                   {step(fused_cast, d, f32, {in(0)}, 0)},
                   {d},
                   {f32},
                   {}});
  }
  for (const char* formula : {"sqrt", "exp", "tanh", "sin", "log", "erf", "sigmoid"})
    all.push_back({formula, {on_f32(formula, {in(0)}, 0)}, {f32}, {f32}, {}});
  all.push_back({"gelu (erf)",
                 {on_f32("multiply", {in(0), constant(0)}), on_f32("erf", {earlier(0)}),
                  on_f32("add", {earlier(1), constant(1)}), on_f32("multiply", {in(0), earlier(2)}),
                  on_f32("multiply", {earlier(3), constant(2)}, 0)},
                 {f32},
                 {f32},
                 {immediate(0.70710678f), immediate(1), immediate(0.5f)}});
  Case ten{"ten cheap ops", {}, {f32}, {f32}, {immediate(1.0001f), immediate(0.01f)}};
  for (int i = 0; i < 10; i++)
    ten.steps.push_back(on_f32(i % 2 ? "add" : "multiply",
                               {i ? earlier(i - 1) : in(0), constant(i % 2)}, i == 9 ? 0 : -1));
  all.push_back(ten);
  return all;
}

double milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

void measure(const Case& one, int64_t n, int rounds, const std::vector<BufferRef>& buffers) {
  const auto count = [](const auto& list) { return static_cast<uint16_t>(list.size()); };
  const FusedChain chain{one.steps.data(),      one.inputs.data(),    one.outputs.data(),
                         one.immediates.data(), count(one.steps),     count(one.inputs),
                         count(one.outputs),    count(one.immediates)};
  const BufferRef code = allocate(fused_engine().bytes(chain));
  fused_engine().compile(chain, code->bytes);
  const int64_t stride = 1;
  std::vector<Tensor> inputs, outputs;
  int64_t traffic = 0;
  for (size_t k = 0; k < one.inputs.size(); k++) {
    inputs.push_back({buffers[k]->bytes, &n, &stride, n, 1, one.inputs[k]});
    traffic += n * static_cast<int64_t>(itemsize(one.inputs[k]));
  }
  outputs.push_back({buffers[3]->bytes, &n, &stride, n, 1, one.outputs[0]});
  traffic += n * static_cast<int64_t>(itemsize(one.outputs[0]));
  const int64_t half = traffic / 2;
  const Tensor from{buffers[1]->bytes, &half, &stride, half, 1, Dtype::uint8};
  const Tensor to{buffers[3]->bytes, &half, &stride, half, 1, Dtype::uint8};
  const int repeats = n < 100000 ? static_cast<int>(3000000 / (n + 100)) : 1;
  std::vector<double> times, copies;
  for (int round = 0; round < rounds + 2; round++) {
    const double start = milliseconds();
    for (int i = 0; i < repeats; i++)
      fused_engine().run(code->bytes, inputs.data(), outputs.data());
    const double middle = milliseconds();
    copy_tensor(from, to);
    if (round < 2) continue;
    times.push_back((middle - start) / repeats);
    copies.push_back(milliseconds() - middle);
  }
  std::sort(times.begin(), times.end());
  std::sort(copies.begin(), copies.end());
  const double median = times[times.size() / 2], copy = copies[copies.size() / 2];
  if (n < 100000)
    std::printf("%-22s %9.1f ns a run, least %9.1f\n", one.name.c_str(), median * 1e6,
                times[0] * 1e6);
  else
    std::printf("%-22s %8.3f ms, %5.2f of a copy; least %8.3f ms, %5.2f\n", one.name.c_str(),
                median, median / copy, times[0], times[0] / copies[0]);
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t n = argc > 1 ? std::atoll(argv[1]) : 1 << 24;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  if (argc > 3) set_thread_count(std::atoi(argv[3]));
  std::vector<BufferRef> buffers;
  for (int k = 0; k < 4; k++) {
    buffers.push_back(allocate(static_cast<size_t>(n) * 8 + 64));
    float* const values = static_cast<float*>(buffers[k]->bytes);
    for (int64_t i = 0; i < n * 2; i++)
      values[i] = static_cast<float>(i * 7919 % 20011) / 20011.0f * 6 - (k == 0 ? 3.0f : -0.1f);
  }
  std::printf("%lld elements, %d threads\n", static_cast<long long>(n), thread_count());
  for (const Case& one : cases()) measure(one, n, rounds, buffers);
}
