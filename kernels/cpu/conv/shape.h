// The geometry of a convolution: which inputs an output sees.
//
// Images are (batch, depth, height, width, channels); 1-d and 2-d ones have leading spatial axes
// of one element. An axis whose input is dilated is taken apart into phases: outputs of one phase
// see the same taps, and for them the input is not dilated any more. So a transposed convolution
// multiplies no zeros that dilation put in.
#pragma once

#include "cpu/integers.h"
#include "cpu/lanes.h"

namespace {

using mlxk::KernelCall;

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Outputs first, first + every, ... of an axis. Output j of them and tap t meet at the input
// origin + j * step + t * pitch; the weight of the tap is weight + t * weight_step.
struct Phase {
  int64_t first, every, outputs;
  int64_t taps, weight, weight_step;
  int64_t origin, step, pitch;
};

struct Axis {
  int64_t in = 1, out = 1, kernel = 1;
  int64_t stride = 1, low = 0, dilation = 1, input_dilation = 1;
  bool flip = false;

  int64_t every() const { return input_dilation / common_divisor(stride, input_dilation); }
  int64_t weight_step() const { return input_dilation / common_divisor(dilation, input_dilation); }
  int64_t phases() const { return smaller(every(), out); }

  Phase phase(int64_t index) const {
    Phase p{};
    p.first = index;
    p.every = every();
    p.outputs = ceil_div(out - index, p.every);
    p.step = stride * p.every / input_dilation;
    const int64_t between = weight_step();
    p.pitch = dilation * between / input_dilation;
    for (int64_t k = 0; k < smaller(between, kernel); ++k) {
      const int64_t at = index * stride - low + k * dilation;
      if (at % input_dilation) continue;
      p.taps = ceil_div(kernel - k, between);
      p.weight = flip ? kernel - 1 - k : k;
      p.weight_step = flip ? -between : between;
      p.origin = at / input_dilation;
      break;
    }
    return p;
  }
};

// A tensor (n, depth, height, width, c): images, or filters with n of them.
struct Volume {
  char* data;
  int64_t outer_stride, strides[3], inner_stride;  // in elements

  Volume() = default;
  explicit Volume(const Tensor& t) : data(static_cast<char*>(t.data)), strides{} {
    const int spatial = t.ndim - 2;
    outer_stride = t.strides[0];
    inner_stride = t.strides[t.ndim - 1];
    for (int i = 0; i < spatial; ++i) strides[3 - spatial + i] = t.strides[1 + i];
  }
};

constexpr double inline_flops = 1 << 20;  // less work than this is not worth a hand-off

// Channels and filters are those of one group.
struct Problem {
  int64_t batch, channels, filters, groups;
  Axis axes[3];

  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  int64_t pixels() const { return batch * axes[0].out * axes[1].out * axes[2].out; }
  double flops() const {
    const double dilated = static_cast<double>(axes[0].every() * axes[1].every() * axes[2].every());
    return 2.0 * static_cast<double>(pixels()) * static_cast<double>(taps() * channels) *
           static_cast<double>(filters * groups) / dilated;
  }
};

// params: strides, padding before, padding after, kernel dilation, input dilation, groups, flip.
static Problem read_problem(const KernelCall& call, const Tensor& image, const Tensor& filters,
                            const Tensor& out) {
  const mlxk::Params& params = *call.params;
  Problem p{};
  p.groups = params[5].integer();
  p.batch = image.shape[0];
  p.channels = filters.shape[filters.ndim - 1];
  p.filters = filters.shape[0] / p.groups;
  const int spatial = image.ndim - 2;
  for (int i = 0; i < spatial; ++i) {
    Axis& axis = p.axes[3 - spatial + i];
    const auto index = static_cast<size_t>(i);
    axis.in = image.shape[1 + i];
    axis.out = out.shape[1 + i];
    axis.kernel = filters.shape[1 + i];
    axis.stride = params[0].dims()[index];
    axis.low = params[1].dims()[index];
    axis.dilation = params[3].dims()[index];
    axis.input_dilation = params[4].dims()[index];
    axis.flip = params[6].boolean();
  }
  return p;
}

}  // namespace
