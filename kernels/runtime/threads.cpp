// The worker pool.
//
// A submitter publishes its job in one of a few slots and works on it itself; workers that find it
// help. A slot is open while its submitter is in parallel_for. A worker counts itself in
// (`visitors`) before it looks whether the slot is open; the submitter closes the slot before it
// looks at the count: so one of the two sees the other, and when the count is zero after closing,
// every claimed chunk is done and nobody reads the job any more.
#include "mlxk/threads.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

#include "internal.h"
#include "limits.h"

namespace mlxk {
namespace {

constexpr int slot_count = 8;  // submitters beyond these run their loops inline
constexpr int max_threads = 1024;
constexpr int chunks_a_thread = 4;  // so that a thread that was descheduled holds up little
constexpr auto spin_time = std::chrono::microseconds(30);

struct alignas(64) Slot {
  std::atomic<bool> taken{false};
  std::atomic<bool> open{false};
  std::atomic<int> visitors{0};
  std::atomic<bool> submitter_sleeps{false};
  void (*body)(void*, int64_t, int64_t) = nullptr;
  void* context = nullptr;
  int64_t count = 0, chunk = 0;
  alignas(64) std::atomic<int64_t> next{0};
};

struct Pool {
  Slot slots[slot_count];
  alignas(64) std::atomic<uint32_t> epoch{0};  // counts submissions: what a spinning worker watches
  std::atomic<int> sleepers{0};
  std::atomic<int> threads{0};  // with the submitter; 0: not yet decided
  std::atomic<int> started{0};
  std::atomic<bool> stop{false};
  int cores = 1;
  std::mutex mutex;                  // workers, and sleeping
  std::condition_variable work;      // sleeping workers
  std::condition_variable finished;  // submitters that wait for a long chunk
  std::vector<std::thread> workers;
};

constinit std::atomic<Pool*> the_pool{nullptr};
thread_local bool inside =
    false;  // a worker, or a submitter in its own loop: nested loops run inline

// Never destroyed: workers may run until the process ends.
Pool& pool() {
  Pool* existing = the_pool.load(std::memory_order_acquire);
  if (existing) return *existing;
  Pool* made = new Pool;
  if (the_pool.compare_exchange_strong(existing, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *existing;
}

int decide_threads(Pool& p) {
  p.cores = usable_cores();
  int wanted = p.cores;
  if (const char* text = std::getenv("MLX_NUM_THREADS")) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && value >= 1)
      wanted = static_cast<int>(std::min<long>(value, max_threads));
  }
  int none = 0;
  p.threads.compare_exchange_strong(none, wanted);
  return p.threads.load();
}

int threads_of(Pool& p) {
  const int threads = p.threads.load(std::memory_order_relaxed);
  return threads > 0 ? threads : decide_threads(p);
}

void run_chunks(Slot& slot) {
  for (;;) {
    const int64_t begin = slot.next.fetch_add(slot.chunk, std::memory_order_relaxed);
    if (begin >= slot.count) return;
    slot.body(slot.context, begin, std::min(slot.count, begin + slot.chunk));
  }
}

// True when it worked on something.
bool help(Pool& p) {
  bool worked = false;
  for (Slot& slot : p.slots) {
    if (!slot.open.load(std::memory_order_relaxed)) continue;
    slot.visitors.fetch_add(1, std::memory_order_seq_cst);
    if (slot.open.load(std::memory_order_seq_cst)) {
      run_chunks(slot);
      worked = true;
    }
    if (slot.visitors.fetch_sub(1, std::memory_order_seq_cst) == 1 &&
        slot.submitter_sleeps.load(std::memory_order_seq_cst)) {
      std::lock_guard<std::mutex> guard(p.mutex);
      p.finished.notify_all();
    }
  }
  return worked;
}

void worker(Pool& p, int index) {
  inside = true;
  uint32_t seen =
      p.epoch.load(std::memory_order_acquire) - 1;  // the submission that started this thread
  for (;;) {
    // Oversubscribed workers would only take the cores from those that work.
    const bool may_spin = p.threads.load(std::memory_order_relaxed) <= p.cores;
    const auto deadline = std::chrono::steady_clock::now() + spin_time;
    bool changed = false;
    for (int spins = 0;; ++spins) {
      if (p.epoch.load(std::memory_order_seq_cst) != seen) {
        changed = true;
        break;
      }
      if (!may_spin || p.stop.load(std::memory_order_relaxed)) break;
      pause_briefly();
      if (spins % 64 == 63 && std::chrono::steady_clock::now() > deadline) break;
    }
    const bool takes_part = index < p.threads.load(std::memory_order_relaxed) - 1;
    if (!changed || !takes_part) {
      std::unique_lock<std::mutex> lock(p.mutex);
      p.sleepers.fetch_add(1, std::memory_order_seq_cst);
      p.work.wait(lock, [&] {
        return p.stop.load(std::memory_order_relaxed) ||
               (p.epoch.load(std::memory_order_seq_cst) != seen &&
                index < p.threads.load(std::memory_order_relaxed) - 1);
      });
      p.sleepers.fetch_sub(1, std::memory_order_seq_cst);
    }
    if (p.stop.load(std::memory_order_relaxed)) return;
    seen = p.epoch.load(std::memory_order_seq_cst);
    while (help(p)) {}
  }
}

// Threads that cannot be started are done without.
void start_workers(Pool& p, int wanted) {
  std::lock_guard<std::mutex> guard(p.mutex);
  if (p.stop.load(std::memory_order_relaxed)) return;
  while (static_cast<int>(p.workers.size()) < wanted) {
    try {
      const int index = static_cast<int>(p.workers.size());
      p.workers.emplace_back([&p, index] { worker(p, index); });
    } catch (const std::exception&) { break; }
  }
  p.started.store(wanted, std::memory_order_relaxed);
}

Slot* take_slot(Pool& p) {
  for (Slot& slot : p.slots) {
    if (!slot.taken.load(std::memory_order_relaxed) &&
        !slot.taken.exchange(true, std::memory_order_acquire)) {
      return &slot;
    }
  }
  return nullptr;
}

void wake(Pool& p, int sleepers, int threads, int64_t pieces) {
  std::lock_guard<std::mutex> guard(p.mutex);
  // With fewer threads asked for than there are, one notification may go to a worker that takes no
  // part.
  if (static_cast<int>(p.workers.size()) >= threads || pieces > sleepers) {
    p.work.notify_all();
    return;
  }
  for (int64_t i = 1; i < pieces; ++i) p.work.notify_one();
}

void wait_for_visitors(Pool& p, Slot& slot) {
  const auto idle = [&slot] { return slot.visitors.load(std::memory_order_seq_cst) == 0; };
  for (int spins = 0; spins < 2000; ++spins) {
    if (idle()) return;
    pause_briefly();
  }
  std::unique_lock<std::mutex> lock(p.mutex);
  slot.submitter_sleeps.store(true, std::memory_order_seq_cst);
  p.finished.wait(lock, idle);
  slot.submitter_sleeps.store(false, std::memory_order_relaxed);
}

}  // namespace

void parallel_for(int64_t count, int64_t grain,
                  void (*body)(void* context, int64_t begin, int64_t end), void* context) {
  if (count <= 0) return;
  if (grain < 1) grain = 1;
  if (count <= grain || inside) {
    body(context, 0, count);
    return;
  }
  Pool& p = pool();
  const int threads = threads_of(p);
  const int64_t pieces = std::min<int64_t>(count / grain, int64_t{threads} * chunks_a_thread);
  Slot* slot = threads > 1 && pieces > 1 ? take_slot(p) : nullptr;
  if (!slot) {
    body(context, 0, count);
    return;
  }
  if (p.started.load(std::memory_order_relaxed) < threads - 1) start_workers(p, threads - 1);
  slot->body = body;
  slot->context = context;
  slot->count = count;
  slot->chunk = (count + pieces - 1) / pieces;
  slot->next.store(0, std::memory_order_relaxed);
  slot->open.store(true, std::memory_order_seq_cst);
  p.epoch.fetch_add(1, std::memory_order_seq_cst);
  if (const int sleepers = p.sleepers.load(std::memory_order_seq_cst); sleepers > 0)
    wake(p, sleepers, threads, pieces);
  inside = true;
  run_chunks(*slot);
  inside = false;
  slot->open.store(false, std::memory_order_seq_cst);
  wait_for_visitors(p, *slot);
  slot->taken.store(false, std::memory_order_release);
}

bool worker_awake() {
  const Pool* p = the_pool.load(std::memory_order_acquire);
  return p &&
         p->sleepers.load(std::memory_order_relaxed) < p->started.load(std::memory_order_relaxed);
}

int thread_count() { return threads_of(pool()); }

void set_thread_count(int n) {
  Pool& p = pool();
  threads_of(p);
  p.threads.store(std::clamp(n, 1, max_threads), std::memory_order_relaxed);
}

size_t cache_bytes() {
  static const size_t bytes = [] {
    long size = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    size = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (size <= 0) size = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return size > 0 ? static_cast<size_t>(size) : size_t{8} << 20;
  }();
  return bytes;
}

// The parent's workers and slots do not exist in the child; its pool is left as it is, because one
// of its locks may be held by a thread that is gone.
void pool_in_child() {
  const Pool* former = the_pool.load(std::memory_order_relaxed);
  const int threads = former ? former->threads.load(std::memory_order_relaxed) : 0;
  Pool* made = new Pool;
  made->cores = former ? former->cores : 1;
  made->threads.store(threads, std::memory_order_relaxed);
  the_pool.store(made, std::memory_order_release);
  inside = false;
}

// Loops after this run inline.
void stop_pool() {
  Pool* p = the_pool.load(std::memory_order_acquire);
  if (!p) return;
  p->threads.store(1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> guard(p->mutex);
    p->stop.store(true, std::memory_order_relaxed);
    p->work.notify_all();
  }
  for (std::thread& thread : p->workers) thread.join();
  p->workers.clear();
}

}  // namespace mlxk
