// "nonzero": the places at which a mask is true, row by row, in a result of a given size.
//
// A row is cut into pieces. Their true elements are counted first, so that each piece knows where
// its places begin, and all pieces write at once. Sixty-four flags are read as one word of bits, so
// runs without a true element cost next to nothing.
#include <stdint.h>
#include <string.h>

#include "cpu/integers.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t piece = 1 << 15;  // elements; a multiple of 64

// Bit i is flag i: eight flags, each 0 or 1, are gathered by one product.
uint64_t flag_bits(const uint8_t* flags) {
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) {
    uint64_t eight;
    memcpy(&eight, flags + 8 * i, 8);
    bits |= (eight * 0x0102040810204080u >> 56) << (8 * i);
  }
  return bits;
}

uint64_t flag_bits(const uint8_t* flags, int64_t count) {
  uint64_t bits = 0;
  for (int64_t i = 0; i < count; ++i) bits |= static_cast<uint64_t>(flags[i]) << i;
  return bits;
}

int64_t count_true(const uint8_t* flags, int64_t count) {
  int64_t total = 0;
  while (count > 0) {  // bytes hold sums of up to 255
    const int64_t some = count < 255 * 64 ? count : 255 * 64;
    uint8_t sums[64] = {};
    int64_t i = 0;
    for (; i + 64 <= some; i += 64) {
      for (int k = 0; k < 64; ++k) sums[k] = static_cast<uint8_t>(sums[k] + flags[i + k]);
    }
    for (; i < some; ++i) total += flags[i];
    for (int k = 0; k < 64; ++k) total += sums[k];
    flags += some;
    count -= some;
  }
  return total;
}

// Writes the places of true flags, the first of which has number `first`, as long as there is room;
// returns how many.
template <class T>
int64_t write_places(const uint8_t* flags, int64_t count, int64_t first, T* to, int64_t room) {
  int64_t written = 0;
  for (int64_t i = 0; i < count && written < room; i += 64) {
    uint64_t bits = count - i >= 64 ? flag_bits(flags + i) : flag_bits(flags + i, count - i);
    const int64_t found = __builtin_popcountll(bits), left = room - written;
    const int64_t wanted = found < left ? found : left;
    for (int64_t k = 0; k < wanted; ++k) {
      to[written + k] = static_cast<T>(first + i + __builtin_ctzll(bits));
      bits &= bits - 1;
    }
    written += wanted;
  }
  return written;
}

int64_t row_length(const Tensor& x) { return x.shape[x.ndim - 1]; }
int64_t pieces_of(const Tensor& mask) {
  const int64_t length = row_length(mask);
  return length <= piece ? 1 : ceil_div(length, piece);
}

template <class T> void write_rows(const KernelCall& call) {
  const Tensor& mask = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const int64_t length = row_length(mask), size = row_length(out), rows = out.size / size;
  const int64_t pieces = pieces_of(mask);
  const auto* flags = static_cast<const uint8_t*>(mask.data);
  auto* starts =
      static_cast<int64_t*>(call.workspace);  // of each piece: its first place in the row
  const int64_t grain = pieces > 1 ? 1 : piece / (length + 1) + 1;
  const auto length_of = [&](int64_t p) {
    return length - p * piece < piece ? length - p * piece : piece;
  };
  if (pieces > 1) {
    parallel_for(rows * pieces, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / pieces, p = i % pieces;
        starts[i] = count_true(flags + row * length + p * piece, length_of(p));
      }
    });
    for (int64_t row = 0; row < rows; ++row) {
      int64_t sum = 0;
      for (int64_t i = row * pieces; i < (row + 1) * pieces; ++i) {
        const int64_t found = starts[i];
        starts[i] = sum;
        sum += found;
      }
    }
  }
  parallel_for(rows * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces, p = i % pieces;
      int64_t at = pieces > 1 ? starts[i] : 0;
      if (at >= size) continue;
      T* to = static_cast<T*>(out.data) + row * size;
      at += write_places(flags + row * length + p * piece, length_of(p), p * piece, to + at,
                         size - at);
      if (p == pieces - 1) memset(to + at, 0xff, static_cast<size_t>(size - at) * sizeof(T));
    }
  });
}

// inputs: mask (..., n) of bool; params: size. The result (..., size) holds the places in ascending
// order, and -1 beyond the last.
void nonzero(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  if (itemsize(out.dtype) == 4) return write_rows<int32_t>(call);
  write_rows<int64_t>(call);
}

size_t nonzero_workspace(const KernelCall& call) {
  const Tensor& mask = call.inputs[0];
  const int64_t pieces = pieces_of(mask);
  if (pieces <= 1) return 0;
  return static_cast<size_t>(mask.size / row_length(mask) * pieces) * sizeof(int64_t);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(nonzero, table) {
  using namespace mlxk::cpu::MLXK_ISA;
  table.add("nonzero",
            {.run = nonzero, .workspace = nonzero_workspace, .accepts = mlxk::Accepts::contiguous});
}
