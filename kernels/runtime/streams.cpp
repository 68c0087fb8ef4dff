// The table of streams, their queues and threads, and the interrupt flag.
//
// A stream runs its work in order: on its own thread, started with the first enqueue, or on a
// caller's thread that has acquired the idle stream. Both take a ticket; `completed` counts the
// tickets that are through.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "internal.h"
#include "mlxk/error.h"
#include "mlxk/runtime.h"

namespace mlxk {

void SpinLock::wait(int* spins) {
  if (++*spins % 64 == 0) {
    std::this_thread::yield();
  } else {
    pause_briefly();
  }
}

namespace {

constexpr size_t max_streams = 65535;
constexpr auto shutdown_time = std::chrono::seconds(2);

struct Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> work;
  uint64_t enqueued = 0, completed = 0;
  bool acquired = false;
  bool stop = false;
  bool ended = false;  // the thread is past its last touch of the work
  std::thread thread;
  std::exception_ptr error;  // the first that nobody was told of
};

struct Entry {
  StreamInfo info;
  std::thread::id maker;
  Queue* queue;  // never freed: its thread may outlive everything
};

struct Table {
  std::mutex mutex;  // for adding; looking up takes none
  std::atomic<size_t> count{0};
  std::vector<StreamId>
      orphans[2];  // defaults of threads that ended, by device: the next thread's defaults
  int next_index[2][2] = {};  // by device, thread_local_
};

constinit std::atomic<Entry*> entries[max_streams] = {};

// Made on first use and never destroyed: streams outlive static destructors.
Table& table() {
  static Table* const made = new Table;
  return *made;
}

thread_local Queue* running = nullptr;  // the queue whose work this thread runs

// This thread's default streams by device, or -1. Read for every node: no wrapper, no lock.
constinit thread_local int32_t defaults[2] __attribute__((tls_model("initial-exec"))) = {-1, -1};

// Gives the default streams that were made for a thread to other threads when it ends: the streams
// live on, and there are only 65535 ids.
struct Returned {
  std::vector<StreamId> made[2];
  ~Returned() {
    std::lock_guard<std::mutex> guard(table().mutex);
    for (int device = 0; device < 2; ++device) {
      std::vector<StreamId>& orphans = table().orphans[device];
      orphans.insert(orphans.end(), made[device].begin(), made[device].end());
    }
  }
};
thread_local Returned returned;

constinit std::atomic<Interrupt> interrupted{Interrupt::none};
constinit std::atomic<DeviceKind> the_default_device{DeviceKind::cpu};

const char* device_name(DeviceKind device) { return device == DeviceKind::cpu ? "cpu" : "gpu"; }

// The table's mutex is held.
StreamId add_stream(DeviceKind device, bool thread_local_stream) {
  Table& t = table();
  const size_t count = t.count.load(std::memory_order_relaxed);
  if (count >= max_streams)
    raise(ErrorKind::runtime, "[new_stream] there are %zu streams, as many as can be.", count);
  const StreamId id = static_cast<StreamId>(count);
  const int index = t.next_index[static_cast<int>(device)][thread_local_stream]++;
  Entry* entry =
      new Entry{{id, device, index, thread_local_stream}, std::this_thread::get_id(), new Queue};
  entries[id].store(entry, std::memory_order_release);
  t.count.store(count + 1, std::memory_order_release);
  return id;
}

Entry& find(StreamId stream) {
  Entry* entry = stream < max_streams ? entries[stream].load(std::memory_order_acquire) : nullptr;
  if (!entry) raise(ErrorKind::type, "[stream] there is no stream %d.", int{stream});
  return *entry;
}

Queue& queue_of(StreamId stream) { return *find(stream).queue; }

bool is_idle(const Queue& queue) { return queue.enqueued == queue.completed; }

void complete(Queue& queue) {
  ++queue.completed;
  queue.changed.notify_all();
}

void run_queue(Queue& queue) {
  running = &queue;
  std::unique_lock<std::mutex> lock(queue.mutex);
  for (;;) {
    queue.changed.wait(lock, [&] { return queue.work.empty() ? queue.stop : !queue.acquired; });
    if (queue.work.empty()) break;
    std::function<void()> work = std::move(queue.work.front());
    queue.work.pop_front();
    lock.unlock();
    std::exception_ptr error;
    try {
      work();
    } catch (...) { error = std::current_exception(); }
    work = nullptr;  // what it holds goes before the stream counts as idle
    lock.lock();
    if (error && !queue.error) queue.error = std::move(error);
    complete(queue);
  }
  queue.ended = true;
  queue.changed.notify_all();
}

// Ends the queue's thread when its work is through. The next enqueue starts another.
void stop_queue(Queue& queue, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock<std::mutex> lock(queue.mutex);
  if (!queue.thread.joinable() || running == &queue) return;
  queue.stop = true;
  queue.changed.notify_all();
  // What was enqueued since may have begun another thread, which was not told to stop.
  queue.changed.wait_until(lock, deadline, [&] { return queue.ended || !queue.stop; });
  if (!queue.ended) return;
  std::thread thread = std::move(queue.thread);
  lock.unlock();
  thread.join();
}

std::vector<Queue*> queues_where(bool mine_only) {
  std::lock_guard<std::mutex> guard(table().mutex);
  std::vector<Queue*> queues;
  const size_t count = table().count.load(std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = *entries[i].load(std::memory_order_relaxed);
    if (!mine_only || entry.maker == std::this_thread::get_id()) queues.push_back(entry.queue);
  }
  return queues;
}

}  // namespace

bool device_available(DeviceKind device) { return device == DeviceKind::cpu; }

DeviceKind default_device() { return the_default_device.load(std::memory_order_relaxed); }

void set_default_device(DeviceKind device) {
  if (!device_available(device)) {
    raise(ErrorKind::value, "[set_default_device] Cannot set %s device without %s backend.",
          device_name(device), device_name(device));
  }
  the_default_device.store(device, std::memory_order_relaxed);
}

StreamId default_stream(DeviceKind device) {
  const int kind = static_cast<int>(device);
  int32_t& stream = defaults[kind];
  if (stream >= 0) return static_cast<StreamId>(stream);
  if (!device_available(device)) {
    raise(ErrorKind::value, "[default_stream] Cannot get %s stream without %s backend.",
          device_name(device), device_name(device));
  }
  Table& t = table();
  std::lock_guard<std::mutex> guard(t.mutex);
  std::vector<StreamId>& orphans = t.orphans[kind];
  StreamId id;
  if (orphans.empty()) {
    id = add_stream(device, false);
  } else {
    id = orphans.back();
    orphans.pop_back();
    find(id).maker = std::this_thread::get_id();
  }
  returned.made[kind].push_back(id);
  stream = id;
  return id;
}

void set_default_stream(StreamId stream) {
  defaults[static_cast<int>(find(stream).info.device)] = stream;
}

StreamId new_stream(DeviceKind device, bool thread_local_stream) {
  if (!device_available(device)) {
    raise(ErrorKind::value, "[new_stream] Cannot make %s stream without %s backend.",
          device_name(device), device_name(device));
  }
  std::lock_guard<std::mutex> guard(table().mutex);
  return add_stream(device, thread_local_stream);
}

StreamInfo stream_info(StreamId stream) { return find(stream).info; }

// Waits for the work of the streams this thread made and ends their threads; an array that names
// one still works.
void clear_streams() {
  for (Queue* queue : queues_where(true)) {
    stop_queue(*queue, std::chrono::steady_clock::now() + std::chrono::hours(24 * 365));
  }
}

void enqueue(StreamId stream, std::function<void()> work) {
  Queue& queue = queue_of(stream);
  std::unique_lock<std::mutex> lock(queue.mutex);
  queue.work.push_back(std::move(work));
  ++queue.enqueued;
  if (queue.ended &&
      queue.thread.joinable()) {  // it was told to stop and has; its successor takes over
    queue.thread.join();
    queue.thread = std::thread();
  }
  if (!queue.thread.joinable()) {
    queue.stop = queue.ended = false;
    try {
      queue.thread = std::thread([&queue] { run_queue(queue); });
    } catch (const std::exception&) {
      queue.work.pop_back();
      --queue.enqueued;
      raise(ErrorKind::runtime, "[stream] the system refused a thread for stream %d.", int{stream});
    }
  }
  queue.changed.notify_all();
}

bool idle(StreamId stream) {
  Queue& queue = queue_of(stream);
  std::lock_guard<std::mutex> guard(queue.mutex);
  return is_idle(queue);
}

bool try_acquire(StreamId stream) {
  Queue& queue = queue_of(stream);
  std::lock_guard<std::mutex> guard(queue.mutex);
  if (!is_idle(queue)) return false;
  queue.acquired = true;
  ++queue.enqueued;
  return true;
}

void release_stream(StreamId stream) {
  Queue& queue = queue_of(stream);
  std::lock_guard<std::mutex> guard(queue.mutex);
  queue.acquired = false;
  complete(queue);
}

void synchronize(StreamId stream) {
  Queue& queue = queue_of(stream);
  if (running == &queue) return;  // work that waits for itself
  std::unique_lock<std::mutex> lock(queue.mutex);
  const uint64_t ticket = queue.enqueued;
  queue.changed.wait(lock, [&] { return queue.completed >= ticket; });
  if (std::exception_ptr error = std::exchange(queue.error, nullptr)) {
    lock.unlock();
    std::rethrow_exception(error);
  }
}

void request_interrupt() { interrupted.store(Interrupt::of_main, std::memory_order_relaxed); }
void interrupt_all() { interrupted.store(Interrupt::of_all, std::memory_order_relaxed); }
void clear_interrupt() { interrupted.store(Interrupt::none, std::memory_order_relaxed); }
bool interrupt_requested() { return interrupted_from(Interrupt::of_main); }
bool interrupted_from(Interrupt least) {
  return interrupted.load(std::memory_order_relaxed) >= least;
}

void streams_before_fork() { table().mutex.lock(); }
void streams_after_fork() { table().mutex.unlock(); }

// Ids and indices stay; queues start empty. The old queues are leaked: their threads do not exist
// here.
void streams_in_child() {
  const size_t count = table().count.load(std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) entries[i].load(std::memory_order_relaxed)->queue = new Queue;
  running = nullptr;
}

// Work in flight sees the interrupt and ends early; a stream that does not end in time is left to
// the process's end.
void stop_streams() {
  const auto deadline = std::chrono::steady_clock::now() + shutdown_time;
  for (Queue* queue : queues_where(false)) stop_queue(*queue, deadline);
}

}  // namespace mlxk
