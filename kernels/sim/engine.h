// Runs one kernel on the CPU, each of its lanes (GPU threads) a fiber.
//
// Blocks run one after the other. Within a block, lanes run in the given order, each until it waits
// or ends; a barrier opens when all lanes of the block stand at it, an exchange when all lanes of
// the SIMD group do. Lanes that can never meet are an error which names them, where a GPU would
// hang or give anything. Shared memory is filled with 0xff (NaN, -1) before each block.
//
// The shims turn CUDA's and Metal's words into the second half of this file. What one order cannot
// show, another can: a missing barrier gives different results in ascending, descending and random
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

namespace mlxk::sim {

struct Extent {
  uint32_t x = 1, y = 1, z = 1;
  uint32_t count() const { return x * y * z; }
};

enum class Order : uint8_t { ascending, descending, random };

struct Launch {
  Extent grid;   // blocks
  Extent block;  // lanes of each
  Order order = Order::ascending;
  uint64_t seed = 0;  // of the random order
};

// Calls `lane` once for each lane of the launch. Raises where lanes wait for each other in vain.
void run(const Launch& launch, const std::function<void()>& lane);

// ---- for the shims, inside a lane ---------------------------------------------------------------

constexpr uint32_t simd_width = 32;

struct Lane {
  Extent thread, block;  // positions
  uint32_t index;        // in the block
  uint32_t simd_lane() const { return index % simd_width; }
  uint32_t simd_group() const { return index / simd_width; }
};
const Lane& this_lane();
const Launch& this_launch();

// `line` is where the kernel waits: lanes that wait at different lines do not meet.
void wait_for_block(int line);

// The words that the lanes of this SIMD group brought, by lane; `count` of them.
struct Exchanged {
  const uint64_t* words;
  uint32_t count;
};
Exchanged exchange(uint64_t word, int line);

// Memory that all lanes of the block get for the same site.
void* shared_memory(const void* site, size_t bytes);

template <class T> Exchanged exchange_value(T value, int line) {
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return exchange(word, line);
}
template <class T> T word_as(uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

}  // namespace mlxk::sim

#define MLXK_SIM 1
#define MLXK_SHARED_ARRAY(type, name, count) \
  static const char name##_site = 0;         \
  type* const name =                         \
      static_cast<type*>(::mlxk::sim::shared_memory(&name##_site, sizeof(type) * (count)))
