// The shared tables: a fixed number of slots by hash, filled once and read without a lock.
#include "mlxk/tables.h"

#include <atomic>
#include <cstdlib>

namespace mlxk {
namespace {

struct Table {
  const void* owner;
  int64_t key;
  void* memory;
};

constexpr size_t slot_count = 8192;
constexpr size_t probes = 64;  // a table is in one of so many slots after its hash, or nowhere
constexpr size_t most_bytes = size_t{128} << 20;

constinit std::atomic<Table*> slots[slot_count] = {};
constinit std::atomic<size_t> bytes_held{0};

size_t hash(const void* owner, int64_t key) {
  uint64_t h =
      (reinterpret_cast<uintptr_t>(owner) >> 4) ^ static_cast<uint64_t>(key) * 0x9e3779b97f4a7c15u;
  h ^= h >> 29;
  return static_cast<size_t>(h * 0xbf58476d1ce4e5b9u >> 40);
}

bool is(const Table* table, const void* owner, int64_t key) {
  return table->owner == owner && table->key == key;
}

}  // namespace

const void* find_table(const void* owner, int64_t key) {
  const size_t first = hash(owner, key);
  for (size_t i = 0; i < probes; ++i) {
    const Table* table = slots[(first + i) % slot_count].load(std::memory_order_acquire);
    if (!table) return nullptr;
    if (is(table, owner, key)) return table->memory;
  }
  return nullptr;
}

const void* make_table(const void* owner, int64_t key, size_t bytes,
                       void (*fill)(int64_t key, void* memory)) {
  if (const void* found = find_table(owner, key)) return found;
  bytes = (bytes + 63) & ~size_t{63};
  if (bytes_held.fetch_add(bytes) + bytes > most_bytes) {
    bytes_held.fetch_sub(bytes);
    return nullptr;
  }
  void* memory = std::aligned_alloc(64, bytes ? bytes : 64);
  Table* made = memory ? new Table{owner, key, memory} : nullptr;
  if (made) fill(key, memory);
  const size_t first = hash(owner, key);
  for (size_t i = 0; made && i < probes; ++i) {
    Table* there = nullptr;
    if (slots[(first + i) % slot_count].compare_exchange_strong(there, made,
                                                                std::memory_order_acq_rel))
      return memory;
    if (!is(there, owner, key)) continue;
    memory = nullptr;  // another thread was faster
    std::free(made->memory);
    delete made;
    bytes_held.fetch_sub(bytes);
    return there->memory;
  }
  if (made) {
    std::free(memory);
    delete made;
  }
  bytes_held.fetch_sub(bytes);
  return nullptr;
}

}  // namespace mlxk
