#include "mlxk/dims.h"

#include <cstring>
#include <new>

#include "graph/blocks.h"
#include "mlxk/error.h"

namespace mlxk {

Dims::Block* Dims::allocate(const int64_t* values, size_t count) {
  if (count > UINT32_MAX) raise(ErrorKind::value, "[shape] %zu axes are too many.", count);
  Block* block = static_cast<Block*>(take_block(sizeof(Block) + count * sizeof(int64_t)));
  new (&block->refs) std::atomic<uint32_t>(1);
  block->count = static_cast<uint32_t>(count);
  std::memcpy(block->values, values, count * sizeof(int64_t));
  return block;
}

void Dims::release(Block* block) noexcept {
  give_block(block, sizeof(Block) + block->count * sizeof(int64_t));
}

bool Dims::operator==(const Dims& other) const {
  if (block_ == other.block_) return true;
  return size() == other.size() && std::memcmp(data(), other.data(), size() * sizeof(int64_t)) == 0;
}

std::string Dims::str() const {
  std::string text = "(";
  for (size_t i = 0; i < size(); ++i) {
    if (i) text += ", ";
    text += std::to_string((*this)[i]);
  }
  return text + (size() == 1 ? ",)" : ")");
}

int64_t element_count(const Dims& shape) {
  constexpr int64_t limit = int64_t{1} << 62;
  int64_t count = 1;
  bool empty = false;
  bool overflow = false;
  for (int64_t length : shape) {
    if (length < 0) {
      raise(ErrorKind::value, "[shape] %s has a negative length.", shape.str().c_str());
    }
    if (length == 0) empty = true;
    if (length > 0 && __builtin_mul_overflow(count, length, &count)) overflow = true;
    if (count > limit) overflow = true;
    if (overflow) count = 1;
  }
  if (empty) return 0;
  if (overflow) {
    raise(ErrorKind::value, "[shape] %s has more than 2**62 elements.", shape.str().c_str());
  }
  return count;
}

size_t byte_count(const Dims& shape, size_t itemsize) {
  constexpr size_t most = size_t{1} << 48;
  const size_t count = static_cast<size_t>(element_count(shape));
  if (count > most / itemsize) {
    raise(ErrorKind::memory,
          "[eval] an array of shape %s with %zu bytes an element is larger than any memory.",
          shape.str().c_str(), itemsize);
  }
  return count * itemsize;
}

Dims row_major(const Dims& shape) {
  const size_t n = shape.size();
  if (n == 0) return {};
  int64_t local[16];
  int64_t* strides = n <= 16 ? local : new int64_t[n];
  uint64_t step = 1;  // may wrap around where an axis is empty: no stride is ever used then
  for (size_t i = n; i-- > 0;) {
    strides[i] = static_cast<int64_t>(step);
    if (shape[i] > 1) step *= static_cast<uint64_t>(shape[i]);
  }
  Dims result(strides, n);
  if (strides != local) delete[] strides;
  return result;
}

Dims broadcast(const Dims& a, const Dims& b, const char* function) {
  if (a == b || b.empty()) return a;
  if (a.empty()) return b;
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  const size_t n = longer.size();
  const size_t shift = n - shorter.size();
  int64_t local[16];
  int64_t* shape = n <= 16 ? local : new int64_t[n];
  bool as_longer = true;
  bool agree = true;
  for (size_t i = 0; i < n && agree; ++i) {
    const int64_t other = i < shift ? 1 : shorter[i - shift];
    shape[i] = longer[i];
    if (other == longer[i] || other == 1) continue;
    if (longer[i] == 1) {
      shape[i] = other;
      as_longer = false;
    } else {
      agree = false;
    }
  }
  Dims result = as_longer ? longer : Dims(shape, n);
  if (shape != local) delete[] shape;
  if (!agree) {
    raise(ErrorKind::value, "[%s] Shapes %s and %s cannot be broadcast.", function, a.str().c_str(),
          b.str().c_str());
  }
  if (!as_longer) element_count(result);
  return result;
}

}  // namespace mlxk
