// Runtime: the allocator, the streams and the counters; with the op and kernel registries the only
// global state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mlxk/buffer.h"
#include "mlxk/kernel.h"
#include "mlxk/node.h"

namespace mlxk {

// ---- memory ----------------------------------------------------------------------------------------------------

// 64-byte aligned, size-class cached, 2 MB pages advised for large blocks. Size zero gives a valid
// empty buffer. Raises a memory error, with nothing changed, when the request passes the machine's
// or the cgroup's memory (or the limit with MLX_STRICT_MEMORY=1). Above the limit the cache is
// emptied first.
BufferRef allocate(size_t bytes);
// All or nothing: what a Program does before its first instruction.
void allocate_all(const size_t* bytes, size_t count, BufferRef* out);
// Wraps foreign memory; release is called once, possibly without the GIL.
BufferRef wrap(void* bytes, size_t size, bool writable, void* owner,
               void (*release)(void* owner) noexcept);

size_t active_memory();
size_t peak_memory();
void reset_peak_memory();
size_t cache_memory();
void clear_cache();
size_t memory_limit();
size_t set_memory_limit(size_t bytes);  // each returns the former limit
size_t set_cache_limit(size_t bytes);
size_t set_wired_limit(size_t bytes);

// ---- streams ---------------------------------------------------------------------------------------------------

struct StreamInfo {
  StreamId id;
  DeviceKind device;
  int index;           // as MLX prints it: Stream(Device(cpu, 0), 1)
  bool thread_local_;  // belongs to the thread that made it
};
StreamId default_stream(DeviceKind device);  // of this thread; made on first use
void set_default_stream(StreamId stream);
StreamId new_stream(DeviceKind device, bool thread_local_stream = false);
StreamInfo stream_info(StreamId stream);  // raises where it does not exist
DeviceKind default_device();
void set_default_device(DeviceKind device);
bool device_available(DeviceKind device);
void clear_streams();

// Queues work on the stream's own thread. Exceptions of the work are the work's to store
// (Event::signal).
void enqueue(StreamId stream, std::function<void()> work);
bool idle(StreamId stream);  // nothing queued or running: the caller's thread may run on its behalf
// Marks the stream busy while the caller runs on its behalf; false when it was not idle.
bool try_acquire(StreamId stream);
void release_stream(StreamId stream);
void synchronize(
    StreamId stream);  // waits for what was queued so far; rethrows the first unreported error

// Set by the signal handler of the face; the executor looks between instructions and long kernels
// between tiles. Only what the main thread evaluates ends: a signal is that thread's matter.
void request_interrupt();
bool interrupt_requested();
void clear_interrupt();

// After fork: the child's pool, streams and locks are new; buffers that were pending raise.
// Registered with pthread_atfork.
void runtime_after_fork_child();
void runtime_shutdown();  // joins threads; called by the face's atexit

}  // namespace mlxk
