// Buffer: bytes, the kinds of device that may touch them, an owner with a release function, and
// their last writer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace mlxk {

extern std::atomic<uint32_t> fork_generation;  // forks between the first process and this one

// Completion of one Program on one stream. A failed Program keeps its error here, so reading an
// output raises it.
class Event {
 public:
  void retain() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  bool done() const { return state_.load(std::memory_order_acquire) != 0; }
  void signal(std::exception_ptr error = nullptr) noexcept;
  void wait();  // blocks without the GIL's knowledge: callers release it; rethrows the error
  bool wait_for(double seconds);     // false when the time passed; rethrows the error
  std::exception_ptr error() const;  // valid once done

 private:
  std::atomic<uint32_t> refs_{1};
  std::atomic<int> state_{0};
  const uint32_t generation_ =
      fork_generation.load(std::memory_order_relaxed);  // waiting in a forked child raises
  std::mutex mutex_;
  std::condition_variable changed_;
  std::exception_ptr error_;
};

enum BufferFlag : uint8_t {
  buffer_pooled = 1,    // our allocator owns it
  buffer_writable = 2,  // mapped files are not
  buffer_exported = 4,  // a NumPy or DLPack view exists: never donated
};

enum DeviceBit : uint8_t { touch_cpu = 1, touch_cuda = 2, touch_metal = 4 };

struct Buffer {
  std::atomic<uint32_t> refs{1};
  uint8_t flags = 0;
  uint8_t devices = touch_cpu;
  void* bytes = nullptr;
  size_t size = 0;  // usable bytes: a multiple of 64 for pooled ones, padded so that kernels may
                    // read whole blocks
  void (*release)(Buffer*) noexcept =
      nullptr;  // called once at zero references; frees bytes and the struct
  void* owner = nullptr;
  Event* writer = nullptr;  // null: the bytes are there

  // The one call by which the host reaches the bytes: waits for the writer, rethrows its error.
  void* host();
};

class BufferRef {
 public:
  BufferRef() = default;
  explicit BufferRef(Buffer* adopted) : buffer_(adopted) {}
  BufferRef(const BufferRef& other) : buffer_(other.buffer_) {
    if (buffer_) buffer_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() {
    if (buffer_ && (buffer_->refs.load(std::memory_order_acquire) == 1 ||
                    buffer_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      buffer_->release(buffer_);
    }
  }
  Buffer* get() const { return buffer_; }
  Buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }

 private:
  Buffer* buffer_ = nullptr;
};

}  // namespace mlxk
