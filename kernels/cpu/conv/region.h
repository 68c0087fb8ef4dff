// The part of an input that a block of outputs reads, packed: in the compute type, contiguous
// channels, with zeros where the convolution is padded. So whatever its dtype, its strides and its
// borders, a kernel sees one layout, (image, depth, height, width, channels of the chunk), in which
// neighbouring taps of a row are one run of elements.
#pragma once

#include "cpu/conv/plan.h"
#include "cpu/integers.h"

namespace {

// n contiguous elements to the compute type: short rows, so inline.
template <class S, class T> MLXK_FN void copy_row(const S* from, int64_t n, T* to) {
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) store(to + i, load_as(from + i));
  for (; i < n; ++i) to[i] = widen<T>(from[i]);
}

// Pixels `pixel_stride` apart, each `channels` elements, `channel_stride` apart.
template <class S, class T>
static void copy_pixels(const S* from, int64_t pixel_stride, int64_t pixels, int64_t channel_stride,
                        int64_t channels, T* to) {
  if (channel_stride == 1 && pixel_stride == channels) {
    copy_row(from, pixels * channels, to);
  } else if (channel_stride == 1) {
    for (int64_t i = 0; i < pixels; ++i) {
      copy_row(from + i * pixel_stride, channels, to + i * channels);
    }
  } else if (channels >= pixels) {
    for (int64_t i = 0; i < pixels; ++i) {
      load_row<S, T>(from + i * pixel_stride, channel_stride, channels, to + i * channels);
    }
  } else {
    for (int64_t c = 0; c < channels; ++c) {
      const S* const plane = from + c * channel_stride;
      for (int64_t i = 0; i < pixels; ++i) to[i * channels + c] = widen<T>(plane[i * pixel_stride]);
    }
  }
}

// The same where a channel is seen by `repeat` filters one after another, from filter `first` on.
template <class S, class T>
static void repeat_channels(const S* from, int64_t pixel_stride, int64_t pixels,
                            int64_t channel_stride, int64_t first, int64_t filters, int64_t repeat,
                            T* to) {
  for (int64_t f = 0; f < filters; ++f) {
    const S* const plane = from + (first + f) / repeat * channel_stride;
    for (int64_t i = 0; i < pixels; ++i) to[i * filters + f] = widen<T>(plane[i * pixel_stride]);
  }
}

template <class T> MLXK_FN void zero(T* p, int64_t n) {
  __builtin_memset(static_cast<void*>(p), 0, static_cast<size_t>(n) * sizeof(T));
}

// A block of outputs of a phase, seen through a chunk of its taps and channels.
struct Window {
  const Phase* phase;
  int64_t first[4], count[4];  // outputs: images, depth, height, width
  int64_t first_tap[3], tap_count[3];
  int64_t first_channel, channels;
  int64_t repeat = 1;  // filters that see one channel, where each has its own
  Extent extent[3];
  int64_t strides[4];  // of the packed region: image, depth, height, width

  Window(const Plan& plan, const Problem& p, const Phase* phase, int64_t block) : phase(phase) {
    for (int i = 3; i >= 0; --i) {
      const int64_t outputs = i ? phase[i - 1].outputs : p.batch;
      first[i] = block % plan.blocks[i] * plan.block[i];
      block /= plan.blocks[i];
      count[i] = larger(smaller(plan.block[i], outputs - first[i]), 0);
    }
  }
  int64_t pixels() const { return count[0] * count[1] * count[2] * count[3]; }

  void look_through(const int64_t* taps_from, const int64_t* taps, int64_t channel, int64_t n) {
    first_channel = channel;
    channels = n;
    int64_t stride = n;
    for (int i = 2; i >= 0; --i) {
      first_tap[i] = taps_from[i];
      tap_count[i] = taps[i];
      extent[i] = Extent(phase[i], count[1 + i], taps[i]);
      strides[1 + i] = stride;
      stride *= extent[i].size;
    }
    strides[0] = stride;
  }

  // All taps.
  void look_at(int64_t channel, int64_t n) {
    const int64_t none[3] = {}, taps[3] = {phase[0].taps, phase[1].taps, phase[2].taps};
    look_through(none, taps, channel, n);
  }
  bool sees_something() const { return tap_count[0] * tap_count[1] * tap_count[2] * channels > 0; }

  // The input coordinate of position `at` along depth (0) or height (1).
  int64_t coordinate(int i, int64_t at) const {
    const Phase& p = phase[i];
    const int64_t base = p.origin + first[1 + i] * p.step + first_tap[i] * p.pitch;
    if (extent[i].shared) return base + at;
    return base + at % count[1 + i] * p.step + at / count[1 + i] * p.pitch;
  }

  // `n` pixels of a line from coordinate `at` on, `step` apart; zeros outside of the line.
  template <class S, class T>
  void pack_pixels(const S* line, const Volume& x, int64_t in, int64_t at, int64_t step, int64_t n,
                   T* to) const {
    const int64_t begin = smaller(at < 0 ? ceil_div(-at, step) : 0, n);
    const int64_t end = larger(smaller(at < in ? ceil_div(in - at, step) : 0, n), begin);
    zero(to, begin * channels);
    const S* const first = line + (at + begin * step) * x.strides[2];
    if (end > begin && repeat > 1) {
      repeat_channels(first, step * x.strides[2], end - begin, x.inner_stride, first_channel,
                      channels, repeat, to + begin * channels);
    } else if (end > begin) {
      copy_pixels(first, step * x.strides[2], end - begin, x.inner_stride, channels,
                  to + begin * channels);
    }
    zero(to + end * channels, (n - end) * channels);
  }

  template <class S, class T>
  void pack(const Problem& p, const Volume& x, int64_t group, T* to) const {
    const int64_t channel = repeat > 1 ? 0 : group * p.channels + first_channel;
    const S* const base = reinterpret_cast<const S*>(x.data) + channel * x.inner_stride;
    const Phase& w = phase[2];
    const int64_t left = w.origin + first[3] * w.step + first_tap[2] * w.pitch;
    for (int64_t n = 0; n < count[0]; ++n) {
      for (int64_t d = 0; d < extent[0].size; ++d) {
        const int64_t depth = coordinate(0, d);
        for (int64_t h = 0; h < extent[1].size; ++h, to += strides[2]) {
          const int64_t height = coordinate(1, h);
          if (depth < 0 || depth >= p.axes[0].in || height < 0 || height >= p.axes[1].in) {
            zero(to, strides[2]);
            continue;
          }
          const S* const line =
              base + (first[0] + n) * x.outer_stride + depth * x.strides[0] + height * x.strides[1];
          if (extent[2].shared) {
            pack_pixels(line, x, p.axes[2].in, left, 1, extent[2].size, to);
          } else {
            for (int64_t t = 0; t < tap_count[2]; ++t) {
              pack_pixels(line, x, p.axes[2].in, left + t * w.pitch, w.step, count[3],
                          to + t * count[3] * channels);
            }
          }
        }
      }
    }
  }
};

// The outputs of a window: where each lies in the tensor of outputs, and where in the region (or,
// without one, in the image) what it sees begins.
struct Pixels {
  int64_t count = 0;
  int64_t output[block_pixels];
  int64_t input[block_pixels];
  int64_t place[4][block_pixels];  // image, depth, height, width in the window

  Pixels(const Window& w, const Volume& outputs) {
    for (int64_t n = 0; n < w.count[0]; ++n) {
      for (int64_t d = 0; d < w.count[1]; ++d) {
        for (int64_t h = 0; h < w.count[2]; ++h) {
          for (int64_t x = 0; x < w.count[3]; ++x, ++count) {
            const int64_t at[4] = {n, d, h, x};
            output[count] = (w.first[0] + n) * outputs.outer_stride;
            for (int i = 0; i < 3; ++i) {
              const Phase& p = w.phase[i];
              const int64_t index = p.first + (w.first[1 + i] + at[1 + i]) * p.every;
              output[count] += index * outputs.strides[i];
            }
            for (int i = 0; i < 4; ++i) place[i][count] = at[i];
          }
        }
      }
    }
  }
  void place_in_region(const Window& w) {
    for (int64_t i = 0; i < count; ++i) {
      input[i] = place[0][i] * w.strides[0];
      for (int k = 0; k < 3; ++k) {
        input[i] += place[1 + k][i] * w.extent[k].output_step * w.strides[1 + k];
      }
    }
  }
  // For a single tap without padding.
  void place_in_image(const Window& w, const Volume& image) {
    for (int64_t i = 0; i < count; ++i) {
      input[i] = (w.first[0] + place[0][i]) * image.outer_stride;
      for (int k = 0; k < 3; ++k) {
        input[i] += (w.first[1 + k] + place[1 + k][i]) * w.phase[k].step * image.strides[k];
      }
    }
  }
};

// The elements of a region that one output is multiplied with: pieces of `length` contiguous ones.
struct Walk {
  int64_t count[3], step[3], length;

  explicit Walk(int64_t length) : count{1, 1, 1}, step{}, length(length) {}
  explicit Walk(const Window& w) : length(w.channels) {
    for (int i = 0; i < 3; ++i) {
      count[i] = w.tap_count[i];
      step[i] = w.extent[i].tap_step * w.strides[1 + i];
    }
    for (int i = 2; i >= 0 && step[i] == length && (i == 2 || count[i + 1] == 1); --i) {
      length *= count[i];
      count[i] = 1;
    }
  }
};

}  // namespace
