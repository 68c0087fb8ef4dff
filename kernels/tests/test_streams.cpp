#include "check.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "mlxk/error.h"
#include "mlxk/runtime.h"

using namespace mlxk;

namespace {

void nap(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

}  // namespace

TEST(default_streams_belong_to_threads) {
  const StreamId mine = default_stream(DeviceKind::cpu);
  CHECK_EQ(mine, default_stream(DeviceKind::cpu));
  StreamId other = mine;
  std::thread([&] { other = default_stream(DeviceKind::cpu); }).join();
  CHECK(other != mine);
  const StreamId made = new_stream(DeviceKind::cpu);
  set_default_stream(made);
  CHECK_EQ(default_stream(DeviceKind::cpu), made);
  set_default_stream(mine);
  CHECK_EQ(default_stream(DeviceKind::cpu), mine);
}

TEST(ids_of_ended_threads_are_used_again) {
  StreamId last = 0;
  for (int i = 0; i < 50; ++i) std::thread([&] { last = default_stream(DeviceKind::cpu); }).join();
  CHECK(last < 20);
}

TEST(streams_have_indices) {
  const StreamId a = new_stream(DeviceKind::cpu), b = new_stream(DeviceKind::cpu);
  const StreamId c = new_stream(DeviceKind::cpu, true);
  CHECK_EQ(stream_info(b).index, stream_info(a).index + 1);
  CHECK_EQ(stream_info(c).index, 0);
  CHECK(stream_info(c).thread_local_);
  CHECK(!stream_info(a).thread_local_);
  CHECK(stream_info(a).device == DeviceKind::cpu);
  CHECK_THROWS(Error, "no stream 60000", stream_info(60000));
  CHECK_THROWS(Error, "no stream 65535", enqueue(65535, [] {}));
}

TEST(an_absent_device_raises) {
  CHECK(device_available(DeviceKind::cpu));
  CHECK(default_device() == DeviceKind::cpu);
  if (device_available(DeviceKind::gpu)) return;
  CHECK_THROWS(Error, "without gpu backend", default_stream(DeviceKind::gpu));
  CHECK_THROWS(Error, "without gpu backend", new_stream(DeviceKind::gpu));
  CHECK_THROWS(Error, "without gpu backend", set_default_device(DeviceKind::gpu));
}

TEST(work_runs_in_order) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) enqueue(stream, [&order, i] { order.push_back(i); });
  synchronize(stream);
  REQUIRE(order.size() == 100u);
  for (int i = 0; i < 100; ++i) CHECK_EQ(order[static_cast<size_t>(i)], i);
  CHECK(idle(stream));
}

TEST(synchronize_rethrows_once) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  enqueue(stream, [] { throw Error(ErrorKind::value, "first"); });
  enqueue(stream, [] { throw Error(ErrorKind::value, "second"); });
  CHECK_THROWS(Error, "first", synchronize(stream));
  synchronize(stream);
}

TEST(acquired_streams_hold_back_their_queue) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  CHECK(try_acquire(stream));
  CHECK(!try_acquire(stream));
  CHECK(!idle(stream));
  std::atomic<bool> ran{false};
  enqueue(stream, [&] { ran = true; });
  nap(20);
  CHECK(!ran);
  release_stream(stream);
  synchronize(stream);
  CHECK(ran);
  CHECK(try_acquire(stream));
  release_stream(stream);
  CHECK(idle(stream));
}

TEST(a_busy_stream_cannot_be_acquired) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  std::atomic<bool> go{false};
  enqueue(stream, [&] {
    while (!go) std::this_thread::yield();
  });
  CHECK(!try_acquire(stream));
  go = true;
  synchronize(stream);
  CHECK(idle(stream));
}

TEST(work_may_synchronize_its_own_stream) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  enqueue(stream, [stream] { synchronize(stream); });
  synchronize(stream);
}

TEST(streams_wait_for_each_other) {
  const StreamId a = new_stream(DeviceKind::cpu), b = new_stream(DeviceKind::cpu);
  for (int i = 0; i < 200; ++i) {
    Event* event = new Event;
    event->retain();
    int value = 0;
    enqueue(a, [&value, event] {
      value = 7;
      event->signal();
      event->release();
    });
    int seen = 0;
    enqueue(b, [&] {
      event->wait();
      seen = value;
    });
    synchronize(b);
    CHECK_EQ(seen, 7);
    event->release();
  }
  synchronize(a);
}

TEST(a_thread_may_end_with_live_streams) {
  static std::atomic<int> done;
  done = 0;
  StreamId stream = 0;
  std::thread([&] {
    stream = new_stream(DeviceKind::cpu);
    enqueue(default_stream(DeviceKind::cpu), [] { done += 1; });
    enqueue(stream, [] {
      nap(10);
      done += 1;
    });
  }).join();
  synchronize(stream);
  for (int i = 0; i < 1000 && done < 2; ++i) nap(1);
  CHECK_EQ(done.load(), 2);
}

TEST(cleared_streams_start_again) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  int count = 0;
  for (int i = 0; i < 5; ++i) {
    enqueue(stream, [&] { ++count; });
    clear_streams();
    CHECK_EQ(count, i + 1);
  }
}

TEST(several_threads_enqueue) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  int64_t count = 0;  // only the stream's thread, or an acquirer, touches it
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        if (try_acquire(stream)) {
          ++count;
          release_stream(stream);
        } else {
          enqueue(stream, [&] { ++count; });
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  synchronize(stream);
  CHECK_EQ(count, 2000);
}

TEST_FORK(a_forked_child_has_streams) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  std::atomic<bool> go{false};
  enqueue(stream, [&] {
    while (!go) nap(1);
  });
  const pid_t child = fork();
  if (child == 0) {
    int value = 0;
    enqueue(stream, [&] { value = 3; });
    synchronize(stream);
    _exit(value == 3 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  go = true;
  synchronize(stream);
}

TEST(interrupts_are_a_flag) {
  CHECK(!interrupt_requested());
  request_interrupt();
  CHECK(interrupt_requested());
  clear_interrupt();
  CHECK(!interrupt_requested());
}

// The last case: threads are gone after it, and a stream starts one again.
TEST(shutdown_with_work_in_flight) {
  const StreamId stream = new_stream(DeviceKind::cpu);
  static std::atomic<bool> ended;
  enqueue(stream, [] {
    while (!interrupt_requested()) nap(1);
    ended = true;
  });
  runtime_shutdown();
  CHECK(ended);
  bool again = false;
  enqueue(stream, [&] { again = true; });
  synchronize(stream);
  CHECK(again);
}

TEST_MAIN()
