// The numbers of a key, as many as most keys have without memory of their own.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace mlxk::face {

class KeyWords {
 public:
  void push_back(uint64_t word) {
    if (size_ < few) {
      few_[size_++] = word;
      return;
    }
    if (size_ == few) many_.assign(few_, few_ + few);
    many_.push_back(word);
    ++size_;
  }
  bool operator==(const KeyWords& other) const {
    return size_ == other.size_ && std::memcmp(data(), other.data(), size_ * sizeof *few_) == 0;
  }
  uint64_t hash() const {
    uint64_t hash = size_ * 0x9e3779b97f4a7c15ull;
    for (size_t i = 0; i < size_; ++i) {
      hash = (hash ^ data()[i]) * 0xff51afd7ed558ccdull;
      hash ^= hash >> 32;
    }
    return hash;
  }

 private:
  const uint64_t* data() const { return size_ > few ? many_.data() : few_; }
  static constexpr size_t few = 24;
  size_t size_ = 0;
  uint64_t few_[few];
  std::vector<uint64_t> many_;
};

}  // namespace mlxk::face
