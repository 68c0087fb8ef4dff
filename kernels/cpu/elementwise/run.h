// Running a compiled chain over tensors: layouts, tails, threads.
//
// Where all inputs are row-major or one element repeated, the chain walks them in place. Else the
// iteration space is collapsed to as few axes as the inputs allow and walked in tiles; an input
// that does not lie in order within a tile is gathered into a buffer on the stack. The last,
// partial block goes through buffers, so that nothing outside the tensors is touched.
#pragma once

#include "cpu/elementwise/compile.h"
#include "cpu/elementwise/transpose.h"
#include "cpu/integers.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t tile_size = 1024;  // elements; a multiple of every block_size
// Work that a thread is handed at least. The gates of an LSTM, 18 us a step, come right after a
// product that both threads computed: there two threads need half the time.
constexpr float parallel_nanoseconds = 20000.0f, awake_nanoseconds = 4000.0f;

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
  for (int64_t i = begin; i < end; i += block_size) {
#if MLXK_LOOPED
    const Register* r = frame->all.r;
    for (const Code* code = codes; code->run != finish; code++)
      code->run(code, frame, i, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
#else
    const Register none{};
    codes->run(codes, frame, i, none, none, none, none, none, none, none, none);
#endif
  }
}

// How one input is reached. A turned one has its short stride on another axis than the last.
enum class Reach : uint8_t { row, repeated, gathered, turned };

// Tiles of a walk over turned inputs: some rows along the turned axis, some columns along the last.
constexpr int64_t turned_rows = 16, turned_columns = 128;

struct Job {
  const Compiled* compiled;
  const Tensor* inputs;
  const Tensor* outputs;
  const Space* space;  // null where all inputs are row-major or one element
  int64_t size;
  int turned_axis;  // -1: none
  bool streaming;
  Reach reach[max_fused_inputs];

  bool has_tile(uint32_t k) const {
    return reach[k] == Reach::turned || reach[k] == Reach::gathered ||
           (turned_axis >= 0 && reach[k] == Reach::row);
  }
  // What parallel_for divides: tiles, or strips of turned rows.
  int64_t units() const {
    if (turned_axis < 0) return ceil_div(size, tile_size);
    const int64_t rows = space->shape[turned_axis], width = space->shape[space->axes - 1];
    return size / (rows * width) * ceil_div(rows, turned_rows);
  }
};

template <class T>
MLXK_INLINE void turn(const char* from, int64_t stride, char* to, int64_t rows, int64_t columns) {
  transpose(reinterpret_cast<const T*>(from), stride, reinterpret_cast<T*>(to), turned_columns,
            rows, columns, false);
}

// One thread's work: the places, spills, repeated elements, tiles and tail buffers on its stack.
class Runner {
 public:
  static size_t tile_bytes(const Job& job, uint32_t k) {
    if (!job.has_tile(k)) return 0;
    const int64_t items = job.turned_axis >= 0 ? turned_rows * turned_columns : tile_size;
    return static_cast<size_t>(items) * job.compiled->input_size[k];
  }
  static size_t bytes(const Job& job) {
    const Compiled& c = *job.compiled;
    size_t total = c.place_count() * sizeof(Place) + 64 + c.spill_count * wide_block +
                   (c.input_count + c.output_count) * wide_block;
    for (uint32_t k = 0; k < c.input_count; k++) total += tile_bytes(job, k);
    return total;
  }

  Runner(const Job& job, char* memory) : job_(job), c_(*job.compiled) {
    memory = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory) + 63) & ~uintptr_t{63});
    char* const spills = memory;
    memory += c_.spill_count * wide_block;
    small_ = memory;
    memory += (c_.input_count + c_.output_count) * wide_block;
    for (uint32_t k = 0; k < c_.input_count; k++) {
      tiles_[k] = memory;
      memory += tile_bytes(job, k);
    }
    places_ = reinterpret_cast<Place*>(memory);
    const uint32_t immediates = c_.input_count + c_.output_count;
    const uint32_t first_spill = immediates + c_.immediate_count;
    for (uint32_t j = 0; j < c_.immediate_count; j++)
      places_[immediates + j] = {const_cast<char*>(c_.immediates()) + j * c_.immediate_stride, 0};
    for (uint32_t j = 0; j < c_.spill_count; j++)
      places_[first_spill + j] = {spills + j * wide_block, 0};
    for (uint32_t k = 0; k < c_.input_count; k++) {
      if (job.reach[k] != Reach::repeated) continue;
      gather_row(data(k), 0, block_size, c_.input_size[k], small(k));
      places_[k] = {small(k), 0};
    }
  }

  void run(int64_t begin, int64_t end) {  // units
    if (job_.turned_axis >= 0) {
      for (int64_t unit = begin; unit < end; unit++) run_turned(unit);
    } else {
      begin *= tile_size;
      end = end * tile_size < job_.size ? end * tile_size : job_.size;
      if (!job_.space) {
        for (uint32_t k = 0; k < c_.input_count; k++)
          if (job_.reach[k] == Reach::row) place(k, begin);
        run_segment(begin, end - begin);
      } else {
        for (int64_t t = begin; t < end; t += tile_size)
          run_tile(t, t + tile_size < end ? t + tile_size : end);
      }
    }
    if (job_.streaming) end_streaming();
  }

 private:
  static constexpr int64_t wide_block = 8 * block_size;  // bytes

  char* data(uint32_t k) const { return static_cast<char*>(job_.inputs[k].data); }
  char* small(uint32_t k) const { return small_ + k * wide_block; }
  // Input k from the item at `offset` on.
  void place(uint32_t k, int64_t offset) {
    places_[k] = {data(k) + offset * c_.input_size[k], c_.input_size[k]};
  }

  // Output elements [begin, begin + count), with the places of the inputs at the first of them.
  void run_segment(int64_t begin, int64_t count) {
    Frame frame = {places_, job_.streaming};
    for (uint32_t k = 0; k < c_.output_count; k++) {
      const int64_t bytes = c_.output_size[k];
      char* const to = static_cast<char*>(job_.outputs[k].data) + begin * bytes;
      places_[c_.input_count + k] = {to, bytes};
      frame.streaming &= reinterpret_cast<uintptr_t>(to) % register_bytes == 0;
    }
    const int64_t whole = count - count % block_size;
    run_blocks(c_.codes(), &frame, 0, whole);
    if (whole < count) run_tail(whole, count - whole);
  }
  // The last block of a segment, of fewer elements, through buffers.
  void run_tail(int64_t begin, int64_t count) {
    for (uint32_t k = 0; k < c_.input_count; k++) {
      if (places_[k].step == 0) continue;
      const int64_t bytes = c_.input_size[k];
      memcpy(small(k), places_[k].data + begin * bytes, count * bytes);
      memset(small(k) + count * bytes, 0, (block_size - count) * bytes);
      places_[k] = {small(k), 0};
    }
    char* to[max_fused_outputs];
    for (uint32_t k = 0; k < c_.output_count; k++) {
      Place& output = places_[c_.input_count + k];
      to[k] = output.data + begin * c_.output_size[k];
      output = {small(c_.input_count + k), 0};
    }
    const Frame frame = {places_, false};
    run_blocks(c_.codes(), &frame, 0, 1);
    for (uint32_t k = 0; k < c_.output_count; k++)
      memcpy(to[k], small(c_.input_count + k), count * c_.output_size[k]);
  }

  void run_tile(int64_t begin, int64_t end) {
    const Space& space = *job_.space;
    const int last = space.axes - 1;
    const int64_t width = space.shape[last], column = begin % width;
    for (uint32_t k = 0; k < c_.input_count; k++) {
      if (job_.reach[k] == Reach::row) place(k, begin);
      if (job_.reach[k] != Reach::gathered) continue;
      const int64_t* strides = space.strides[k];
      if (strides[last] == 1 && column + end - begin <= width) {  // within one row: in place
        int64_t offset = column, rest = begin / width;
        for (int d = last - 1; d >= 0; d--) {
          offset += rest % space.shape[d] * strides[d];
          rest /= space.shape[d];
        }
        place(k, offset);
      } else {
        gather(space, k, data(k), c_.input_size[k], begin, end - begin, tiles_[k]);
        places_[k] = {tiles_[k], c_.input_size[k]};
      }
    }
    run_segment(begin, end - begin);
  }

  void run_turned(int64_t unit) {
    const Space& space = *job_.space;
    const int last = space.axes - 1, turned = job_.turned_axis;
    const int64_t width = space.shape[last], height = space.shape[turned];
    const int64_t strips = ceil_div(height, turned_rows);
    const int64_t first = unit % strips * turned_rows;
    const int64_t rows = height - first < turned_rows ? height - first : turned_rows;
    int64_t offsets[max_fused_inputs] = {}, output = 0, output_stride = 1, row_stride = 0;
    int64_t rest = unit / strips;
    for (int d = last; d >= 0; d--) {
      int64_t index = 0;
      if (d == turned) {
        index = first;
        row_stride = output_stride;
      } else if (d != last) {
        index = rest % space.shape[d];
        rest /= space.shape[d];
      }
      output += index * output_stride;
      output_stride *= space.shape[d];
      for (uint32_t k = 0; k < c_.input_count; k++) offsets[k] += index * space.strides[k][d];
    }
    for (int64_t c = 0; c < width; c += turned_columns) {
      const int64_t columns = width - c < turned_columns ? width - c : turned_columns;
      for (uint32_t k = 0; k < c_.input_count; k++) {
        if (job_.reach[k] != Reach::turned) continue;
        const int64_t stride = space.strides[k][last];
        const char* const from = data(k) + (offsets[k] + c * stride) * c_.input_size[k];
        switch (c_.input_size[k]) {
          case 1: turn<uint8_t>(from, stride, tiles_[k], rows, columns); break;
          case 2: turn<uint16_t>(from, stride, tiles_[k], rows, columns); break;
          case 4: turn<uint32_t>(from, stride, tiles_[k], rows, columns); break;
          default: turn<uint64_t>(from, stride, tiles_[k], rows, columns);
        }
      }
      for (int64_t r = 0; r < rows; r++) {
        for (uint32_t k = 0; k < c_.input_count; k++) {
          const int64_t bytes = c_.input_size[k];
          if (job_.reach[k] == Reach::repeated) continue;
          if (job_.reach[k] == Reach::turned) {
            places_[k] = {tiles_[k] + r * turned_columns * bytes, bytes};
            continue;
          }
          const int64_t stride = space.strides[k][last];
          const int64_t offset = offsets[k] + r * space.strides[k][turned] + c * stride;
          if (stride == 1) {
            place(k, offset);
          } else {
            gather_row(data(k) + offset * bytes, stride, columns, static_cast<int>(bytes),
                       tiles_[k]);
            places_[k] = {tiles_[k], bytes};
          }
        }
        run_segment(output + r * row_stride + c, columns);
      }
    }
  }

  const Job& job_;
  const Compiled& c_;
  char* small_;
  char* tiles_[max_fused_inputs];
  Place* places_;
};

static void run_part(const Job& job, int64_t begin, int64_t end) {
  char* memory = static_cast<char*>(__builtin_alloca(Runner::bytes(job) + 64));
  Runner(job, memory).run(begin, end);
}

// The axis that has stride one in an input whose last axis has a long one; or -1. Inputs like it
// are marked as turned.
static int find_turned(Job* job) {
  const Space& space = *job->space;
  const int last = space.axes - 1;
  int turned = -1;
  for (uint32_t k = 0; k < job->compiled->input_count; k++) {
    const int64_t* strides = space.strides[k];
    if (job->reach[k] != Reach::gathered || strides[last] < 8 || space.shape[last] < 32) continue;
    for (int d = 0; d < last && turned < 0; d++)
      if (strides[d] == 1 && space.shape[d] >= 8) turned = d;
    if (turned >= 0 && strides[turned] == 1) job->reach[k] = Reach::turned;
  }
  return turned;
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
  job.turned_axis = gathers ? find_turned(&job) : -1;
  size_t written = 0;
  for (uint32_t k = 0; k < c.output_count; k++)
    written += static_cast<size_t>(job.size) * c.output_size[k];
  job.streaming = written > cache_bytes();
  const int64_t units = job.units();
  const float unit_cost = c.cost * static_cast<float>(job.size) / static_cast<float>(units);
  const float least = worker_awake() ? awake_nanoseconds : parallel_nanoseconds;
  const int64_t grain = static_cast<int64_t>(least / unit_cost) + 1;
  if (units <= grain) {
    run_part(job, 0, units);
    return;
  }
  parallel_for(units, grain, [&job](int64_t begin, int64_t end) { run_part(job, begin, end); });
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
