// Host tensors for kernel tests: any dtype, shape and layout, read and written as complex<double>.
#pragma once

#include <complex>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/kernel.h"
#include "mlxk/threads.h"
#include "scalar/types.h"

namespace mlxk_check {

using mlxk::Dtype;
using Number = std::complex<double>;
using Shape = std::vector<int64_t>;

inline const Dtype all_dtypes[] = {
    Dtype::bool_,    Dtype::uint8,   Dtype::uint16,  Dtype::uint32,    Dtype::uint64,
    Dtype::int8,     Dtype::int16,   Dtype::int32,   Dtype::int64,     Dtype::float16,
    Dtype::bfloat16, Dtype::float32, Dtype::float64, Dtype::complex64,
};
inline const char* dtype_name(Dtype d) {
  const char* names[] = {"bool",     "uint8",   "uint16",  "uint32",   "uint64",
                         "int8",     "int16",   "int32",   "int64",    "float16",
                         "bfloat16", "float32", "float64", "complex64"};
  return names[static_cast<int>(d)];
}
// A generous bound of one rounding to the dtype.
inline double epsilon(Dtype d) {
  switch (d) {
    case Dtype::float16: return 1e-3;
    case Dtype::bfloat16: return 8e-3;
    case Dtype::float32:
    case Dtype::complex64: return 1.2e-7;
    case Dtype::float64: return 2.3e-16;
    default: return 0;
  }
}

inline Number read_element(Dtype dtype, const void* p) {
  using namespace mlxk_scalar;
  switch (dtype) {
    case Dtype::bool_:
    case Dtype::uint8: return *static_cast<const uint8*>(p);
    case Dtype::uint16: return *static_cast<const uint16*>(p);
    case Dtype::uint32: return *static_cast<const uint32*>(p);
    case Dtype::uint64: return static_cast<double>(*static_cast<const uint64*>(p));
    case Dtype::int8: return *static_cast<const int8*>(p);
    case Dtype::int16: return *static_cast<const int16*>(p);
    case Dtype::int32: return *static_cast<const int32*>(p);
    case Dtype::int64: return static_cast<double>(*static_cast<const int64*>(p));
    case Dtype::float16: return f16_to_float<float>(*static_cast<const uint16*>(p));
    case Dtype::bfloat16: return bf16_to_float<float>(*static_cast<const uint16*>(p));
    case Dtype::float32: return *static_cast<const float*>(p);
    case Dtype::float64: return *static_cast<const double*>(p);
    default: return {static_cast<const float*>(p)[0], static_cast<const float*>(p)[1]};
  }
}

inline void write_element(Dtype dtype, void* p, Number value) {
  using namespace mlxk_scalar;
  const double x = value.real();
  switch (dtype) {
    case Dtype::bool_: *static_cast<uint8*>(p) = x != 0; break;
    case Dtype::uint8: *static_cast<uint8*>(p) = static_cast<uint8>(static_cast<int64_t>(x)); break;
    case Dtype::uint16:
      *static_cast<uint16*>(p) = static_cast<uint16>(static_cast<int64_t>(x));
      break;
    case Dtype::uint32:
      *static_cast<uint32*>(p) = static_cast<uint32>(static_cast<int64_t>(x));
      break;
    case Dtype::uint64:
      *static_cast<uint64*>(p) = static_cast<uint64>(static_cast<int64_t>(x));
      break;
    case Dtype::int8: *static_cast<int8*>(p) = static_cast<int8>(static_cast<int64_t>(x)); break;
    case Dtype::int16: *static_cast<int16*>(p) = static_cast<int16>(static_cast<int64_t>(x)); break;
    case Dtype::int32: *static_cast<int32*>(p) = static_cast<int32>(static_cast<int64_t>(x)); break;
    case Dtype::int64: *static_cast<int64*>(p) = static_cast<int64_t>(x); break;
    case Dtype::float16:
      *static_cast<uint16*>(p) = static_cast<uint16>(float_to_f16(static_cast<float>(x)));
      break;
    case Dtype::bfloat16:
      *static_cast<uint16*>(p) = static_cast<uint16>(float_to_bf16(static_cast<float>(x)));
      break;
    case Dtype::float32: *static_cast<float*>(p) = static_cast<float>(x); break;
    case Dtype::float64: *static_cast<double*>(p) = x; break;
    default:
      static_cast<float*>(p)[0] = static_cast<float>(value.real());
      static_cast<float*>(p)[1] = static_cast<float>(value.imag());
  }
}

// Elements in logical (row-major) order are read and written through strides; the bytes are exactly
// as many as needed, so that the address sanitizer sees any access beside them.
struct Array {
  Dtype dtype = Dtype::float32;
  Shape shape, strides;
  int64_t offset = 0;  // in elements
  std::shared_ptr<char[]> bytes;
  int64_t byte_count = 0;

  int64_t size() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  char* data() const { return bytes.get() + offset * static_cast<int64_t>(mlxk::itemsize(dtype)); }
  char* element(int64_t index) const {
    int64_t at = offset;
    for (size_t i = shape.size(); i-- > 0;) {
      at += index % shape[i] * strides[i];
      index /= shape[i];
    }
    return bytes.get() + at * static_cast<int64_t>(mlxk::itemsize(dtype));
  }
  Number operator[](int64_t index) const { return read_element(dtype, element(index)); }
  void set(int64_t index, Number value) const { write_element(dtype, element(index), value); }
  bool same_bytes(const Array& other) const {
    return byte_count == other.byte_count &&
           std::memcmp(bytes.get(), other.bytes.get(), static_cast<size_t>(byte_count)) == 0;
  }
  mlxk::Tensor tensor() const {
    return {data(), shape.data(), strides.data(), size(), static_cast<int32_t>(shape.size()),
            dtype};
  }
};

inline Array make_array(Dtype dtype, Shape shape) {
  Array a;
  a.dtype = dtype;
  a.shape = std::move(shape);
  a.strides.resize(a.shape.size());
  int64_t stride = 1;
  for (size_t i = a.shape.size(); i-- > 0;) {
    a.strides[i] = stride;
    stride *= a.shape[i];
  }
  a.byte_count = a.size() * static_cast<int64_t>(mlxk::itemsize(dtype));
  a.bytes = std::shared_ptr<char[]>(new char[static_cast<size_t>(a.byte_count)]);
  std::memset(a.bytes.get(), 0x5a, static_cast<size_t>(a.byte_count));
  return a;
}

enum class Layout { contiguous, transposed, sliced, reversed, broadcast };
inline const Layout all_layouts[] = {Layout::contiguous, Layout::transposed, Layout::sliced,
                                     Layout::reversed, Layout::broadcast};

inline Array make_array(Dtype dtype, const Shape& shape, Layout layout) {
  if (shape.empty() || layout == Layout::contiguous) return make_array(dtype, shape);
  Shape stored = shape;
  const size_t n = shape.size();
  if (layout == Layout::transposed) {
    for (size_t i = 0; i < n; ++i) stored[i] = shape[n - 1 - i];
  } else if (layout == Layout::sliced) {
    for (int64_t& d : stored) d = 2 * d + 1;
  } else if (layout == Layout::broadcast && shape[0] > 0) {
    stored[0] = 1;
  }
  Array a = make_array(dtype, stored);
  if (layout == Layout::transposed) {
    for (size_t i = 0; i < n / 2; ++i) std::swap(a.strides[i], a.strides[n - 1 - i]);
  } else if (layout == Layout::broadcast) {
    a.strides[0] = 0;
  }
  a.shape = shape;
  for (size_t i = 0; i < n; ++i) {
    if (layout == Layout::sliced) {
      a.offset += a.strides[i];
      a.strides[i] *= 2;
    } else if (layout == Layout::reversed && shape[i] > 0) {
      a.offset += (shape[i] - 1) * a.strides[i];
      a.strides[i] = -a.strides[i];
    }
  }
  return a;
}

struct Random {
  uint64_t state = 1;
  double next() {  // uniform in [0, 1)
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state >> 11) / 9007199254740992.0;
  }
};

// Small values that every dtype holds: integers in [low, high], for inexact dtypes with a fraction.
inline void fill(const Array& a, uint64_t seed, double low = -4, double high = 4) {
  Random random{seed * 2654435761u + 1};
  for (int64_t i = 0; i < a.size(); ++i) {
    double re = low + (high - low) * random.next(), im = low + (high - low) * random.next();
    if (!mlxk::is_inexact(a.dtype)) re = std::floor(re + 0.5);
    if (mlxk::is_unsigned(a.dtype) || a.dtype == Dtype::bool_) re = std::fabs(re);
    a.set(i, {re, mlxk::is_complex(a.dtype) ? im : 0});
  }
}

// Runs the CPU's kernel of that name.
inline void run_kernel(const char* name, const std::vector<Array>& inputs,
                       const std::vector<Array>& outputs, mlxk::List params = {}) {
  const mlxk::Kernel* kernel = mlxk::kernels(mlxk::DeviceKind::cpu).find(name);
  if (!kernel) throw std::runtime_error(std::string("no kernel ") + name);
  std::vector<mlxk::Tensor> in, out;
  for (const Array& a : inputs) in.push_back(a.tensor());
  for (const Array& a : outputs) out.push_back(a.tensor());
  const mlxk::Params block{std::move(params)};
  mlxk::KernelCall call{
      in.data(), out.data(), static_cast<uint32_t>(in.size()), static_cast<uint32_t>(out.size()),
      &block,    nullptr};
  std::vector<mlxk::Tensor> bare_in = in, bare_out = out;
  for (mlxk::Tensor& t : bare_in) t.data = nullptr;
  for (mlxk::Tensor& t : bare_out) t.data = nullptr;
  mlxk::KernelCall question = call;
  question.inputs = bare_in.data();
  question.outputs = bare_out.data();
  const size_t bytes = kernel->workspace ? kernel->workspace(question) : 0;
  const std::unique_ptr<void, decltype(&std::free)> workspace{
      bytes ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr, &std::free};
  call.workspace = workspace.get();
  kernel->run(call);
}

// Runs it at 1, 2 and 5 threads; false unless every output is the same bit for bit. The outputs
// hold the last result.
inline bool same_at_all_thread_counts(const char* name, const std::vector<Array>& inputs,
                                      const std::vector<Array>& outputs,
                                      const mlxk::List& params = {}) {
  std::vector<std::vector<char>> first;
  bool same = true;
  for (int threads : {1, 2, 5}) {
    mlxk::set_thread_count(threads);
    for (const Array& a : outputs)
      std::memset(a.bytes.get(), threads, static_cast<size_t>(a.byte_count));
    run_kernel(name, inputs, outputs, params);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const char* p = outputs[i].bytes.get();
      if (threads == 1) {
        first.emplace_back(p, p + outputs[i].byte_count);
      } else if (!first[i].empty() && std::memcmp(p, first[i].data(), first[i].size()) != 0) {
        same = false;
      }
    }
  }
  return same;
}

inline std::string describe(const Array& a, Layout layout) {
  std::string text = std::string(dtype_name(a.dtype)) + " (";
  for (int64_t d : a.shape) text += std::to_string(d) + ", ";
  return text + ") layout " + std::to_string(static_cast<int>(layout));
}

}  // namespace mlxk_check
