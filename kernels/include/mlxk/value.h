// Value: one immutable tagged parameter of a node; Params: a node's list of them.
//
// One compare, one hash, one serialise for every op. Floats compare by bits: 0.0 is not -0.0 and a
// NaN equals itself. Params hold no arrays: arrays are inputs. A Python object (closure, NumPy
// owner) sits in an Opaque.
#pragma once

#include <atomic>
#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mlxk/dims.h"
#include "mlxk/dtype.h"

namespace mlxk {

struct Graph;  // graph.h

// Something only its maker understands. Never serialised; equal only to itself unless it says
// otherwise.
struct Opaque {
  virtual ~Opaque() = default;
  virtual bool equals(const Opaque& other) const { return this == &other; }
  virtual size_t hash() const { return reinterpret_cast<size_t>(this); }
  virtual std::string str() const {
    return "<object>";
  }  // a placeholder's names its function and line
};

class Value;
using List = std::vector<Value>;

class Value {
 public:
  enum class Tag : uint8_t {
    none,
    boolean,
    integer,
    real,
    complex,
    dtype,
    dims,
    string,
    list,
    graph,
    opaque
  };

  Value() = default;
  Value(bool v) : tag_(Tag::boolean) { bits_.integer = v; }
  Value(int v) : Value(static_cast<int64_t>(v)) {}
  Value(int64_t v) : tag_(Tag::integer) { bits_.integer = v; }
  Value(double v) : tag_(Tag::real) { bits_.real = v; }
  Value(Dtype v) : tag_(Tag::dtype) { bits_.integer = static_cast<int64_t>(v); }
  Value(std::complex<double> v);
  Value(Dims v) : tag_(Tag::dims), dims_(std::move(v)) {}
  Value(std::string v);
  Value(const char* v) : Value(std::string(v)) {}
  Value(List v);
  Value(std::shared_ptr<const Graph> v);
  Value(std::shared_ptr<Opaque> v);

  Tag tag() const { return tag_; }
  bool is_none() const { return tag_ == Tag::none; }
  // Each raises a runtime error where the tag is another: a broken contract between an op and its
  // kernel.
  bool boolean() const;
  int64_t integer() const;
  double real() const;  // integers convert
  std::complex<double> complex() const;
  Dtype dtype() const;
  const Dims& dims() const;  // a list of integers is always Dims
  const std::string& string() const;
  const List& list() const;
  const std::shared_ptr<const Graph>& graph() const;
  const std::shared_ptr<Opaque>& opaque() const;

  bool operator==(const Value& other) const;
  size_t hash() const;
  std::string str() const;  // for Program prints and error messages: stable

 private:
  Tag tag_ = Tag::none;
  union {
    int64_t integer;
    double real;
  } bits_ = {0};
  Dims dims_;
  std::shared_ptr<const void> heap_;
};

// A node's parameters, shared between nodes and Programs: one block of memory. A null pointer is
// the empty list.
class Params {
 public:
  Params() = default;
  // So many empty values, for at() to fill before the list is shared.
  explicit Params(size_t count) : block_(count ? allocate(count) : nullptr) {}
  explicit Params(List values) : Params(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) at(i) = std::move(values[i]);
  }
  template <class... Values> static Params of(Values&&... values) {
    Params params(sizeof...(Values));
    size_t i = 0;
    ((params.at(i++) = Value(std::forward<Values>(values))), ...);
    return params;
  }
  Params(const Params& other) : block_(other.block_) {
    if (block_) block_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Params(Params&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Params& operator=(Params other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Params() {
    // Of the only reference nobody can make another meanwhile: no locked subtraction is needed.
    if (block_ && (block_->refs.load(std::memory_order_acquire) == 1 ||
                   block_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      release(block_);
    }
  }
  size_t size() const { return block_ ? block_->count : 0; }
  bool empty() const { return !block_; }
  const Value& operator[](size_t i) const { return block_->values()[i]; }
  Value& at(size_t i) { return block_->values()[i]; }
  bool operator==(const Params& other) const;
  size_t hash() const;

 private:
  struct alignas(Value) Block {
    std::atomic<uint32_t> refs;
    uint32_t count;
    Value* values() { return reinterpret_cast<Value*>(this + 1); }
  };
  static Block* allocate(size_t count);
  static void release(Block* block) noexcept;

  Block* block_ = nullptr;
};

}  // namespace mlxk
