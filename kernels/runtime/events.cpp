// Event and Buffer::host.
#include <chrono>

#include "internal.h"
#include "mlxk/buffer.h"
#include "mlxk/error.h"

namespace mlxk {

constinit std::atomic<uint32_t> fork_generation{0};

namespace {

// An event that was pending when the process forked belongs to a thread the child does not have.
// Its mutex may be held by that thread for ever: it is not touched.
void check_generation(uint32_t generation) {
  if (generation != fork_generation.load(std::memory_order_relaxed)) {
    raise(ErrorKind::runtime,
          "[eval] the array was still being computed when the process forked; evaluate it before "
          "the fork.");
  }
}

}  // namespace

// The signaller holds a reference of its own: a waiter may drop the last other one as soon as
// state_ is set.
void Event::signal(std::exception_ptr error) noexcept {
  if (generation_ != fork_generation.load(std::memory_order_relaxed)) return;
  std::lock_guard<std::mutex> guard(mutex_);
  if (state_.load(std::memory_order_relaxed) != 0) return;
  error_ = std::move(error);
  state_.store(1, std::memory_order_release);
  changed_.notify_all();
}

void Event::wait() {
  for (int spins = 0; spins < 200 && !done(); ++spins) pause_briefly();
  if (!done()) {
    check_generation(generation_);
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return done(); });
  }
  if (error_) std::rethrow_exception(error_);
}

bool Event::wait_for(double seconds) {
  if (!done()) {
    check_generation(generation_);
    const double bounded = seconds < 0 ? 0 : seconds > 1e9 ? 1e9 : seconds;
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::duration<double>(bounded), [this] { return done(); }))
      return false;
  }
  if (error_) std::rethrow_exception(error_);
  return true;
}

std::exception_ptr Event::error() const { return done() ? error_ : nullptr; }

void* Buffer::host() {
  if (writer) writer->wait();
  return bytes;
}

}  // namespace mlxk
