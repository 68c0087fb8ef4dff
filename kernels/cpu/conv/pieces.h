// What an output sees as a row of elements, for products of panels of 16-bit floats by an extension
// of the instruction set.
#pragma once

#include "cpu/conv/shape.h"

namespace {

constexpr int64_t most_piece = 4096;  // elements

// What an output sees without its zeros, in pieces that lie side by side in the image: rows of taps
// where these touch, or single taps.
struct Pieces {
  int64_t rows[3];       // of pieces along the axes
  int64_t taps, length;  // of a piece: taps, elements

  explicit Pieces(const Problem& p) {
    const Axis& width = p.axes[2];
    const bool touch =
        p.groups == 1 && width.dilation == 1 && width.kernel * p.channels <= most_piece;
    taps = touch ? width.kernel : 1;
    length = taps * p.channels;
    for (int i = 0; i < 3; ++i) rows[i] = p.axes[i].kernel;
    rows[2] /= taps;
  }
  int64_t count() const { return rows[0] * rows[1] * rows[2]; }
  // Calls body(the first tap of a piece along each axis).
  template <class Body> void for_each(const Body& body) const {
    int64_t tap[3];
    for (tap[0] = 0; tap[0] < rows[0]; ++tap[0]) {
      for (tap[1] = 0; tap[1] < rows[1]; ++tap[1]) {
        for (tap[2] = 0; tap[2] < rows[2]; ++tap[2]) body(tap);
      }
    }
  }
};

}  // namespace
