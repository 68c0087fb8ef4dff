// The allocator: small blocks from slabs, larger ones from a cache of size classes, very large ones
// on 2 MB pages.
//
// A block and its Buffer live together: a freed block keeps its Buffer, so taking one from a cache
// is a few stores. Everything is guarded by one spin lock (about 6 ns); the operating system is
// asked outside of it, except for slabs.
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include <sys/mman.h>

#include "internal.h"
#include "limits.h"
#include "mlxk/error.h"
#include "mlxk/runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)0)
#endif

namespace mlxk {
namespace {

constexpr size_t line = 64;
constexpr size_t small_limit = size_t{16} << 10;  // usable bytes of the largest block in a slab
constexpr size_t slab_bytes = size_t{256} << 10;
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t large_limit = size_t{4} << 20;  // from here on blocks are whole 2 MB pages
constexpr size_t checked_bytes = size_t{64}
                                 << 20;  // requests above this ask how much memory is free
constexpr size_t kept_slabs = 64;        // empty slabs that keep their pages (16 MB)
constexpr size_t largest_request = size_t{1} << 62;

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// Size classes: `1 << steps` of them to each doubling. class_of(n) is the least class that holds n
// lines.
template <int steps> int class_of(size_t units) {
  if (units <= (size_t{1} << steps)) return static_cast<int>(units) - 1;
  const int shift = 63 - __builtin_clzll(units - 1) - steps;
  return (shift << steps) + static_cast<int>((units - 1) >> shift);
}
template <int steps> size_t class_units(int index) {
  if (index < (1 << steps)) return static_cast<size_t>(index) + 1;
  const int shift = (index >> steps) - 1;
  return ((static_cast<size_t>(index) & ((1u << steps) - 1)) + (size_t{1} << steps) + 1) << shift;
}

constexpr int small_steps = 2;
constexpr int small_classes = 32;
constexpr int cache_steps = 3;
constexpr int cache_classes = 58 << cache_steps;

struct Slab;

struct SmallBlock : Buffer {  // the bytes follow directly
  size_t charged;
  SmallBlock* next_free;
};
static_assert(sizeof(SmallBlock) == line);

struct alignas(line) Slab {
  SmallBlock* free = nullptr;
  char* fresh = nullptr;  // never handed out from here to the end
  Slab* next = nullptr;   // in its class's list of slabs with room, or in the list of empty slabs
  Slab* previous = nullptr;
  uint32_t live = 0;
  int32_t size_class = 0;
  bool listed = false;
};

struct LargeBlock : Buffer {
  size_t charged = 0;
  LargeBlock* next = nullptr;  // in its class, latest first
  LargeBlock* previous = nullptr;
  LargeBlock* newer = nullptr;  // among all cached blocks
  LargeBlock* older = nullptr;
};

struct WrappedBlock : Buffer {
  void (*foreign_release)(void* owner) noexcept = nullptr;
};

// No destructor: buffers are released until the very end of the process.
struct Allocator {
  SpinLock lock;
  std::atomic<size_t> active{0}, peak{0}, cached{0};
  std::atomic<size_t> memory_limit{0}, cache_limit{SIZE_MAX},
      wired_limit{0};  // memory_limit 0: not yet asked for

  Slab* rooms[small_classes] = {};  // slabs with room; the first is used
  Slab* empty_slabs = nullptr;
  size_t empty_count = 0;
  char* chunk = nullptr;  // uncut rest of the last 2 MB chunk
  char* chunk_end = nullptr;

  LargeBlock* classes[cache_classes] = {};
  LargeBlock* newest = nullptr;
  LargeBlock* oldest = nullptr;

  void charge(size_t bytes) {
    const size_t now = active.load(std::memory_order_relaxed) + bytes;
    active.store(now, std::memory_order_relaxed);
    if (now > peak.load(std::memory_order_relaxed)) peak.store(now, std::memory_order_relaxed);
  }
  void discharge(size_t bytes) {
    active.store(active.load(std::memory_order_relaxed) - bytes, std::memory_order_relaxed);
  }
};

constinit Allocator allocator;

size_t current_memory_limit() {
  size_t limit = allocator.memory_limit.load(std::memory_order_relaxed);
  if (limit == 0) {
    limit = machine_memory() / 10 * 8;
    allocator.memory_limit.store(limit, std::memory_order_relaxed);
  }
  return limit;
}

// ---- the operating system --------------------------------------------------------------------------------------

void* map_huge(size_t bytes) {
  const size_t whole = bytes + huge_page;
  void* mapped = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* begin = static_cast<char*>(mapped);
  char* aligned = reinterpret_cast<char*>(round_up(reinterpret_cast<uintptr_t>(begin), huge_page));
  if (aligned > begin) munmap(begin, static_cast<size_t>(aligned - begin));
  if (char* end = begin + whole; end > aligned + bytes)
    munmap(aligned + bytes, static_cast<size_t>(end - aligned - bytes));
#ifdef MADV_HUGEPAGE
  madvise(aligned, bytes, MADV_HUGEPAGE);
#endif
  return aligned;
}

void free_block(LargeBlock* block) {
  ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
  if (block->size >= large_limit) {
    munmap(block->bytes, block->size);
  } else {
    std::free(block->bytes);
  }
  delete block;
}

// ---- small blocks; the lock is held ----------------------------------------------------------------------------

void list_slab(Slab* slab) {
  Slab*& first = allocator.rooms[slab->size_class];
  slab->next = first;
  slab->previous = nullptr;
  if (first) first->previous = slab;
  first = slab;
  slab->listed = true;
}

void unlist_slab(Slab* slab) {
  if (slab->previous) {
    slab->previous->next = slab->next;
  } else {
    allocator.rooms[slab->size_class] = slab->next;
  }
  if (slab->next) slab->next->previous = slab->previous;
  slab->listed = false;
}

Slab* new_slab(int size_class) {
  void* memory = nullptr;
  if (allocator.empty_slabs) {
    memory = allocator.empty_slabs;
    allocator.empty_slabs = allocator.empty_slabs->next;
    --allocator.empty_count;
  } else {
    if (allocator.chunk == allocator.chunk_end) {
      allocator.chunk = static_cast<char*>(map_huge(huge_page));
      allocator.chunk_end = allocator.chunk ? allocator.chunk + huge_page : nullptr;
      if (!allocator.chunk) return nullptr;
    }
    memory = allocator.chunk;
    allocator.chunk += slab_bytes;
  }
  Slab* slab = new (memory) Slab;
  slab->fresh = static_cast<char*>(memory) + sizeof(Slab);
  slab->size_class = size_class;
  list_slab(slab);
  return slab;
}

Slab* slab_of(void* address) {
  return reinterpret_cast<Slab*>(reinterpret_cast<uintptr_t>(address) & ~(slab_bytes - 1));
}

void release_small(Buffer* buffer) noexcept;

SmallBlock* take_small(int size_class) {
  Slab* slab = allocator.rooms[size_class];
  if (!slab && !(slab = new_slab(size_class))) return nullptr;
  const size_t usable = class_units<small_steps>(size_class) * line;
  SmallBlock* block = slab->free;
  if (block) {
    slab->free = block->next_free;
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, usable);
  } else {
    block = new (slab->fresh) SmallBlock;
    block->bytes = slab->fresh + sizeof(SmallBlock);
    block->size = usable;
    block->release = release_small;
    slab->fresh += sizeof(SmallBlock) + usable;
  }
  ++slab->live;
  char* end = reinterpret_cast<char*>(slab) + slab_bytes;
  if (!slab->free && static_cast<size_t>(end - slab->fresh) < sizeof(SmallBlock) + usable)
    unlist_slab(slab);
  return block;
}

// An empty slab serves any class again. Beyond a few, their pages go back to the system.
void retire_slab(Slab* slab) {
  unlist_slab(slab);
  ASAN_UNPOISON_MEMORY_REGION(slab, slab_bytes);
  if (allocator.empty_count >= kept_slabs) madvise(slab, slab_bytes, MADV_DONTNEED);
  slab->next = allocator.empty_slabs;
  allocator.empty_slabs = slab;
  ++allocator.empty_count;
}

void drop_writer(Buffer* buffer) {
  if (buffer->writer) {
    buffer->writer->release();
    buffer->writer = nullptr;
  }
}

void release_small(Buffer* buffer) noexcept {
  drop_writer(buffer);
  SmallBlock* block = static_cast<SmallBlock*>(buffer);
  Slab* slab = slab_of(block);
  ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
  std::lock_guard<SpinLock> guard(allocator.lock);
  allocator.discharge(block->charged);
  block->next_free = slab->free;
  slab->free = block;
  if (!slab->listed) list_slab(slab);
  // The slab in use stays, or a single array made and dropped would set one up anew each time.
  if (--slab->live == 0 && (slab->previous || slab->next)) retire_slab(slab);
}

// ---- the cache of larger blocks; the lock is held ---------------------------------------------------------------

size_t block_size(size_t bytes) {
  if (bytes >= large_limit) return round_up(bytes, huge_page);
  const size_t size =
      class_units<cache_steps>(class_of<cache_steps>((bytes + line - 1) / line)) * line;
  return size < large_limit ? size : large_limit;
}

// The class whose blocks all hold at least this size's class; blocks of 4 MB and more are not
// rounded to a class.
int cache_class(size_t size) { return class_of<cache_steps>(size / line); }

void unlink(LargeBlock* block) {
  LargeBlock*& first = allocator.classes[cache_class(block->size)];
  if (block->previous) {
    block->previous->next = block->next;
  } else {
    first = block->next;
  }
  if (block->next) block->next->previous = block->previous;
  (block->newer ? block->newer->older : allocator.newest) = block->older;
  (block->older ? block->older->newer : allocator.oldest) = block->newer;
  allocator.cached.store(allocator.cached.load(std::memory_order_relaxed) - block->size,
                         std::memory_order_relaxed);
}

void link(LargeBlock* block) {
  LargeBlock*& first = allocator.classes[cache_class(block->size)];
  block->previous = nullptr;
  block->next = first;
  if (first) first->previous = block;
  first = block;
  block->newer = nullptr;
  block->older = allocator.newest;
  (allocator.newest ? allocator.newest->newer : allocator.oldest) = block;
  allocator.newest = block;
  allocator.cached.store(allocator.cached.load(std::memory_order_relaxed) + block->size,
                         std::memory_order_relaxed);
}

// The latest cached block of the least class that has one which fits: at most a quarter is wasted.
LargeBlock* take_cached(size_t size) {
  const size_t most = size + size / 4;
  const int last = cache_class(most);
  for (int i = cache_class(size); i <= last; ++i) {
    int looked = 0;
    for (LargeBlock* block = allocator.classes[i]; block && looked < 16;
         block = block->next, ++looked) {
      if (block->size < size || block->size > most) continue;
      unlink(block);
      return block;
    }
  }
  return nullptr;
}

// Takes the oldest blocks out of the cache until `keep` bytes are left; the caller frees the list
// without the lock.
LargeBlock* evict(size_t keep) {
  LargeBlock* list = nullptr;
  while (allocator.oldest && allocator.cached.load(std::memory_order_relaxed) > keep) {
    LargeBlock* block = allocator.oldest;
    unlink(block);
    block->next = list;
    list = block;
  }
  return list;
}

void free_list(LargeBlock* list) {
  while (list) {
    LargeBlock* next = list->next;
    free_block(list);
    list = next;
  }
}

void shrink_cache(size_t keep) {
  allocator.lock.lock();
  LargeBlock* list = evict(keep);
  allocator.lock.unlock();
  free_list(list);
}

void release_large(Buffer* buffer) noexcept {
  drop_writer(buffer);
  LargeBlock* block = static_cast<LargeBlock*>(buffer);
  ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
  allocator.lock.lock();
  allocator.discharge(block->charged);
  link(block);
  LargeBlock* list = nullptr;
  const size_t limit = allocator.cache_limit.load(std::memory_order_relaxed);
  if (allocator.cached.load(std::memory_order_relaxed) > limit) list = evict(limit);
  allocator.lock.unlock();
  free_list(list);
}

// ---- limits ----------------------------------------------------------------------------------------------------

bool strict_limit() {
  const char* text = std::getenv("MLX_STRICT_MEMORY");
  return text && *text && std::strcmp(text, "0") != 0;
}

// Raises where `bytes` more cannot be had. `cached_use`: how many of them the cache may serve.
void check_room(size_t bytes) {
  const size_t active = allocator.active.load(std::memory_order_relaxed);
  const size_t capacity = machine_memory();
  if (bytes > capacity || active > capacity - bytes) {
    raise(ErrorKind::memory,
          "[allocate] %zu bytes beside %zu in use pass the %zu bytes this process may have.", bytes,
          active, capacity);
  }
  const size_t limit = current_memory_limit();
  if (active + bytes > limit && strict_limit()) {
    raise(ErrorKind::memory,
          "[allocate] %zu bytes beside %zu in use pass the memory limit of %zu bytes.", bytes,
          active, limit);
  }
}

// Before the system is asked for `bytes`: keeps active, cache and request together under the limit,
// and under what is free.
void make_room(size_t bytes) {
  const size_t limit = current_memory_limit();
  const size_t wanted = allocator.active.load(std::memory_order_relaxed) + bytes;
  const size_t keep = wanted < limit ? limit - wanted : 0;
  if (allocator.cached.load(std::memory_order_relaxed) > keep) shrink_cache(keep);
  if (bytes < checked_bytes) return;
  size_t available = available_memory();
  if (bytes <= available) return;
  shrink_cache(0);
  available = available_memory();
  if (bytes > available) {
    raise(ErrorKind::memory, "[allocate] %zu bytes pass the %zu bytes that are free.", bytes,
          available);
  }
}

Buffer* ready(Buffer* buffer) {
  buffer->refs.store(1, std::memory_order_relaxed);
  buffer->flags = buffer_pooled | buffer_writable;
  return buffer;
}

[[noreturn]] void raise_refused(size_t bytes) {
  raise(ErrorKind::memory, "[allocate] the system refused %zu bytes.", bytes);
}

Buffer* allocate_small(size_t bytes) {
  const int size_class = bytes <= line ? 0 : class_of<small_steps>((bytes + line - 1) / line);
  allocator.lock.lock();
  SmallBlock* block = take_small(size_class);
  if (block) {
    block->charged = bytes;
    allocator.charge(bytes);
  }
  allocator.lock.unlock();
  if (!block) raise_refused(bytes);
  return ready(block);
}

Buffer* allocate_large(size_t bytes) {
  const size_t size = block_size(bytes);
  allocator.lock.lock();
  LargeBlock* block = take_cached(size);
  if (block) {
    block->charged = bytes;
    allocator.charge(bytes);
  }
  allocator.lock.unlock();
  if (block) {
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
    return ready(block);
  }
  make_room(size);
  void* memory = nullptr;
  for (int attempt = 0; attempt < 2 && !memory; ++attempt) {
    if (attempt) shrink_cache(0);
    memory = size >= large_limit ? map_huge(size) : std::aligned_alloc(line, size);
  }
  if (!memory) raise_refused(bytes);
  block = new LargeBlock;
  block->bytes = memory;
  block->size = size;
  block->release = release_large;
  block->charged = bytes;
  allocator.lock.lock();
  allocator.charge(bytes);
  allocator.lock.unlock();
  return ready(block);
}

void release_wrapped(Buffer* buffer) noexcept {
  drop_writer(buffer);
  WrappedBlock* block = static_cast<WrappedBlock*>(buffer);
  if (block->foreign_release) block->foreign_release(block->owner);
  delete block;
}

void check_request(size_t bytes) {
  if (bytes > largest_request) {
    raise(ErrorKind::memory, "[allocate] %zu bytes are more than can be addressed.", bytes);
  }
}

}  // namespace

BufferRef allocate(size_t bytes) {
  check_request(bytes);
  if (allocator.active.load(std::memory_order_relaxed) + bytes >
      allocator.memory_limit.load(std::memory_order_relaxed)) {
    check_room(bytes);
  }
  return BufferRef(bytes <= small_limit ? allocate_small(bytes) : allocate_large(bytes));
}

void allocate_all(const size_t* bytes, size_t count, BufferRef* out) {
  size_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    check_request(bytes[i]);
    sum += bytes[i];
    check_request(sum);
  }
  if (allocator.active.load(std::memory_order_relaxed) + sum >
      allocator.memory_limit.load(std::memory_order_relaxed)) {
    check_room(sum);
  }
  // Together the pieces may ask the system for more than each would: only what the cache does not
  // hold is asked for.
  const size_t cached = allocator.cached.load(std::memory_order_relaxed);
  if (sum > cached && sum - cached >= checked_bytes && sum - cached > available_memory()) {
    raise(ErrorKind::memory, "[allocate] %zu bytes in %zu buffers pass the memory that is free.",
          sum, count);
  }
  size_t made = 0;
  try {
    for (; made < count; ++made) {
      out[made] = BufferRef(bytes[made] <= small_limit ? allocate_small(bytes[made])
                                                       : allocate_large(bytes[made]));
    }
  } catch (...) {
    while (made > 0) out[--made] = BufferRef();
    throw;
  }
}

BufferRef wrap(void* bytes, size_t size, bool writable, void* owner,
               void (*release)(void* owner) noexcept) {
  WrappedBlock* block = new WrappedBlock;
  block->flags = writable ? buffer_writable : 0;
  block->bytes = bytes;
  block->size = size;
  block->release = release_wrapped;
  block->owner = owner;
  block->foreign_release = release;
  return BufferRef(block);
}

size_t active_memory() { return allocator.active.load(std::memory_order_relaxed); }
size_t peak_memory() { return allocator.peak.load(std::memory_order_relaxed); }
size_t cache_memory() { return allocator.cached.load(std::memory_order_relaxed); }

void reset_peak_memory() {
  std::lock_guard<SpinLock> guard(allocator.lock);
  allocator.peak.store(0, std::memory_order_relaxed);
}

void clear_cache() { shrink_cache(0); }

size_t memory_limit() { return current_memory_limit(); }

size_t set_memory_limit(size_t bytes) {
  const size_t former = current_memory_limit();
  allocator.memory_limit.store(bytes > 0 ? bytes : 1, std::memory_order_relaxed);
  return former;
}

size_t set_cache_limit(size_t bytes) {
  const size_t former = allocator.cache_limit.exchange(bytes, std::memory_order_relaxed);
  if (cache_memory() > bytes) shrink_cache(bytes);
  return former == SIZE_MAX ? current_memory_limit() : former;
}

size_t set_wired_limit(size_t bytes) {
  return allocator.wired_limit.exchange(bytes, std::memory_order_relaxed);
}

void allocator_before_fork() { allocator.lock.lock(); }
void allocator_after_fork() { allocator.lock.unlock(); }

}  // namespace mlxk
