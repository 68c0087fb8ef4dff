// bfloat16 products with the tiles of AMX: see cpu/matmul/bfloat16.h.
//
// tdpbf16ps multiplies a tile register of 16 rows x 32 elements with one of 32 elements x 16
// columns, both in pairs along k, and treats denormals as zero.
#include <immintrin.h>

#include "cpu/matmul/bfloat16.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What ldtilecfg reads: all eight registers hold 16 rows of 64 bytes.
struct alignas(64) Registers {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr Registers registers_of_all;

struct AmxTile : PairTile {
  static constexpr int side = 16;  // rows, units and columns of a register
  static constexpr int run = side;
  static constexpr int64_t depth = 512, most_panels = 8, block_size = 2 << 20;
  static constexpr int64_t low_rows = 512, low_bytes = 8 << 20;
  static constexpr int rows = 2 * side;
  static constexpr int cols = 2 * side;
  // Bytes that a step asks L2 for, of b and of the sums: what it needs a panel later.
  static constexpr int prefetched = cols * side * sizeof(Unit) / most_panels;

  struct Scope {
    Scope() { _tile_loadconfig(&registers_of_all); }
    ~Scope() { _tile_release(); }
  };

  static void multiply(int64_t units, const Unit* a, const Unit* b, bool first, float* tile,
                       const Ahead& ahead) {
    constexpr int row_bytes = cols * sizeof(float), lower = side * cols;
    asm volatile("" ::: "memory");  // what was packed is in memory: g++'s loads do not say
    if (first) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    } else {
      _tile_loadd(0, tile, row_bytes);
      _tile_loadd(1, tile + side, row_bytes);
      _tile_loadd(2, tile + lower, row_bytes);
      _tile_loadd(3, tile + lower + side, row_bytes);
    }
    const char *next_b = ahead.b, *next_tile = ahead.tile;
    for (int64_t u = 0; u < units; u += side) {
      for (int i = 0; i < prefetched; i += 64) {
        __builtin_prefetch(next_b + i, 0, 2);
        __builtin_prefetch(next_tile + i, 1, 2);
      }
      next_b += prefetched;
      next_tile += prefetched;
      // b's panel stays in L1, a's pass it by.
      _tile_stream_loadd(4, a, side * sizeof(Unit));
      _tile_loadd(6, b, cols * sizeof(Unit));
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, b + side, cols * sizeof(Unit));
      _tile_dpbf16ps(1, 4, 7);
      _tile_stream_loadd(5, a + side * side, side * sizeof(Unit));
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
      a += rows * side;
      b += cols * side;
    }
    _tile_stored(0, tile, row_bytes);
    _tile_stored(1, tile + side, row_bytes);
    _tile_stored(2, tile + lower, row_bytes);
    _tile_stored(3, tile + lower + side, row_bytes);
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(matmul, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("matmul_bfloat16", bfloat16_product<AmxTile>());
}
