// Dims: an immutable list of int64 shared by reference. Shapes, strides and axes are Dims.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

namespace mlxk {

class Dims {
 public:
  Dims() = default;  // the empty list owns nothing
  Dims(const int64_t* values, size_t count) : block_(count ? allocate(values, count) : nullptr) {}
  Dims(std::initializer_list<int64_t> values) : Dims(values.begin(), values.size()) {}
  Dims(const Dims& other) : block_(other.block_) {
    if (block_) block_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Dims(Dims&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Dims& operator=(Dims other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Dims() {
    // Of the only reference nobody can make another meanwhile: no locked subtraction is needed.
    if (block_ && (block_->refs.load(std::memory_order_acquire) == 1 ||
                   block_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      release(block_);
    }
  }

  size_t size() const { return block_ ? block_->count : 0; }
  bool empty() const { return !block_; }
  const int64_t* data() const { return block_ ? block_->values : nullptr; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size(); }
  int64_t operator[](size_t i) const { return block_->values[i]; }
  int64_t back() const { return block_->values[block_->count - 1]; }
  bool same(const Dims& other) const { return block_ == other.block_; }  // one block: a quick yes
  bool operator==(const Dims& other) const;

  std::string str() const;  // "(2, 3)", "(2,)", "()" as Python prints a tuple

 private:
  struct Block {
    std::atomic<uint32_t> refs;
    uint32_t count;
    int64_t values[];
  };
  static Block* allocate(const int64_t* values, size_t count);
  static void release(Block* block) noexcept;

  Block* block_ = nullptr;
};

// Number of elements; raises a value error where the product overflows 2^62.
int64_t element_count(const Dims& shape);
// Bytes of so many elements side by side; raises a memory error beyond what any machine could hold.
// Sums of many such numbers fit a size_t.
size_t byte_count(const Dims& shape, size_t itemsize);
// Strides of a row-major contiguous array, in elements.
Dims row_major(const Dims& shape);
// NumPy's rule; raises "[broadcast_shapes] Shapes (2, 3) and (4,) cannot be broadcast."
Dims broadcast(const Dims& a, const Dims& b, const char* function);

}  // namespace mlxk
