// What the tests of the graph share: arrays from lists and back, ops by name, a few kernels of
// their own.
#pragma once

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "mlxk/error.h"
#include "mlxk/graph.h"
#include "mlxk/kernel.h"
#include "mlxk/op.h"
#include "mlxk/program.h"
#include "mlxk/runtime.h"

namespace mlxk_graphs {

using namespace mlxk;

inline StreamId cpu() { return default_stream(DeviceKind::cpu); }

inline const Op& op_named(const char* name, Kind kind, bool condition = false) {
  if (const Op* known = find_op(name)) return *known;
  Op made;
  made.name = name;
  made.kind = kind;
  made.condition = condition;
  if (std::string(name) == "less" || std::string(name) == "greater") made.result = Result::boolean;
  return register_op(std::move(made));
}

template <class T> Edge array_of(const std::vector<T>& values, Dims shape, Dtype dtype) {
  BufferRef buffer = allocate(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(buffer->bytes, values.data(), values.size() * sizeof(T));
  Dims strides = row_major(shape);
  return from_buffer(std::move(buffer), 0, std::move(shape), std::move(strides), dtype);
}
inline Edge floats(const std::vector<float>& values, Dims shape) {
  return array_of(values, std::move(shape), Dtype::float32);
}
inline Edge floats(const std::vector<float>& values) {
  return floats(values, Dims{static_cast<int64_t>(values.size())});
}
inline Edge scalar(float value) { return constant(value, 0, 0, Dtype::float32); }

inline Edge ew(const char* name, const Edge& a, StreamId stream = cpu()) {
  return elementwise(op_named(name, Kind::elementwise), &a, 1, stream);
}
inline Edge ew(const char* name, const Edge& a, const Edge& b, StreamId stream = cpu()) {
  const Edge inputs[] = {a, b};
  return elementwise(op_named(name, Kind::elementwise), inputs, 2, stream);
}
inline Edge select(const Edge& condition, const Edge& a, const Edge& b, StreamId stream = cpu()) {
  const Edge inputs[] = {condition, a, b};
  return elementwise(op_named("where", Kind::elementwise, true), inputs, 3, stream);
}
inline Edge move(const char* name, const Edge& a, List params, StreamId stream = cpu()) {
  return movement(op_named(name, Kind::movement), a, Params(std::move(params)), stream);
}
inline Edge reshape(const Edge& a, Dims shape, StreamId stream = cpu()) {
  return move("reshape", a, {Value(std::move(shape))}, stream);
}
inline Edge transpose(const Edge& a, Dims axes, StreamId stream = cpu()) {
  return move("transpose", a, {Value(std::move(axes))}, stream);
}
inline Edge slice(const Edge& a, Dims starts, Dims stops, Dims steps, StreamId stream = cpu()) {
  return move("slice", a,
              {Value(std::move(starts)), Value(std::move(stops)), Value(std::move(steps))}, stream);
}
inline Edge broadcast_to(const Edge& a, Dims shape, StreamId stream = cpu()) {
  return move("broadcast_to", a, {Value(std::move(shape))}, stream);
}

// test_reverse: the elements of a row-major float32 array from last to first, by way of a
// workspace. test_signs: two outputs, the positive part and the negative part. test_fail: raises.
inline void register_test_kernels() {
  static const bool done = [] {
    KernelTable& table = kernels(DeviceKind::cpu);
    Kernel reverse;
    reverse.accepts = Accepts::contiguous;
    reverse.workspace = [](const KernelCall& call) -> size_t {
      return call.inputs[0].size * sizeof(float);
    };
    reverse.run = [](const KernelCall& call) {
      const int64_t size = call.inputs[0].size;
      float* work = static_cast<float*>(call.workspace);
      if (size) std::memcpy(work, call.inputs[0].data, size * sizeof(float));
      float* out = static_cast<float*>(call.outputs[0].data);
      for (int64_t i = 0; i < size; ++i) out[i] = work[size - 1 - i];
    };
    reverse.donates = 0;
    table.add("test_reverse", reverse);
    Kernel signs;
    signs.accepts = Accepts::contiguous;
    signs.run = [](const KernelCall& call) {
      const float* in = static_cast<const float*>(call.inputs[0].data);
      for (int64_t i = 0; i < call.inputs[0].size; ++i) {
        static_cast<float*>(call.outputs[0].data)[i] = in[i] > 0 ? in[i] : 0;
        static_cast<float*>(call.outputs[1].data)[i] = in[i] < 0 ? in[i] : 0;
      }
    };
    table.add("test_signs", signs);
    Kernel fail;
    fail.run = [](const KernelCall&) { throw std::runtime_error("the kernel failed"); };
    table.add("test_fail", fail);
    Kernel error;
    error.run = [](const KernelCall&) { raise(ErrorKind::value, "[test_error] no."); };
    table.add("test_error", error);
    return true;
  }();
  (void)done;
}

inline std::vector<Edge> structural_like(const char* name, const Edge& a, uint32_t outputs,
                                         StreamId stream = cpu(), List params = {}) {
  register_test_kernels();
  std::vector<Dims> shapes(outputs, a.shape());
  std::vector<Dtype> dtypes(outputs, a.dtype());
  Node* node = structural(op_named(name, Kind::structural), &a, 1, Params(std::move(params)),
                          shapes.data(), dtypes.data(), outputs, stream);
  const Edge first = Edge::adopt(node, 0);
  std::vector<Edge> all;
  for (uint32_t i = 0; i < outputs; ++i) all.emplace_back(node, i);
  return all;
}
inline Edge reverse(const Edge& a, StreamId stream = cpu()) {
  return structural_like("test_reverse", a, 1, stream)[0];
}

inline void evaluate(const std::vector<Edge>& roots, bool async = false) {
  eval(roots.data(), roots.size(), async);
}

// The elements of an array in row-major order, evaluated first.
template <class T> std::vector<T> values(const Edge& edge) {
  eval(&edge, 1, false);
  const Output& output = edge.node()->outputs[edge.output()];
  const int64_t size = element_count(output.shape);
  const char* base = static_cast<const char*>(output.buffer->host()) + output.offset;
  const size_t ndim = output.shape.size();
  std::vector<int64_t> at(ndim, 0);
  std::vector<T> out(size);
  for (int64_t i = 0; i < size; ++i) {
    int64_t index = 0;
    for (size_t k = 0; k < ndim; ++k) index += at[k] * output.strides[k];
    std::memcpy(&out[i], base + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
    for (size_t k = ndim; k-- > 0;) {
      if (++at[k] < output.shape[k]) break;
      at[k] = 0;
    }
  }
  return out;
}

}  // namespace mlxk_graphs
