// What Tiles share that multiply pairs of 16-bit elements along k.
#pragma once

#include <string.h>

#include "cpu/lanes.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct PairTile {
  using Element = uint16_t;
  using Unit = uint32_t;  // elements k and k + 1
  static constexpr int steps = 2, levels = 1;

  static Unit pack(const uint16_t* p, int64_t stride) {
    return p[0] | static_cast<uint32_t>(p[stride]) << 16;
  }
  static Unit pack_last(const uint16_t* p) { return p[0]; }
  // A vector of units along k.
  static Vec<Unit> load_units(const uint16_t* p) {
    Vec<Unit> v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  // One unit of each of `width` lines side by side.
  template <int width> static void pack_across(const uint16_t* p, int64_t stride, Unit* out) {
    for (int line = 0; line < width; ++line) out[line] = pack(p + line, stride);
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
