// The product of two matrices that are packed into panels, by the loops that suit its shape.
#pragma once

#include "cpu/matmul/blocked.h"
#include "cpu/matmul/low.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class Tile, Dtype D>
void packed_product(const Matrix& a, const Matrix& b, const Target& out, void* workspace) {
  LowProduct<Tile, D> low{a, b, out};
  if (low.fits()) return low.run(workspace);
  blocked_product<Tile, D>(a, b, out, workspace);
}

// It grows with the shape, for some callers give the largest of several products.
template <class Tile, Dtype D> size_t packed_workspace(int64_t m, int64_t n, int64_t k) {
  const Matrix a{nullptr, m, k, k, 1, D}, b{nullptr, k, n, n, 1, D};
  const LowProduct<Tile, D> low{a, b, {}};
  // Where it fits, one with fewer columns may not.
  const int64_t cols = low.fits() ? smaller(n, low.enough() * Tile::cols) : n;
  return static_cast<size_t>(larger(low.most_bytes(), Workspace<Tile>(m, cols, k).bytes()));
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
