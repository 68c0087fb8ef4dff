// Edges of arrays that outlive them: they are not counted, so nothing is locked.
#pragma once

#include <cstring>
#include <memory>

#include "mlxk/node.h"

namespace mlxk::face {

class BorrowedEdges {
 public:
  BorrowedEdges() = default;
  explicit BorrowedEdges(size_t count) { resize(count); }
  BorrowedEdges(const BorrowedEdges&) = delete;
  void resize(size_t count) {  // before the first is put
    if (count > few) many_ = std::make_unique<Room[]>(count);
    count_ = count;
  }
  void put(size_t i, const Edge& edge) {
    std::memcpy(many_ ? &many_[i] : &few_[i], &edge, sizeof(Edge));
  }
  const Edge* data() const { return reinterpret_cast<const Edge*>(many_ ? many_.get() : few_); }
  uint32_t size() const { return static_cast<uint32_t>(count_); }

 private:
  struct alignas(Edge) Room {
    unsigned char bytes[sizeof(Edge)];
  };
  static constexpr size_t few = 8;
  size_t count_ = 0;
  Room few_[few];
  std::unique_ptr<Room[]> many_;
};

}  // namespace mlxk::face
