#include "check.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "mlxk/threads.h"

using namespace mlxk;

namespace {

// Every index once, whatever the chunks.
bool covers(int64_t count, int64_t grain) {
  std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
  std::atomic<bool> small_chunk{false};
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    if (end - begin < grain && end != count) small_chunk = true;
    for (int64_t i = begin; i < end; ++i)
      seen[static_cast<size_t>(i)].fetch_add(1, std::memory_order_relaxed);
  });
  for (auto& times : seen) {
    if (times != 1) return false;
  }
  return !small_chunk;
}

}  // namespace

TEST(every_index_is_visited_once) {
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    CHECK_EQ(thread_count(), threads);
    for (int64_t count : {0, 1, 2, 3, 7, 64, 1000, 12345}) {
      for (int64_t grain : {0, 1, 3, 100, 20000}) CHECK(covers(count, grain));
    }
  }
}

TEST(a_worker_that_works_is_awake) {
  set_thread_count(3);
  const std::thread::id submitter = std::this_thread::get_id();
  std::atomic<int> asleep{0};
  for (int i = 0; i < 100; ++i) {
    parallel_for(100, 1, [&](int64_t, int64_t) {
      if (std::this_thread::get_id() != submitter && !worker_awake()) ++asleep;
    });
  }
  CHECK_EQ(asleep.load(), 0);
}

TEST(nested_loops_run_inline) {
  set_thread_count(3);
  std::atomic<int64_t> sum{0};
  parallel_for(100, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::thread::id me = std::this_thread::get_id();
      parallel_for(10, 1, [&](int64_t b, int64_t e) {
        if (std::this_thread::get_id() != me) sum += 1 << 20;
        sum += e - b;
      });
    }
  });
  CHECK_EQ(sum.load(), 1000);
}

TEST(several_submitters) {
  set_thread_count(4);
  std::vector<std::thread> submitters;
  std::atomic<int64_t> total{0};
  for (int t = 0; t < 12; ++t) {
    submitters.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        std::vector<int> data(200, 0);
        parallel_for(200, 10, [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; ++k) data[static_cast<size_t>(k)] = static_cast<int>(k);
        });
        int64_t sum = 0;
        for (int value : data) sum += value;
        total += sum;
      }
    });
  }
  for (std::thread& thread : submitters) thread.join();
  CHECK_EQ(total.load(), int64_t{12} * 300 * 199 * 100);
}

TEST(slow_chunks_are_waited_for) {
  set_thread_count(2);
  std::atomic<int> done{0};
  parallel_for(8, 1, [&](int64_t begin, int64_t end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * (begin % 3 + 1)));
    done += static_cast<int>(end - begin);
  });
  CHECK_EQ(done.load(), 8);
}

TEST(sleeping_workers_wake) {
  set_thread_count(2);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(i * 30));
    CHECK(covers(1000, 10));
  }
}

TEST_FORK(a_forked_child_has_a_pool) {
  set_thread_count(3);
  CHECK(covers(1000, 10));
  const pid_t child = fork();
  if (child == 0) _exit(thread_count() == 3 && covers(1000, 10) ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

TEST(cache_size_is_plausible) { CHECK(cache_bytes() >= 1 << 16); }

TEST(every_hand_off_is_taken) {
  set_thread_count(2);
  std::atomic<int> done = 0;
  for (int i = 0; i < 20000; ++i) {
    parallel_for(2, 1, [&](int64_t begin, int64_t end) { done += static_cast<int>(end - begin); });
  }
  CHECK_EQ(done.load(), 40000);
}

TEST_MAIN()
