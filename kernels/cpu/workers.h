// Tasks that need scratch memory: each worker has its own and takes one task after the other.
//
// Included by kernel stems only.
#pragma once

#include <cstdint>

#include "mlxk/threads.h"

namespace {

// How many scratches a kernel asks for. The number of threads is fixed for the process before its
// first kernel runs.
static __attribute__((unused)) int64_t worker_count(int64_t tasks) {
  const int64_t threads = mlxk::thread_count();
  return tasks < 1 ? 1 : tasks < threads ? tasks : threads;
}

// body(task, worker) for every task; two tasks of one worker never run at once. Results must not
// depend on the worker.
template <class Body> static void run_tasks(int64_t tasks, int64_t workers, const Body& body) {
  int64_t next = 0;
  mlxk::parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (;;) {
        const int64_t task = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        if (task >= tasks) break;
        body(task, worker);
      }
    }
  });
}

}  // namespace
