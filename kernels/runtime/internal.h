// What the files of runtime/ share with each other, and with nobody else.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlxk {

inline void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// A lock for sections of a few nanoseconds; unlocking is a plain store. Yields when the holder was
// descheduled.
class SpinLock {
 public:
  void lock() {
    int spins = 0;
    while (locked_.exchange(true, std::memory_order_acquire)) {
      while (locked_.load(std::memory_order_relaxed)) wait(&spins);
    }
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  static void wait(int* spins);
  std::atomic<bool> locked_{false};
};

// Which runs are to end: of the main thread, or of all. A run that no interrupt ends is beyond.
enum class Interrupt : uint8_t { none, of_main, of_all, beyond };
bool interrupted_from(Interrupt least);
void interrupt_all();

// Each subsystem's part of fork: its locks are held across it, so that the child finds its tables
// whole.
void allocator_before_fork();
void allocator_after_fork();
void streams_before_fork();
void streams_after_fork();
void streams_in_child();
void pool_in_child();
void stop_streams();
void stop_pool();

}  // namespace mlxk
