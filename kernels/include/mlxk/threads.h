// The worker pool and parallel_for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlxk {

// Runs body over [0, count) in chunks of at least `grain`, on the pool and the calling thread;
// returns when all is done. Inline when count <= grain or the pool has one thread. Several threads
// may submit at once; a call from inside a worker runs inline. body must not throw. Chunk
// boundaries depend on the number of threads: a result must not depend on them.
void parallel_for(int64_t count, int64_t grain,
                  void (*body)(void* context, int64_t begin, int64_t end), void* context);

template <class Body>
static inline void parallel_for(int64_t count, int64_t grain, const Body& body) {
  parallel_for(
      count, grain,
      [](void* context, int64_t begin, int64_t end) {
        (*static_cast<const Body*>(context))(begin, end);
      },
      const_cast<Body*>(&body));
}

// Whether a worker is looking for work at this moment: a hand-off then takes well under a
// microsecond, else some ten. A hint for how little work is worth one.
bool worker_awake();

int thread_count();  // MLX_NUM_THREADS, else the cores of the affinity mask and of the cgroup limit
void set_thread_count(int n);  // tests run kernels at 1, 2 and 5
size_t
cache_bytes();  // last-level cache: outputs larger than this are written with non-temporal stores

}  // namespace mlxk
