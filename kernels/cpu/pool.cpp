// Pooling over one to three spatial axes, channels last: "max_pool" (x) of any dtype, "mean_pool"
// (x) of inexact ones, and what follows them. "max_pool_vjp" (x, cotangent) and "mean_pool_vjp"
// (cotangent, ...) are the gradients with respect to x, "max_pool_jvp" (x, tangent) the tangent of
// the maximum. 16-bit floats are added up in float32.
#include "cpu/pool/ties.h"

namespace {

// ---- maximum ------------------------------------------------------------------------------------

template <class S, class T> void greatest_as(const KernelCall& call) {
  const Problem p = read_problem(call, call.inputs[0], call.outputs[0]);
  const Image<const S> from(call.inputs[0]);
  Fold<Greatest, S, T>{p, false, from, Image<S>(call.outputs[0]), T{}}.run();
}

void max_pool(const KernelCall& call) {
  switch (call.inputs[0].dtype) {
    case Dtype::bool_:
    case Dtype::uint8: return greatest_as<uint8_t, uint8_t>(call);
    case Dtype::uint16: return greatest_as<uint16_t, uint16_t>(call);
    case Dtype::uint32: return greatest_as<uint32_t, uint32_t>(call);
    case Dtype::uint64: return greatest_as<ms::uint64, ms::uint64>(call);
    case Dtype::int8: return greatest_as<int8_t, int8_t>(call);
    case Dtype::int16: return greatest_as<int16_t, int16_t>(call);
    case Dtype::int32: return greatest_as<int32_t, int32_t>(call);
    case Dtype::int64: return greatest_as<ms::int64, ms::int64>(call);
    case Dtype::float16: return greatest_as<f16_bits, float>(call);
    case Dtype::bfloat16: return greatest_as<bf16_bits, float>(call);
    case Dtype::float32: return greatest_as<float, float>(call);
    case Dtype::float64: return greatest_as<double, double>(call);
    case Dtype::complex64: return greatest_as<ms::complex64, ms::complex64>(call);
  }
}

template <class S, class T> struct TangentOf {
  static void run(const KernelCall& call) {
    const Problem p = read_problem(call, call.inputs[0], call.outputs[0]);
    const Image<const S> x(call.inputs[0]), tangent(call.inputs[1]);
    TangentOfGreatest<S, T>{p, x, tangent, Image<S>(call.outputs[0])}.run();
  }
};
template <class S, class T> struct CotangentOf {
  static void run(const KernelCall& call) {
    if (call.outputs[0].size == 0) return;
    const Problem p = read_problem(call, call.inputs[0], call.inputs[1]);
    const Image<const S> x(call.inputs[0]), cotangent(call.inputs[1]);
    CotangentOfGreatest<S, T>{p, x, cotangent, Image<S>(call.outputs[0])}.run(call.workspace);
  }
  static size_t workspace(const KernelCall& call) {
    if (call.outputs[0].size == 0) return 0;
    return CotangentOfGreatest<S, T>::workspace(read_problem(call, call.inputs[0], call.inputs[1]));
  }
};

template <template <class S, class T> class Which> void run(const KernelCall& call) {
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return Which<f16_bits, float>::run(call);
    case Dtype::bfloat16: return Which<bf16_bits, float>::run(call);
    case Dtype::float64: return Which<double, double>::run(call);
    case Dtype::complex64: return Which<ms::complex64, ms::complex64>::run(call);
    default: return Which<float, float>::run(call);
  }
}

size_t max_pool_vjp_workspace(const KernelCall& call) {
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return CotangentOf<f16_bits, float>::workspace(call);
    case Dtype::bfloat16: return CotangentOf<bf16_bits, float>::workspace(call);
    default: return 0;
  }
}

// ---- mean ---------------------------------------------------------------------------------------

template <class S, class T> void mean_as(const KernelCall& call, bool gradient) {
  const Tensor& from = call.inputs[0];
  const Tensor& to = call.outputs[0];
  Problem p = read_problem(call, gradient ? to : from, gradient ? from : to);
  Image<const S> source(from);
  Image<S> target(to);
  if (from.dtype == Dtype::complex64) {  // two channels each
    p.channels *= 2;
    source = source.doubled();
    target = target.doubled();
  }
  Fold<Sum, S, T>{p, gradient, source, target, static_cast<T>(p.window())}.run();
}

void mean(const KernelCall& call, bool gradient) {
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return mean_as<f16_bits, float>(call, gradient);
    case Dtype::bfloat16: return mean_as<bf16_bits, float>(call, gradient);
    case Dtype::float64: return mean_as<double, double>(call, gradient);
    default: return mean_as<float, float>(call, gradient);
  }
}

void mean_pool(const KernelCall& call) { mean(call, false); }
void mean_pool_vjp(const KernelCall& call) { mean(call, true); }

}  // namespace

MLXK_STEM(pool, table) {
  constexpr mlxk::Accepts rows = mlxk::Accepts::rows;
  table.add("max_pool", {.run = max_pool, .accepts = rows});
  table.add("max_pool_vjp",
            {.run = run<CotangentOf>, .workspace = max_pool_vjp_workspace, .accepts = rows});
  table.add("max_pool_jvp", {.run = run<TangentOf>, .accepts = rows});
  table.add("mean_pool", {.run = mean_pool, .accepts = rows});
  table.add("mean_pool_vjp", {.run = mean_pool_vjp, .accepts = rows});
}
