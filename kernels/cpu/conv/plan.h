// How the work of a convolution is cut.
#pragma once

#include "cpu/conv/shape.h"

namespace {

constexpr int64_t region_bytes = 65536;   // of a packed region: it stays in the second-level cache
constexpr int64_t block_pixels = 128;     // outputs that share a region
constexpr int64_t products_a_pass = 768;  // taps x channels of a packed panel of weights

// How many positions of the input `outputs` outputs with `taps` taps read along an axis, and where
// output j and tap t find theirs: j * output_step + t * tap_step. Where taps lie far apart each
// has its own copy of what the outputs read; else they share.
struct Extent {
  int64_t size, output_step, tap_step;
  bool shared;

  Extent() = default;
  Extent(const Phase& phase, int64_t outputs, int64_t taps) {
    const int64_t dense = (outputs - 1) * phase.step + (taps - 1) * phase.pitch + 1;
    shared = dense <= outputs * taps;
    size = shared ? dense : outputs * taps;
    output_step = shared ? phase.step : 1;
    tap_step = shared ? phase.pitch : outputs;
  }
};

// Outputs are computed in blocks, over chunks of taps and channels: the same ones for any number of
// threads, since they decide in which order products are added.
struct Plan {
  int64_t phases[3];
  int64_t block[4], blocks[4];  // outputs of a phase: images, depth, height, width
  int64_t taps[3];              // of a chunk
  int64_t channels;             // of a chunk
  int64_t tap_chunks;

  int64_t phase_count() const { return phases[0] * phases[1] * phases[2]; }
  int64_t chunk_count(int64_t all_channels) const {  // of the fullest phase
    return tap_chunks * ceil_div(all_channels, channels);
  }
  int64_t block_count() const { return blocks[0] * blocks[1] * blocks[2] * blocks[3]; }
};

struct Limits {
  int64_t region_elements;
  int64_t pixels = block_pixels;
  int64_t products = products_a_pass;
};

static Plan make_plan(const Problem& p, const Limits& limits) {
  Plan plan{};
  Phase fullest[3];
  int64_t outputs[4] = {p.batch, 0, 0, 0};
  for (int i = 0; i < 3; ++i) {
    const Axis& axis = p.axes[i];
    plan.phases[i] = axis.phases();
    fullest[i] = axis.phase(0);
    fullest[i].taps = ceil_div(axis.kernel, axis.weight_step());
    outputs[1 + i] = fullest[i].outputs;
    plan.taps[i] = fullest[i].taps;
  }
  int64_t room = limits.pixels;
  for (int i = 3; i >= 0; --i) {
    const int64_t count = ceil_div(outputs[i], larger(room, 1));
    plan.block[i] = ceil_div(outputs[i], larger(count, 1));
    room /= larger(plan.block[i], 1);
    room = larger(room, 1);
  }
  const auto positions = [&] {
    int64_t n = plan.block[0];
    for (int i = 0; i < 3; ++i) n *= Extent(fullest[i], plan.block[1 + i], plan.taps[i]).size;
    return n;
  };
  const int64_t least_channels = smaller(p.channels, 16);
  const auto halve = [](int64_t* n) { *n = ceil_div(*n, 2); };
  while (positions() * least_channels > limits.region_elements) {
    if (plan.block[0] > 1)
      halve(&plan.block[0]);
    else if (plan.block[1] > 1)
      halve(&plan.block[1]);
    else if (plan.block[2] > 1)
      halve(&plan.block[2]);
    else if (plan.block[3] > 48)
      halve(&plan.block[3]);
    else if (plan.taps[0] > 1)
      halve(&plan.taps[0]);
    else if (plan.taps[1] > 1)
      halve(&plan.taps[1]);
    else if (plan.taps[2] > 1)
      halve(&plan.taps[2]);
    else
      halve(&plan.block[3]);
  }
  const int64_t taps = plan.taps[0] * plan.taps[1] * plan.taps[2];
  const int64_t fitting =
      smaller(limits.region_elements / positions(), larger(16, limits.products / taps));
  plan.channels = p.channels;
  if (fitting < p.channels) {
    const int64_t most = larger(fitting / 16 * 16, 16);
    plan.channels = round_up(ceil_div(p.channels, ceil_div(p.channels, most)), 8);
  }
  plan.tap_chunks = 1;
  for (int i = 0; i < 3; ++i) plan.tap_chunks *= ceil_div(fullest[i].taps, plan.taps[i]);
  for (int i = 0; i < 4; ++i) plan.blocks[i] = ceil_div(outputs[i], larger(plan.block[i], 1));
  return plan;
}

// The phase with a number; returns what is left of the number.
static int64_t read_phase(const Problem& p, const Plan& plan, int64_t number, int64_t* index,
                          Phase* phase) {
  for (int i = 2; i >= 0; --i) {
    index[i] = number % plan.phases[i];
    number /= plan.phases[i];
    phase[i] = p.axes[i].phase(index[i]);
  }
  return number;
}

// Calls body(first tap of each axis, tap counts, first channel, channel count) for every chunk of a
// phase, in the order in which products are added.
template <class Body>
static void for_each_chunk(const Plan& plan, const Phase* phase, int64_t channels,
                           const Body& body) {
  int64_t first[3], count[3];
  for (first[0] = 0; first[0] < phase[0].taps; first[0] += plan.taps[0]) {
    count[0] = smaller(plan.taps[0], phase[0].taps - first[0]);
    for (first[1] = 0; first[1] < phase[1].taps; first[1] += plan.taps[1]) {
      count[1] = smaller(plan.taps[1], phase[1].taps - first[1]);
      for (first[2] = 0; first[2] < phase[2].taps; first[2] += plan.taps[2]) {
        count[2] = smaller(plan.taps[2], phase[2].taps - first[2]);
        for (int64_t c = 0; c < channels; c += plan.channels) {
          body(first, count, c, smaller(plan.channels, channels - c));
        }
      }
    }
  }
}

}  // namespace
