// One inference function per kind, driven by the fields of the op; and the leaves of the graph.
#include <bit>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "graph/registry.h"
#include "mlxk/error.h"
#include "mlxk/half.h"

namespace mlxk {

namespace {

[[noreturn]] void raise_dtype(const Op& op, Dtype dtype) {
  raise(ErrorKind::value, "[%s] %s is not supported.", op.name.c_str(), name(dtype));
}

// Of a field that is empty: what it held is not looked at.
template <class T> inline void fill(T* field, const T& value) { new (field) T(value); }

// The edge of an input; of a cast node where the dtype is another.
__attribute__((noinline)) void set_input(Node* node, uint32_t i, const Edge& input, Dtype wanted) {
  if (input.dtype() == wanted) {
    fill(&node->inputs[i], input);
    return;
  }
  Edge made = cast(input, wanted, node->stream);
  // The walks rely on inputs being older than their node.
  if (made.node()->sequence > node->sequence) std::swap(made.node()->sequence, node->sequence);
  node->inputs[i] = std::move(made);
}

inline void set_trace(Node* node) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < node->input_count; ++i) bits |= node->inputs[i].node()->trace;
  if (bits) node->trace = live_trace(bits);
}

double rounded(double value, Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return float16_value(float16_bits(static_cast<float>(value)));
    case Dtype::bfloat16: return bfloat16_value(bfloat16_bits(static_cast<float>(value)));
    case Dtype::float64: return value;
    default: return static_cast<float>(value);
  }
}

int64_t wrapped(int64_t value, Dtype dtype) {
  switch (dtype) {
    case Dtype::uint8: return static_cast<uint8_t>(value);
    case Dtype::uint16: return static_cast<uint16_t>(value);
    case Dtype::uint32: return static_cast<uint32_t>(value);
    case Dtype::int8: return static_cast<int8_t>(value);
    case Dtype::int16: return static_cast<int16_t>(value);
    case Dtype::int32: return static_cast<int32_t>(value);
    default: return value;
  }
}

// A direct-mapped cache: x + 1.0 allocates nothing for the 1.0.
struct ConstantCache {
  static constexpr size_t slots = 1024;
  struct Slot {
    uint64_t real = 0, imaginary = 0;
    Dtype dtype = Dtype::bool_;
    Edge edge;
  };
  Slot entries[slots];
};

Edge make_constant(uint64_t real, uint64_t imaginary, Dtype dtype) {
  Value value(std::bit_cast<double>(real));
  if (dtype == Dtype::bool_) {
    value = Value(real != 0);
  } else if (is_integer(dtype)) {
    value = Value(static_cast<int64_t>(real));
  } else if (is_complex(dtype)) {
    value =
        Value(std::complex<double>(std::bit_cast<double>(real), std::bit_cast<double>(imaginary)));
  }
  Params params = Params::of(std::move(value));
  Node* node = new_node(op_constant, 0, 1, 0);
  node->outputs[0].dtype = dtype;
  node->params = std::move(params);
  return Edge::adopt(node, 0);
}

const Edge& cached_constant(uint64_t real, uint64_t imaginary, Dtype dtype) {
  static ConstantCache* const cache = new ConstantCache;
  const uint64_t mixed =
      (real ^ (imaginary * 0xff51afd7ed558ccdull) ^ (static_cast<uint64_t>(dtype) << 58)) *
      0x9e3779b97f4a7c15ull;
  ConstantCache::Slot& slot = cache->entries[mixed >> 54];
  if (slot.edge && slot.real == real && slot.imaginary == imaginary && slot.dtype == dtype) {
    return slot.edge;
  }
  Edge made = make_constant(real, imaginary, dtype);
  slot.real = real;
  slot.imaginary = imaginary;
  slot.dtype = dtype;
  slot.edge = std::move(made);
  return slot.edge;
}

// A constant's cast is a constant where C++ and every kernel agree on the value.
bool fold_cast(const Node* node, Dtype to, Edge* out) {
  const Dtype from = node->outputs[0].dtype;
  const Value& value = node->params[0];
  if (is_complex(from)) return false;
  if (is_floating(from)) {
    const double real = value.real();
    if (is_integer(to)) return false;
    *out = constant(real, 0, real != 0, to);
    return true;
  }
  const int64_t integer = from == Dtype::bool_ ? value.boolean() : value.integer();
  const double real = from == Dtype::uint64 ? static_cast<double>(static_cast<uint64_t>(integer))
                                            : static_cast<double>(integer);
  // int64 to float32 by way of float64 would round twice.
  if (is_inexact(to) && std::fabs(real) > 9007199254740992.0) return false;
  *out = constant(real, 0, to == Dtype::bool_ ? integer != 0 : integer, to);
  return true;
}

}  // namespace

namespace {

[[noreturn]] void raise_arity(const Op& op, uint32_t count) {
  raise(ErrorKind::type, "[%s] %u arguments do not fit: it takes %d.", op.name.c_str(), count,
        op.arity);
}

template <uint32_t count>
__attribute__((always_inline)) inline Edge elementwise_of(const Op& op,
                                                          const Edge* const (&inputs)[count],
                                                          StreamId stream) {
  const OpRecord& rules = record(op);
  const uint32_t first = op.condition ? 1 : 0;
  if (op.kind != Kind::elementwise || count != op.arity || count <= first) [[unlikely]]
    raise_arity(op, count);
  const Output* from[count];
#pragma GCC unroll 3
  for (uint32_t i = 0; i < count; ++i) {
    from[i] = &inputs[i]->node()->outputs[inputs[i]->output()];
  }
  Dtype common = from[first]->dtype;
#pragma GCC unroll 3
  for (uint32_t i = first + 1; i < count; ++i) {
    if (from[i]->dtype != common) common = promote(common, from[i]->dtype);
  }
  const int row = static_cast<int>(common);
  if (!rules.accepts[row]) [[unlikely]]
    raise_dtype(op, common);
  const Dtype compute = rules.compute[row];

  Node* node = new_node(op.id, count, 1, stream);
  Edge result = Edge::adopt(node, 0);
  Output& output = node->inline_output;
  output.dtype = rules.result_of[row];
  fill(&output.shape, from[0]->shape);
#pragma GCC unroll 3
  for (uint32_t i = 1; i < count; ++i) {
    const Dims& shape = from[i]->shape;
    if (!shape.empty() && !shape.same(output.shape)) [[unlikely]] {
      output.shape = broadcast(output.shape, shape, op.name.c_str());
    }
  }
  uint32_t bits = 0;
#pragma GCC unroll 3
  for (uint32_t i = 0; i < count; ++i) {
    bits |= inputs[i]->node()->trace;
    const Dtype wanted = i < first ? Dtype::bool_ : compute;
    if (from[i]->dtype == wanted) [[likely]] {
      fill(&node->inputs[i], *inputs[i]);
    } else {
      set_input(node, i, *inputs[i], wanted);
    }
  }
  if (bits) [[unlikely]]
    node->trace = live_trace(bits);
  return result;
}

}  // namespace

Edge elementwise(const Op& op, const Edge* inputs, uint32_t count, StreamId stream) {
  switch (count) {
    case 1: return elementwise_of<1>(op, {inputs}, stream);
    case 2: return elementwise_of<2>(op, {inputs, inputs + 1}, stream);
    case 3: return elementwise_of<3>(op, {inputs, inputs + 1, inputs + 2}, stream);
    default: raise_arity(op, count);
  }
}

Edge elementwise(const Op& op, const Edge& a, const Edge& b, StreamId stream) {
  return elementwise_of<2>(op, {&a, &b}, stream);
}

Edge cast(const Edge& input, Dtype dtype, StreamId stream) {
  if (input.dtype() == dtype) return input;
  const Node* from = input.node();
  Edge folded;
  if (from->op == op_constant && fold_cast(from, dtype, &folded)) return folded;
  static const Params* const params = [] {
    auto* all = new Params[dtype_count];  // shared by every cast to one dtype
    for (int i = 0; i < dtype_count; ++i) all[i] = Params::of(static_cast<Dtype>(i));
    return all;
  }();
  Node* node = new_node(op_cast, 1, 1, stream);
  node->outputs[0].dtype = dtype;
  node->outputs[0].shape = input.shape();
  node->inputs[0] = input;
  node->params = params[static_cast<int>(dtype)];
  set_trace(node);
  return Edge::adopt(node, 0);
}

Edge constant(double real, double imaginary, int64_t integer, Dtype dtype) {
  if (dtype == Dtype::float32) {  // the commonest
    const double nearest = static_cast<float>(real);
    return cached_constant(std::bit_cast<uint64_t>(nearest), 0, dtype);
  }
  if (dtype == Dtype::bool_) return cached_constant(integer != 0, 0, dtype);
  if (is_integer(dtype)) {
    return cached_constant(static_cast<uint64_t>(wrapped(integer, dtype)), 0, dtype);
  }
  const uint64_t bits = std::bit_cast<uint64_t>(rounded(real, dtype));
  if (!is_complex(dtype)) return cached_constant(bits, 0, dtype);
  return cached_constant(bits, std::bit_cast<uint64_t>(rounded(imaginary, dtype)), dtype);
}

Edge reduction(const Op& op, const Edge& input, const Dims& axes, bool keepdims, StreamId stream) {
  const OpRecord& rules = record(op);
  if (op.kind != Kind::reduction) {
    raise(ErrorKind::type, "[%s] is no reduction.", op.name.c_str());
  }
  const Dims& shape = input.shape();
  const int64_t ndim = static_cast<int64_t>(shape.size());
  int64_t before = -1;
  for (int64_t axis : axes) {
    if (axis <= before || axis >= ndim) {
      raise(ErrorKind::value, "[%s] axes %s do not fit an array with %lld dimensions.",
            op.name.c_str(), axes.str().c_str(), static_cast<long long>(ndim));
    }
    before = axis;
  }
  const int row = static_cast<int>(input.dtype());
  if (!rules.accepts[row]) raise_dtype(op, input.dtype());

  Dims result_shape;
  if (keepdims || static_cast<int64_t>(axes.size()) < ndim) {
    int64_t local[16];
    std::vector<int64_t> heap(ndim > 16 ? ndim : 0);
    int64_t* lengths = ndim > 16 ? heap.data() : local;
    size_t kept = 0;
    size_t next = 0;
    for (int64_t i = 0; i < ndim; ++i) {
      const bool reduced = next < axes.size() && axes[next] == i;
      next += reduced;
      if (!reduced) {
        lengths[kept++] = shape[i];
      } else if (keepdims) {
        lengths[kept++] = 1;
      }
    }
    result_shape = Dims(lengths, kept);
  }
  Params params = Params::of(axes, keepdims);
  Node* node = new_node(op.id, 1, 1, stream);
  Edge result = Edge::adopt(node, 0);
  node->outputs[0].shape = std::move(result_shape);
  node->outputs[0].dtype = rules.result_of[row];
  node->params = std::move(params);
  set_input(node, 0, input, rules.compute[row]);
  set_trace(node);
  return result;
}

Edge movement(const Op& op, const Edge& input, Params params, StreamId stream) {
  if (op.kind != Kind::movement) {
    raise(ErrorKind::type, "[%s] is no movement of elements.", op.name.c_str());
  }
  const MovementRule& rule = movement_rule(op.movement);
  if (params.size() < rule.param_count) {
    raise(ErrorKind::type, "[%s] %zu parameters do not fit: it takes %d.", op.name.c_str(),
          params.size(), rule.param_count);
  }
  Dims shape;
  Dtype dtype = input.dtype();
  rule.infer(input, params, &shape, &dtype);
  Node* node = new_node(op.id, 1, 1, stream);
  node->outputs[0].shape = std::move(shape);
  node->outputs[0].dtype = dtype;
  node->params = std::move(params);
  node->inputs[0] = input;
  set_trace(node);
  return Edge::adopt(node, 0);
}

Edge trace_leaf(const Edge& input, uint32_t trace) {
  Node* node = new_node(op_trace_leaf, 1, 1, input.node()->stream);
  node->outputs[0].shape = input.shape();
  node->outputs[0].dtype = input.dtype();
  node->inputs[0] = input;
  node->trace = live_trace(input.node()->trace | trace);
  return Edge::adopt(node, 0);
}

Node* structural(const Op& op, const Edge* inputs, uint32_t count, Params params,
                 const Dims* shapes, const Dtype* dtypes, uint32_t outputs, StreamId stream) {
  if (outputs == 0) raise(ErrorKind::value, "[%s] a node has an output.", op.name.c_str());
  for (uint32_t i = 0; i < outputs; ++i) element_count(shapes[i]);
  Node* node = new_node(op.id, count, outputs, stream);
  for (uint32_t i = 0; i < count; ++i) node->inputs[i] = inputs[i];
  for (uint32_t i = 0; i < outputs; ++i) {
    node->outputs[i].shape = shapes[i];
    node->outputs[i].dtype = dtypes[i];
  }
  node->params = std::move(params);
  set_trace(node);
  return node;
}

bool along(const Op& op, const Edge& input, const Dims& shape, Params params, StreamId stream,
           Edge* out) {
  const OpRecord& rules = record(op);
  const int row = static_cast<int>(input.dtype());
  if (!rules.accepts[row] || rules.compute[row] != input.dtype()) return false;
  const Dtype result = rules.result_of[row];
  *out = Edge::adopt(structural(op, &input, 1, std::move(params), &shape, &result, 1, stream), 0);
  return true;
}

Edge from_buffer(BufferRef buffer, int64_t offset, Dims shape, Dims strides, Dtype dtype) {
  Node* node = new_node(op_data, 0, 1, 0);
  Output& output = node->outputs[0];
  output.shape = std::move(shape);
  output.strides = std::move(strides);
  output.buffer = std::move(buffer);
  output.offset = offset;
  output.dtype = dtype;
  return Edge::adopt(node, 0);
}

Edge placeholder(Dims shape, Dtype dtype, std::shared_ptr<Opaque> where) {
  element_count(shape);
  Params params;
  if (where) params = Params::of(std::move(where));
  Node* node = new_node(op_placeholder, 0, 1, 0);
  node->outputs[0].shape = std::move(shape);
  node->outputs[0].dtype = dtype;
  node->params = std::move(params);
  node->trace = placeholder_trace;
  return Edge::adopt(node, 0);
}

}  // namespace mlxk
