// "cross_entropy" (logits, targets) -> loss, logsumexp: logsumexp(x) - x[target] for each row of
// logits; and its gradient, "cross_entropy_vjp" (logits, targets, logsumexp, cotangent) ->
// (softmax(x) - onehot(target)) * cotangent.
//
// targets are int64. Negative ones count from the end; what is still outside is clamped. Logits of
// 16 bits are computed in float32; loss and logsumexp are float32, or float64 for such logits.
#include "cpu/exponentials.h"

namespace {

using mlxk::KernelCall;

constexpr int64_t block_elements = 2048;

// Where the element of that row-major index lies, looking at the first `axes` axes.
static int64_t offset_of(const Tensor& t, int axes, int64_t index) {
  int64_t offset = 0;
  for (int i = axes - 1; i >= 0; --i) {
    offset += index % t.shape[i] * t.strides[i];
    index /= t.shape[i];
  }
  return offset;
}

struct Job {
  int64_t rows, classes;
  const KernelCall& call;
  const Tensor& logits;
  bool streams;

  explicit Job(const KernelCall& kernel_call) : call(kernel_call), logits(call.inputs[0]) {
    classes = logits.shape[logits.ndim - 1];
    rows = call.inputs[1].size;
    streams = static_cast<size_t>(logits.size) * mlxk::itemsize(logits.dtype) > mlxk::cache_bytes();
  }
  template <class S> const S* row(int64_t index) const {
    return static_cast<const S*>(logits.data) + offset_of(logits, logits.ndim - 1, index);
  }
  // What belongs to a row in an input that has one element for each.
  template <class T> T of_row(uint32_t input, int64_t index) const {
    const Tensor& t = call.inputs[input];
    return static_cast<const T*>(t.data)[offset_of(t, t.ndim, index)];
  }
  int64_t target(int64_t index) const {
    const int64_t given = of_row<int64_t>(1, index), i = given < 0 ? given + classes : given;
    return i < 0 ? 0 : i < classes ? i : classes - 1;
  }
  int64_t grain() const { return inline_elements / 4 / (classes + 1) + 1; }
};

template <class S, class T> struct CrossEntropy {
  static void forward(const KernelCall& call) {
    const Job job(call);
    T* const loss = static_cast<T*>(call.outputs[0].data);
    T* const logsumexp = static_cast<T*>(call.outputs[1].data);
    mlxk::parallel_for(job.rows, job.grain(), [&](int64_t begin, int64_t end) {
      alignas(64) T buffer[block_elements];
      for (int64_t r = begin; r < end; ++r) {
        const S* const x = job.row<S>(r);
        typename Exponentials<T>::State total;
        for (int64_t i = 0; i < job.classes; i += block_elements) {
          const int64_t n = job.classes - i < block_elements ? job.classes - i : block_elements;
          const T* p = reinterpret_cast<const T*>(x + i);
          if constexpr (!ms::same_type<S, T>::value) {
            load_row<S, T>(x + i, 1, n, buffer);
            p = buffer;
          }
          Exponentials<T>::merge(&total, Exponentials<T>::of(p, n), i, n);
        }
        const double log_sum = ms::log(total.sum), at_target = widen<T>(x[job.target(r)]);
        // The differences of what is large come first.
        loss[r] = static_cast<T>((total.greatest - at_target) + log_sum);
        logsumexp[r] = static_cast<T>(total.greatest + log_sum);
      }
    });
  }

  static void backward(const KernelCall& call) {
    const Job job(call);
    S* const out = static_cast<S*>(call.outputs[0].data);
    mlxk::parallel_for(job.rows, job.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const S* const x = job.row<S>(r);
        S* const g = out + r * job.classes;
        const int64_t target = job.target(r);
        const T at_target = widen<T>(x[target]), logsumexp = job.of_row<T>(2, r),
                c = job.of_row<T>(3, r);
        // A row with an infinite logsumexp has no softmax.
        const T shift = logsumexp - logsumexp == 0 ? logsumexp : static_cast<T>(__builtin_nan(""));
        const Vec<T> s = ms::splat<Vec<T>>(shift), factor = ms::splat<Vec<T>>(c);
        const bool streams = job.streams && ms::same_type<S, T>::value && aligned(g);
        int64_t i = 0;
        for (; i + lanes<T> <= job.classes; i += lanes<T>) {
          const Vec<T> v = ms::exp_of_nonpositive(load_as(x + i) - s) * factor;
          if constexpr (ms::same_type<S, T>::value) {
            if (streams) {
              stream(g + i, v);
              continue;
            }
          }
          store_as(g + i, v);
        }
        for (; i < job.classes; ++i)
          g[i] = narrow<S>(ms::exp_of_nonpositive(widen<T>(x[i]) - shift) * c);
        g[target] = narrow<S>((ms::exp_of_nonpositive(at_target - shift) - 1) * c);
      }
      if (job.streams) stream_fence();
    });
  }
};

static void cross_entropy(const KernelCall& call) {
  if (call.inputs[0].size == 0) return;
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return CrossEntropy<f16_bits, float>::forward(call);
    case Dtype::bfloat16: return CrossEntropy<bf16_bits, float>::forward(call);
    case Dtype::float64: return CrossEntropy<double, double>::forward(call);
    default: return CrossEntropy<float, float>::forward(call);
  }
}

static void cross_entropy_vjp(const KernelCall& call) {
  if (call.inputs[0].size == 0) return;
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return CrossEntropy<f16_bits, float>::backward(call);
    case Dtype::bfloat16: return CrossEntropy<bf16_bits, float>::backward(call);
    case Dtype::float64: return CrossEntropy<double, double>::backward(call);
    default: return CrossEntropy<float, float>::backward(call);
  }
}

}  // namespace

MLXK_STEM(cross_entropy, table) {
  constexpr mlxk::Accepts rows = mlxk::Accepts::rows;
  table.add("cross_entropy", {.run = cross_entropy, .accepts = rows});
  table.add("cross_entropy_vjp", {.run = cross_entropy_vjp, .accepts = rows, .donates = 0});
}
