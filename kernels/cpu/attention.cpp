// Scaled dot product attention and its gradients.
//
// "attention" (q, k, v, [mask], [sinks]) -> out, greatest, sum
//   q (batch, query heads, queries, width), k (batch, heads, keys, width), v (batch, heads, keys,
//   value width); the number of query heads is a multiple of that of heads. greatest and sum
//   (batch, query heads, queries) are the greatest score of a row and the sum of the exponentials
//   relative to it. They are kept apart, since their logsumexp would lose the sum where scores are
//   large.
// "attention_vjp" (q, k, v, cotangent, out, greatest, sum, [mask], [sinks]) -> gradients of q, k, v
// "attention_mask_vjp" of the same -> the gradient of the mask (batch or 1, query heads or 1,
// queries, keys)
#include "cpu/attention/backward.h"
#include "cpu/attention/few_rows.h"
#include "cpu/attention/forward.h"

namespace {

// The kernels for operands that are stored as S and computed in T.
template <class S, class T> struct Attention {
  static bool few(const Problem& p) { return p.rows() <= few_rows_limit; }

  static void forward(const KernelCall& call) {
    const Problem p = read_problem(call);
    if (few(p)) return FewRows<S, T>::run(p, call);
    if (const mlxk::Kernel* kernel = extended()) return kernel->run(call);
    Forward<S, T>::run(p, call);
  }
  static size_t forward_workspace(const KernelCall& call) {
    const Problem p = read_problem(call);
    if (few(p)) return FewRows<S, T>::workspace(p);
    const mlxk::Kernel* const kernel = extended();
    return kernel ? kernel->workspace(call) : Forward<S, T>::workspace(p);
  }
  // The kernel of an extension of the instruction set, where there is one.
  static const mlxk::Kernel* extended() {
    if (sizeof(S) != 2) return nullptr;
    constexpr bool bfloat16 = ms::same_type<S, bf16_bits>::value;
    return mlxk::kernels(mlxk::DeviceKind::cpu)
        .find(bfloat16 ? "attention_bfloat16" : "attention_float16");
  }
  static void backward(const KernelCall& call) {
    const Problem p = read_problem(call);
    Backward<S, T>(p, call).run();
  }
  static size_t backward_workspace(const KernelCall& call) {
    return Backward<S, T>::workspace(read_problem(call));
  }
  static void mask_backward(const KernelCall& call) {
    const Problem p = read_problem(call);
    Backward<S, T>(p, call).run_mask();
  }
  static size_t mask_workspace(const KernelCall& call) {
    return Backward<S, T>::mask_workspace(read_problem(call));
  }
};

template <class Body> static auto by_dtype(const KernelCall& call, const Body& body) {
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return body(Attention<f16_bits, float>());
    case Dtype::bfloat16: return body(Attention<bf16_bits, float>());
    case Dtype::float64: return body(Attention<double, double>());
    default: return body(Attention<float, float>());
  }
}

static void attention(const KernelCall& call) {
  by_dtype(call, [&](auto kernels) { kernels.forward(call); });
}
static size_t attention_workspace(const KernelCall& call) {
  return by_dtype(call, [&](auto kernels) { return kernels.forward_workspace(call); });
}
static void attention_vjp(const KernelCall& call) {
  by_dtype(call, [&](auto kernels) { kernels.backward(call); });
}
static size_t attention_vjp_workspace(const KernelCall& call) {
  return by_dtype(call, [&](auto kernels) { return kernels.backward_workspace(call); });
}
static void attention_mask_vjp(const KernelCall& call) {
  by_dtype(call, [&](auto kernels) { kernels.mask_backward(call); });
}
static size_t attention_mask_vjp_workspace(const KernelCall& call) {
  return by_dtype(call, [&](auto kernels) { return kernels.mask_workspace(call); });
}

}  // namespace

MLXK_STEM(attention, table) {
  constexpr mlxk::Accepts rows = mlxk::Accepts::rows;
  table.add("attention", {.run = attention, .workspace = attention_workspace, .accepts = rows});
  table.add("attention_vjp",
            {.run = attention_vjp, .workspace = attention_vjp_workspace, .accepts = rows});
  table.add(
      "attention_mask_vjp",
      {.run = attention_mask_vjp, .workspace = attention_mask_vjp_workspace, .accepts = rows});
}
