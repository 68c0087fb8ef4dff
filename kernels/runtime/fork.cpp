// What happens to the runtime as a whole: fork and shutdown.
#include <pthread.h>

#include "internal.h"
#include "mlxk/runtime.h"

namespace mlxk {
namespace {

void before_fork() {
  streams_before_fork();
  allocator_before_fork();
}

void after_fork_parent() {
  allocator_after_fork();
  streams_after_fork();
}

void after_fork_child() {
  after_fork_parent();
  runtime_after_fork_child();
}

const int registered = pthread_atfork(before_fork, after_fork_parent, after_fork_child);

}  // namespace

void runtime_after_fork_child() {
  fork_generation.fetch_add(1, std::memory_order_relaxed);
  pool_in_child();
  streams_in_child();
  clear_interrupt();
}

void runtime_shutdown() {
  interrupt_all();
  stop_streams();
  clear_interrupt();
  stop_pool();
}

}  // namespace mlxk
