// Running a compiled chain over tensors: layouts, tails, threads.
//
// Where all inputs are row-major or one element repeated, the chain walks them in place. Else the
// iteration space is collapsed to as few axes as the inputs allow and walked in tiles; an input
// that does not lie in order within a tile is gathered into a buffer on the stack. The last,
// partial block goes through buffers, so that nothing outside the tensors is touched.
#pragma once

#include "cpu/elementwise/compile.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t tile_size = 1024;               // elements; a multiple of every block_size
constexpr float parallel_nanoseconds = 20000.0f;  // work that a thread is handed at least

// Copies `count` items of `bytes` bytes, a stride of items apart, to a row.
template <class T>
MLXK_INLINE void gather_items(const char* from, int64_t stride, int64_t count, char* to) {
  for (int64_t i = 0; i < count; i++)
    memcpy(to + i * sizeof(T), from + i * stride * static_cast<int64_t>(sizeof(T)), sizeof(T));
}
static void gather_row(const char* from, int64_t stride, int64_t count, int bytes, char* to) {
  if (stride == 1) {
    memcpy(to, from, count * bytes);
  } else if (bytes == 1) {
    gather_items<uint8_t>(from, stride, count, to);
  } else if (bytes == 2) {
    gather_items<uint16_t>(from, stride, count, to);
  } else if (bytes == 4) {
    gather_items<uint32_t>(from, stride, count, to);
  } else {
    gather_items<uint64_t>(from, stride, count, to);
  }
}

// The iteration space with adjacent axes joined where every input allows it.
struct Space {
  int axes;
  int64_t* shape;                      // outermost first
  int64_t* strides[max_fused_inputs];  // of each input, in items
};

// Joins axes; `storage` holds (inputs + 1) * ndim numbers, ndim >= 1.
static void collapse(const Tensor* inputs, uint32_t input_count, Space* space, int64_t* storage) {
  const int ndim = inputs[0].ndim;
  space->shape = storage;
  for (uint32_t k = 0; k < input_count; k++) space->strides[k] = storage + (k + 1) * ndim;
  int axes = 0;
  for (int d = 0; d < ndim; d++) {
    const int64_t size = inputs[0].shape[d];
    if (size == 1) continue;
    bool joins = axes > 0;
    for (uint32_t k = 0; k < input_count && joins; k++)
      joins = space->strides[k][axes - 1] == inputs[k].strides[d] * size;
    if (joins) {
      space->shape[axes - 1] *= size;
      for (uint32_t k = 0; k < input_count; k++) space->strides[k][axes - 1] = inputs[k].strides[d];
      continue;
    }
    space->shape[axes] = size;
    for (uint32_t k = 0; k < input_count; k++) space->strides[k][axes] = inputs[k].strides[d];
    axes++;
  }
  if (axes == 0) {  // one element
    space->shape[0] = 1;
    for (uint32_t k = 0; k < input_count; k++) space->strides[k][0] = 1;
    axes = 1;
  }
  space->axes = axes;
}

// Elements [begin, begin + count) of the space, in row-major order, of one input, written in a row.
static void gather(const Space& space, uint32_t input, const char* data, int bytes, int64_t begin,
                   int64_t count, char* to) {
  const int last = space.axes - 1;
  const int64_t* strides = space.strides[input];
  int64_t* index = static_cast<int64_t*>(__builtin_alloca(sizeof(int64_t) * space.axes));
  int64_t offset = 0, rest = begin;
  for (int d = last; d >= 0; d--) {
    index[d] = rest % space.shape[d];
    rest /= space.shape[d];
    offset += index[d] * strides[d];
  }
  for (;;) {
    int64_t run = space.shape[last] - index[last];
    if (run > count) run = count;
    gather_row(data + offset * bytes, strides[last], run, bytes, to);
    to += run * bytes;
    count -= run;
    if (count == 0) return;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; d--) {
      offset += strides[d];
      if (++index[d] < space.shape[d]) break;
      offset -= index[d] * strides[d];
      index[d] = 0;
    }
  }
}

MLXK_INLINE void run_blocks(const Code* codes, const Frame* frame, int64_t begin, int64_t end) {
  const Register none{};
  for (int64_t i = begin; i < end; i += block_size)
    codes->run(codes, frame, i, none, none, none, none, none, none, none, none);
}

// How one input is reached.
enum class Reach : uint8_t { row, repeated, gathered };

struct Job {
  const Compiled* compiled;
  const Tensor* inputs;
  const Tensor* outputs;
  const Space* space;  // null where nothing is gathered
  int64_t size;
  bool streaming;
  Reach reach[max_fused_inputs];
};

// A stack frame of one thread: the places, spills, repeated elements, tile and tail buffers.
class Runner {
 public:
  static size_t bytes(const Job& job) {
    const Compiled& c = *job.compiled;
    size_t total = c.place_count() * sizeof(Place) + 64 + c.spill_count * 8 * block_size +
                   (c.input_count + c.output_count) * 8 * block_size;
    for (uint32_t k = 0; k < c.input_count; k++)
      if (job.reach[k] == Reach::gathered) total += tile_size * c.input_size[k];
    return total;
  }

  Runner(const Job& job, char* memory) : job_(job), c_(*job.compiled) {
    memory = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory) + 63) & ~uintptr_t{63});
    char* const spills = memory;
    memory += c_.spill_count * 8 * block_size;
    small_ = memory;
    memory += (c_.input_count + c_.output_count) * 8 * block_size;
    tiles_ = memory;
    for (uint32_t k = 0; k < c_.input_count; k++)
      if (job.reach[k] == Reach::gathered) memory += tile_size * c_.input_size[k];
    places_ = reinterpret_cast<Place*>(memory);
    const uint32_t immediates = c_.input_count + c_.output_count,
                   first_spill = immediates + c_.immediate_count;
    for (uint32_t j = 0; j < c_.immediate_count; j++)
      places_[immediates + j] = {const_cast<char*>(c_.immediates()) + j * c_.immediate_stride, 0};
    for (uint32_t j = 0; j < c_.spill_count; j++)
      places_[first_spill + j] = {spills + j * 8 * block_size, 0};
    for (uint32_t k = 0; k < c_.input_count; k++)
      if (job.reach[k] == Reach::repeated) repeat(k);
    frame_ = {places_, job.streaming};
  }

  void run(int64_t begin, int64_t end) {
    const int64_t whole = end - end % block_size > begin ? end - end % block_size : begin;
    if (!job_.space) {
      if (begin < whole) {
        point_rows(0);
        run_blocks(c_.codes(), &frame_, begin, whole);
      }
    } else {
      for (int64_t t = begin; t < whole; t += tile_size) {
        const int64_t stop = t + tile_size < whole ? t + tile_size : whole;
        gather_tile(t, stop - t);
        run_blocks(c_.codes(), &frame_, t, stop);
      }
    }
    if (whole < end) run_tail(whole, end - whole);
    if (frame_.streaming) end_streaming();
  }

 private:
  void repeat(uint32_t k) {
    const int bytes = c_.input_size[k];
    char* const to = small_ + k * 8 * block_size;
    gather_row(static_cast<const char*>(job_.inputs[k].data), 0, block_size, bytes, to);
    places_[k] = {to, 0};
  }
  void point_rows(int64_t) {
    for (uint32_t k = 0; k < c_.input_count; k++)
      if (job_.reach[k] == Reach::row)
        places_[k] = {static_cast<char*>(job_.inputs[k].data), c_.input_size[k]};
    point_outputs();
  }
  void point_outputs() {
    for (uint32_t k = 0; k < c_.output_count; k++)
      places_[c_.input_count + k] = {static_cast<char*>(job_.outputs[k].data), c_.output_size[k]};
  }
  void gather_tile(int64_t begin, int64_t count) {
    char* tile = tiles_;
    for (uint32_t k = 0; k < c_.input_count; k++) {
      const int bytes = c_.input_size[k];
      char* const data = static_cast<char*>(job_.inputs[k].data);
      if (job_.reach[k] == Reach::row) {
        places_[k] = {data, bytes};
      } else if (job_.reach[k] == Reach::gathered) {
        const int64_t* strides = job_.space->strides[k];
        const int last = job_.space->axes - 1;
        const int64_t width = job_.space->shape[last], column = begin % width;
        if (strides[last] == 1 && column + count <= width) {  // within one row: in place
          int64_t offset = column, rest = begin / width;
          for (int d = last - 1; d >= 0; d--) {
            offset += rest % job_.space->shape[d] * strides[d];
            rest /= job_.space->shape[d];
          }
          places_[k] = {data + (offset - begin) * bytes, bytes};
        } else {
          gather(*job_.space, k, data, bytes, begin, count, tile);
          places_[k] = {tile - begin * bytes, bytes};
        }
        tile += tile_size * bytes;
      }
    }
    point_outputs();
  }
  // The last block, of fewer elements, through buffers.
  void run_tail(int64_t begin, int64_t count) {
    for (uint32_t k = 0; k < c_.input_count; k++) {
      if (job_.reach[k] == Reach::repeated) continue;
      const int bytes = c_.input_size[k];
      char* const to = small_ + k * 8 * block_size;
      const char* data = static_cast<const char*>(job_.inputs[k].data);
      if (job_.reach[k] == Reach::row)
        memcpy(to, data + begin * bytes, count * bytes);
      else
        gather(*job_.space, k, data, bytes, begin, count, to);
      memset(to + count * bytes, 0, (block_size - count) * bytes);
      places_[k] = {to, 0};
    }
    for (uint32_t k = 0; k < c_.output_count; k++)
      places_[c_.input_count + k] = {small_ + (c_.input_count + k) * 8 * block_size, 0};
    Frame frame = {places_, false};
    run_blocks(c_.codes(), &frame, 0, 1);
    for (uint32_t k = 0; k < c_.output_count; k++)
      memcpy(static_cast<char*>(job_.outputs[k].data) + begin * c_.output_size[k],
             small_ + (c_.input_count + k) * 8 * block_size, count * c_.output_size[k]);
  }

  const Job& job_;
  const Compiled& c_;
  char *small_, *tiles_;
  Place* places_;
  Frame frame_;
};

static void run_part(const Job& job, int64_t begin, int64_t end) {
  char* memory = static_cast<char*>(__builtin_alloca(Runner::bytes(job) + 64));
  Runner(job, memory).run(begin, end);
}

static bool is_row_major(const Tensor& t) {
  int64_t expected = 1;
  for (int d = t.ndim - 1; d >= 0; d--) {
    if (t.shape[d] != 1 && t.strides[d] != expected) return false;
    expected *= t.shape[d];
  }
  return true;
}
static bool is_one_element(const Tensor& t) {
  for (int d = 0; d < t.ndim; d++)
    if (t.shape[d] != 1 && t.strides[d] != 0) return false;
  return true;
}

static void run_chain(const void* memory, const Tensor* inputs, const Tensor* outputs) {
  Job job;
  job.compiled = static_cast<const Compiled*>(memory);
  const Compiled& c = *job.compiled;
  if (c.output_count == 0 || outputs[0].size == 0) return;
  job.inputs = inputs;
  job.outputs = outputs;
  job.space = nullptr;
  job.size = outputs[0].size;
  bool gathers = false;
  for (uint32_t k = 0; k < c.input_count; k++) {
    job.reach[k] = is_row_major(inputs[k])     ? Reach::row
                   : is_one_element(inputs[k]) ? Reach::repeated
                                               : Reach::gathered;
    gathers |= job.reach[k] == Reach::gathered;
  }
  Space space;
  if (gathers) {
    int64_t* numbers = static_cast<int64_t*>(
        __builtin_alloca(sizeof(int64_t) * (c.input_count + 1) * (inputs[0].ndim + 1)));
    collapse(inputs, c.input_count, &space, numbers);
    job.space = &space;
  }
  size_t written = 0;
  job.streaming = true;
  for (uint32_t k = 0; k < c.output_count; k++) {
    written += static_cast<size_t>(job.size) * c.output_size[k];
    job.streaming &= reinterpret_cast<uintptr_t>(outputs[k].data) % register_bytes == 0;
  }
  job.streaming &= written > cache_bytes();
  const int64_t units = (job.size + tile_size - 1) / tile_size;
  const int64_t grain = static_cast<int64_t>(parallel_nanoseconds / (c.cost * tile_size)) + 1;
  if (units <= grain) {
    run_part(job, 0, job.size);
    return;
  }
  parallel_for(units, grain, [&job](int64_t begin, int64_t end) {
    const int64_t stop = end * tile_size;
    run_part(job, begin * tile_size, stop < job.size ? stop : job.size);
  });
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
