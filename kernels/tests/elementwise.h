// Arrays with random contents and any layout, and chains to run on them: what the tests of the
// elementwise machine share with nobody else.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "mlxk/kernel.h"
#include "scalar/types.h"

using namespace mlxk;
namespace sc = mlxk_scalar;

namespace {

// ---- data ---------------------------------------------------------------------------------------

std::mt19937_64 generator(7);

float half_to_float(uint16_t bits, Dtype d) {
  return d == Dtype::bfloat16 ? sc::bf16_to_float<float>(bits) : sc::f16_to_float<float>(bits);
}
uint16_t float_to_half(float value, Dtype d) {
  return static_cast<uint16_t>(d == Dtype::bfloat16 ? sc::float_to_bf16<float>(value)
                                                    : sc::float_to_f16<float>(value));
}

double random_real() {
  static const double special[] = {0.0,      -0.0,      1.0, -1.0,  0.5,     2.0,
                                   INFINITY, -INFINITY, NAN, 1e-40, 65504.0, -3.0};
  const uint64_t r = generator();
  if (r % 6 == 0) return special[r / 6 % 12];
  const double unit = static_cast<double>(generator() >> 11) / 9007199254740992.0 * 2 - 1;
  return r % 6 == 1 ? unit * 100 : unit * 4;
}

void fill_random(Dtype d, int64_t count, char* to) {
  for (int64_t i = 0; i < count; i++) {
    const uint64_t r = generator();
    char* const at = to + i * itemsize(d);
    if (d == Dtype::bool_) {
      *at = r & 1;
    } else if (is_integer(d)) {
      const uint64_t value = r % 4 == 0   ? generator()
                             : r % 4 == 1 ? r >> 62
                                          : static_cast<uint64_t>(r >> 8) % 20;
      memcpy(at, &value, itemsize(d));
    } else if (d == Dtype::float64) {
      const double value = random_real();
      memcpy(at, &value, 8);
    } else if (itemsize(d) == 2) {
      const uint16_t value = float_to_half(static_cast<float>(random_real()), d);
      memcpy(at, &value, 2);
    } else {
      const float pair[2] = {static_cast<float>(random_real()), static_cast<float>(random_real())};
      memcpy(at, pair, itemsize(d));
    }
  }
}

// A tensor with its own memory. Exactly as large as its elements, so that the address sanitizer
// sees any step outside.
struct Array {
  Dtype dtype;
  std::vector<int64_t> shape, strides;
  std::vector<char> bytes;
  int64_t offset = 0;

  Array(Dtype d, std::vector<int64_t> dims) : dtype(d), shape(dims), strides(dims.size()) {
    int64_t count = 1;
    for (int i = static_cast<int>(dims.size()) - 1; i >= 0; i--)
      strides[i] = count, count *= dims[i];
    bytes.resize(count * itemsize(d));
  }
  int64_t size() const {
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    return count;
  }
  Tensor tensor() {
    return {bytes.data() + offset * itemsize(dtype), shape.data(), strides.data(), size(),
            static_cast<int32_t>(shape.size()),      dtype};
  }
  // The elements in row-major order.
  std::vector<char> row_major() {
    std::vector<char> out;
    std::vector<int64_t> index(shape.size());
    for (int64_t k = 0; k < size(); k++) {
      int64_t at = offset;
      for (size_t d = 0; d < shape.size(); d++) at += index[d] * strides[d];
      out.insert(out.end(), bytes.begin() + at * itemsize(dtype),
                 bytes.begin() + (at + 1) * itemsize(dtype));
      for (int d = static_cast<int>(shape.size()) - 1; d >= 0 && ++index[d] == shape[d]; d--)
        index[d] = 0;
    }
    return out;
  }
};

Array random_array(Dtype d, std::vector<int64_t> dims) {
  Array a(d, dims);
  fill_random(d, a.size(), a.bytes.data());
  return a;
}

// ---- running ------------------------------------------------------------------------------------

struct Chain {
  std::vector<FusedStep> steps;
  std::vector<Dtype> inputs, outputs;
  std::vector<Immediate> immediates;

  FusedChain view() const {
    return {steps.data(),
            inputs.data(),
            outputs.data(),
            immediates.data(),
            static_cast<uint16_t>(steps.size()),
            static_cast<uint16_t>(inputs.size()),
            static_cast<uint16_t>(outputs.size()),
            static_cast<uint16_t>(immediates.size())};
  }
  void run(const std::vector<Tensor>& in, const std::vector<Tensor>& out) const {
    const FusedChain chain = view();
    std::vector<char> memory(fused_engine().bytes(chain) + 64);
    char* const aligned = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
    fused_engine().compile(chain, aligned);
    fused_engine().run(aligned, in.data(), out.data());
  }
};

FusedStep step(uint16_t formula, Dtype input, Dtype result, std::vector<FusedArg> args,
               int output = -1) {
  FusedStep s{};
  s.formula = formula;
  s.arg_count = static_cast<uint8_t>(args.size());
  s.dtype = result;
  s.input_dtype = input;
  for (size_t j = 0; j < args.size(); j++) s.args[j] = args[j];
  s.output = static_cast<int16_t>(output);
  return s;
}
FusedArg input(int k) { return {FusedArg::input, static_cast<uint16_t>(k)}; }
[[maybe_unused]] FusedArg earlier(int k) { return {FusedArg::step, static_cast<uint16_t>(k)}; }
[[maybe_unused]] FusedArg immediate(int k) {
  return {FusedArg::immediate, static_cast<uint16_t>(k)};
}

// Memory between two pages that may not be touched, placed at the end or at the start of it.
class Guarded {
 public:
  Guarded(size_t bytes, bool at_end) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    middle_ = (bytes + page_ - 1) / page_ * page_ + page_;
    void* const all = mmap(nullptr, middle_ + 2 * page_, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(all != MAP_FAILED);
    start_ = static_cast<char*>(all);
    mprotect(start_, page_, PROT_NONE);
    mprotect(start_ + page_ + middle_, page_, PROT_NONE);
    data = at_end ? start_ + page_ + middle_ - bytes : start_ + page_;
  }
  ~Guarded() { munmap(start_, middle_ + 2 * page_); }
  Guarded(const Guarded&) = delete;
  char* data;

 private:
  size_t page_, middle_;
  char* start_;
};

}  // namespace
