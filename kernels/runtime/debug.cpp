// The switches of debug.h, and the check of indices.
#include "mlxk/debug.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "mlxk/error.h"

namespace mlxk {

namespace {

bool is_set(const char* variable) {
  const char* text = std::getenv(variable);
  return text && *text && std::string(text) != "0";
}

std::atomic<bool>& bounds_switch() {
  static std::atomic<bool> on{is_set("MLX_CHECK_BOUNDS")};
  return on;
}

std::atomic<bool>& nans_switch() {
  static std::atomic<bool> on{is_set("MLX_DEBUG_NANS")};
  return on;
}

// An index as a number; what no int64 holds is as large as any.
int64_t index_at(const char* at, Dtype dtype) {
  switch (dtype) {
    case Dtype::uint8: return *reinterpret_cast<const uint8_t*>(at);
    case Dtype::uint16: return *reinterpret_cast<const uint16_t*>(at);
    case Dtype::uint32: return *reinterpret_cast<const uint32_t*>(at);
    case Dtype::int8: return *reinterpret_cast<const int8_t*>(at);
    case Dtype::int16: return *reinterpret_cast<const int16_t*>(at);
    case Dtype::int32: return *reinterpret_cast<const int32_t*>(at);
    case Dtype::uint64: {
      const uint64_t index = *reinterpret_cast<const uint64_t*>(at);
      return index > INT64_MAX ? INT64_MAX : static_cast<int64_t>(index);
    }
    default: return *reinterpret_cast<const int64_t*>(at);
  }
}

}  // namespace

bool checks_bounds() noexcept { return bounds_switch().load(std::memory_order_relaxed); }
void set_checks_bounds(bool on) noexcept { bounds_switch().store(on); }

bool checks_nans() noexcept { return nans_switch().load(std::memory_order_relaxed); }
void set_checks_nans(bool on) noexcept { nans_switch().store(on); }

void check_indices(const char* op, const Tensor& indices, int64_t axis, int64_t size) {
  const int64_t itemsize = static_cast<int64_t>(mlxk::itemsize(indices.dtype));
  for (int64_t i = 0; i < indices.size; ++i) {
    int64_t at = 0, rest = i;
    for (int d = indices.ndim; d-- > 0;) {
      at += rest % indices.shape[d] * indices.strides[d];
      rest /= indices.shape[d];
    }
    const int64_t index =
        index_at(static_cast<const char*>(indices.data) + at * itemsize, indices.dtype);
    if (index >= -size && index < size) continue;
    const Dims shape(indices.shape, static_cast<size_t>(indices.ndim));
    raise(ErrorKind::index,
          "[%s] Index %lld, element %lld of indices of shape %s, is out of range for axis %lld of "
          "size %lld.",
          op, static_cast<long long>(index), static_cast<long long>(i), shape.str().c_str(),
          static_cast<long long>(axis), static_cast<long long>(size));
  }
}

}  // namespace mlxk
