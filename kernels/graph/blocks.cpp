#include "graph/blocks.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace mlxk {

namespace {

constexpr size_t word = 8;
constexpr size_t pooled_bytes = 136;   // three parameters, sixteen lengths
constexpr uint32_t pool_limit = 4096;  // blocks kept a thread and size
constexpr size_t pool_sizes = pooled_bytes / word + 1;

#if defined(__linux__)
#define MLXK_TLS __attribute__((tls_model("initial-exec")))
#else
#define MLXK_TLS
#endif

// One list a size and thread: a lock would cost more than the work.
struct FreeBlock {
  FreeBlock* next;
};
thread_local FreeBlock* free_blocks[pool_sizes] MLXK_TLS;
thread_local uint32_t free_counts[pool_sizes] MLXK_TLS;
thread_local bool thread_ended MLXK_TLS;

struct PoolEnd {
  bool armed = false;
  ~PoolEnd() {
    thread_ended = true;
    for (FreeBlock*& list : free_blocks) {
      while (FreeBlock* block = list) {
        list = block->next;
        std::free(block);
      }
    }
  }
};
thread_local PoolEnd pool_end MLXK_TLS;

size_t size_of(size_t bytes) { return (bytes + word - 1) / word; }

}  // namespace

void* take_block(size_t bytes) {
  const size_t size = size_of(bytes);
  if (size < pool_sizes && free_blocks[size]) {
    FreeBlock* taken = free_blocks[size];
    free_blocks[size] = taken->next;
    --free_counts[size];
    return taken;
  }
  void* memory = std::malloc(size * word);
  if (!memory) throw std::bad_alloc();
  return memory;
}

void give_block(void* block, size_t bytes) noexcept {
  const size_t size = size_of(bytes);
  if (size < pool_sizes && free_counts[size] < pool_limit && !thread_ended) {
    if (free_counts[size] == 0)
      pool_end.armed = true;  // constructs it: its destructor empties the lists
    FreeBlock* freed = static_cast<FreeBlock*>(block);
    freed->next = free_blocks[size];
    free_blocks[size] = freed;
    ++free_counts[size];
    return;
  }
  std::free(block);
}

}  // namespace mlxk
