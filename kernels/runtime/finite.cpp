// Where a NaN or an infinity first appears: what MLX_DEBUG_NANS=1 looks for after each instruction.
//
// An op makes one where its inputs had none: an elementwise op where the inputs at that element had
// none, any other where they had none at all. A NaN counts also if it comes from infinities.
#include <cmath>
#include <cstring>
#include <string>

#include "mlxk/error.h"
#include "mlxk/half.h"
#include "mlxk/op.h"
#include "runtime/execute.h"

namespace mlxk {

namespace {

enum class Badness { none, infinite, nan };

Badness badness(double x) {
  return std::isnan(x) ? Badness::nan : std::isinf(x) ? Badness::infinite : Badness::none;
}

double real_at(const char* at, Dtype dtype) {
  switch (dtype) {
    case Dtype::float64: {
      double x;
      std::memcpy(&x, at, sizeof x);
      return x;
    }
    case Dtype::float16:
    case Dtype::bfloat16: {
      uint16_t bits;
      std::memcpy(&bits, at, sizeof bits);
      return dtype == Dtype::float16 ? float16_value(bits) : bfloat16_value(bits);
    }
    default: {
      float x;
      std::memcpy(&x, at, sizeof x);
      return static_cast<double>(x);
    }
  }
}

Badness badness_at(const char* at, Dtype dtype) {
  if (!is_inexact(dtype)) return Badness::none;
  const Badness real = badness(real_at(at, dtype));
  if (dtype != Dtype::complex64) return real;
  const Badness imaginary = badness(real_at(at + 4, Dtype::float32));
  return real > imaginary ? real : imaginary;
}

const char* element(const Tensor& x, int64_t index) {
  int64_t at = 0;
  for (int d = x.ndim; d-- > 0;) {
    at += index % x.shape[d] * x.strides[d];
    index /= x.shape[d];
  }
  return static_cast<const char*>(x.data) + at * static_cast<int64_t>(itemsize(x.dtype));
}

// The worst of an array.
Badness worst(const Tensor& x) {
  Badness found = Badness::none;
  if (!is_inexact(x.dtype)) return found;
  for (int64_t i = 0; i < x.size && found != Badness::nan; ++i) {
    const Badness here = badness_at(element(x, i), x.dtype);
    if (here > found) found = here;
  }
  return found;
}

std::string text_at(const char* at, Dtype dtype) {
  char text[96];
  if (dtype == Dtype::complex64) {
    std::snprintf(text, sizeof text, "%g%+gj", real_at(at, dtype), real_at(at + 4, Dtype::float32));
  } else {
    std::snprintf(text, sizeof text, "%g", real_at(at, dtype));
  }
  return text;
}

std::string place(const Tensor& x, int64_t index) {
  std::vector<int64_t> at(static_cast<size_t>(x.ndim));
  for (int d = x.ndim; d-- > 0;) {
    at[static_cast<size_t>(d)] = index % x.shape[d];
    index /= x.shape[d];
  }
  return Dims(at.data(), at.size()).str();
}

class Search {
 public:
  Search(const Program& program, const Instruction& instruction, const Tensor* inputs)
      : program_(program), instruction_(instruction), inputs_(inputs) {}

  void look_at(const Tensor& output) {
    if (!is_inexact(output.dtype)) return;
    for (int64_t i = 0; i < output.size; ++i) {
      const Badness made = badness_at(element(output, i), output.dtype);
      if (made > before(i)) complain(output, i);
    }
  }

 private:
  // What the inputs had already.
  Badness before(int64_t index) {
    if (!by_element()) {
      if (!known_) {
        for (uint32_t k = 0; k < instruction_.input_count; ++k) {
          const Badness input = worst(inputs_[k]);
          if (input > all_) all_ = input;
        }
        known_ = true;
      }
      return all_;
    }
    Badness found = immediates();
    for (uint32_t k = 0; k < instruction_.input_count; ++k) {
      const Badness input = badness_at(element(inputs_[k], index), inputs_[k].dtype);
      if (input > found) found = input;
    }
    return found;
  }

  bool by_element() const { return instruction_.kind == Instruction::Kind::fused; }

  Badness immediates() {
    if (!known_) {
      const ChainRecord& chain = program_.chains[instruction_.index];
      for (uint32_t k = 0; k < chain.immediate_count; ++k) {
        const Immediate& immediate = program_.chain_immediates[chain.immediates + k];
        const Badness held =
            badness_at(reinterpret_cast<const char*>(immediate.bytes), immediate.dtype);
        if (held > all_) all_ = held;
      }
      known_ = true;
    }
    return all_;
  }

  [[noreturn]] void complain(const Tensor& output, int64_t index) const {
    std::string from;
    for (uint32_t k = 0; by_element() && k < instruction_.input_count; ++k) {
      if (!is_inexact(inputs_[k].dtype)) continue;
      from +=
          (from.empty() ? " from " : ", ") + text_at(element(inputs_[k], index), inputs_[k].dtype);
    }
    raise(ErrorKind::floating_point, "[debug_nans] %s made %s at %s of a result of shape %s%s.",
          op(instruction_.op).name.c_str(), text_at(element(output, index), output.dtype).c_str(),
          place(output, index).c_str(),
          Dims(output.shape, static_cast<size_t>(output.ndim)).str().c_str(), from.c_str());
  }

  const Program& program_;
  const Instruction& instruction_;
  const Tensor* inputs_;
  bool known_ = false;
  Badness all_ = Badness::none;  // of the immediates of a chain, or of all inputs
};

}  // namespace

void check_finite(const Program& program, const Instruction& instruction, const Tensor* inputs,
                  const Tensor* outputs) {
  if (instruction.kind != Instruction::Kind::fused && instruction.kind != Instruction::Kind::kernel)
    return;  // Programs inside look at their own results
  Search search(program, instruction, inputs);
  for (uint32_t i = 0; i < instruction.output_count; ++i) search.look_at(outputs[i]);
}

}  // namespace mlxk
