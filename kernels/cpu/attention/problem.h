// What an attention kernel is asked: shapes, where rows lie, and the mask.
//
// One *head* of a problem is a head of keys and values with the `group` query heads that share it.
// Their queries are its rows: row r is query r / group of query head r % group, so that rows which
// see the same keys lie together.
#pragma once

#include "cpu/lanes.h"

namespace {

using mlxk::KernelCall;

// A masked score: the lowest number, so that a row which is masked altogether attends to all keys
// alike. What lies behind the last key is minus infinity and counts for nothing.
template <class T>
constexpr T masked_score =
    ms::same_type<T, double>::value ? static_cast<T>(-1.7976931348623157e308)
                                    : static_cast<T>(-3.4028234663852886e38f);

struct Problem {
  int64_t batch, heads, group;  // heads: of keys and values
  int64_t queries, keys;        // length of the sequences
  int64_t width, value_width;   // of a row of q and k, of v
  double scale;
  bool causal;
  const Tensor* mask;   // (batch or 1, query heads or 1, queries or 1, keys or 1), or null
  const Tensor* sinks;  // (query heads), or null

  int64_t rows() const { return group * queries; }
  int64_t query_heads() const { return heads * group; }
  // How many keys the row sees where attention is causal: the last query sees all of them. Not
  // positive: none.
  int64_t visible(int64_t row) const { return causal ? row / group + 1 + keys - queries : keys; }
};

// Where the rows of a (batch, heads, length, width) operand lie.
struct Rows {
  const char* data;
  int64_t batch_stride, head_stride, row_stride, itemsize;

  explicit Rows(const Tensor& t)
      : data(static_cast<const char*>(t.data)),
        batch_stride(t.strides[0]),
        head_stride(t.strides[1]),
        row_stride(t.strides[2]),
        itemsize(static_cast<int64_t>(mlxk::itemsize(t.dtype))) {}
  template <class S> S* at(int64_t b, int64_t head, int64_t row) const {
    const int64_t offset = b * batch_stride + head * head_stride + row * row_stride;
    return reinterpret_cast<S*>(const_cast<char*>(data) + offset * itemsize);
  }
  // Row r of head h of a problem.
  template <class S> S* of(const Problem& p, int64_t b, int64_t h, int64_t r) const {
    return at<S>(b, h * p.group + r % p.group, r / p.group);
  }
};

// Where the statistics of a row stand in a (batch, query heads, queries) output.
static __attribute__((unused)) int64_t statistic_index(const Problem& p, int64_t b, int64_t h,
                                                       int64_t r) {
  return (b * p.query_heads() + h * p.group + r % p.group) * p.queries + r / p.group;
}

// params: scale, causal, has_mask, has_sinks. The mask and the sinks come last among the inputs.
static __attribute__((unused)) Problem read_problem(const KernelCall& call) {
  const Tensor &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2];
  const mlxk::Params& params = *call.params;
  const bool has_mask = params[2].boolean(), has_sinks = params[3].boolean();
  Problem p;
  p.batch = q.shape[0];
  p.heads = k.shape[1];
  p.group = p.heads > 0 ? q.shape[1] / p.heads : 0;
  p.queries = q.shape[2];
  p.keys = k.shape[2];
  p.width = q.shape[3];
  p.value_width = v.shape[3];
  p.scale = params[0].real();
  p.causal = params[1].boolean();
  const uint32_t count = call.input_count;
  p.mask = has_mask ? &call.inputs[count - 1 - has_sinks] : nullptr;
  p.sinks = has_sinks ? &call.inputs[count - 1] : nullptr;
  return p;
}

// The scores of a row for keys [first, first + n), of which the mask forbids some or adds to them.
template <class S, class T>
static void mask_scores(const Problem& p, int64_t b, int64_t h, int64_t row, int64_t first,
                        int64_t n, T* scores) {
  if (p.mask) {
    const Tensor& m = *p.mask;
    const auto step = [&](int axis) { return m.shape[axis] == 1 ? 0 : m.strides[axis]; };
    const int64_t stride = step(3);
    const int64_t at = b * step(0) + (h * p.group + row % p.group) * step(1) +
                       row / p.group * step(2) + first * stride;
    if (m.dtype == Dtype::bool_) {
      const uint8_t* const allowed = static_cast<const uint8_t*>(m.data) + at;
      if (stride == 1) {
        for (int64_t j = 0; j < n; ++j) scores[j] = allowed[j] ? scores[j] : masked_score<T>;
      } else {
        for (int64_t j = 0; j < n; ++j)
          scores[j] = allowed[j * stride] ? scores[j] : masked_score<T>;
      }
    } else {
      const S* const added = static_cast<const S*>(m.data) + at;
      int64_t j = 0;
      if (stride == 1) {
        for (; j + lanes<T> <= n; j += lanes<T>)
          store(scores + j, load(scores + j) + load_as(added + j));
      }
      for (; j < n; ++j) scores[j] += widen<T>(added[j * stride]);
    }
  }
  int64_t seen = p.visible(row) - first;
  seen = seen < 0 ? 0 : seen;
  for (int64_t j = seen; j < n; ++j) scores[j] = masked_score<T>;
}

}  // namespace
