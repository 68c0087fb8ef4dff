#include "check.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "mlxk/error.h"
#include "mlxk/runtime.h"

using namespace mlxk;

namespace {

uint64_t next_random(uint64_t* state) {
  *state = *state * 6364136223846793005ull + 1442695040888963407ull;
  return *state >> 33;
}

}  // namespace

TEST(blocks_are_aligned_and_padded) {
  for (size_t bytes :
       {0, 1, 63, 64, 65, 100, 1000, 4097, 16384, 16385, 100000, 4194303, 4194304, 5000001}) {
    BufferRef buffer = allocate(bytes);
    REQUIRE(buffer->bytes != nullptr);
    CHECK_EQ(reinterpret_cast<uintptr_t>(buffer->bytes) % 64, 0u);
    CHECK(buffer->size >= bytes);
    CHECK_EQ(buffer->size % 64, 0u);
    CHECK(buffer->size <= bytes + bytes / 4 + 64 || bytes >= size_t{4} << 20);
    CHECK_EQ(int{buffer->flags}, buffer_pooled | buffer_writable);
    if (bytes >= size_t{4} << 20)
      CHECK_EQ(reinterpret_cast<uintptr_t>(buffer->bytes) % (2 << 20), 0u);
    std::memset(buffer->bytes, 0xab, buffer->size);
  }
}

TEST(counters_follow_the_requests) {
  const size_t before = active_memory();
  reset_peak_memory();
  {
    BufferRef a = allocate(1000);
    CHECK_EQ(active_memory(), before + 1000);
    BufferRef b = allocate(10 << 20);
    CHECK_EQ(active_memory(), before + 1000 + (10 << 20));
    BufferRef c = b;
    b = BufferRef();
    CHECK_EQ(active_memory(), before + 1000 + (10 << 20));
  }
  CHECK_EQ(active_memory(), before);
  CHECK_EQ(peak_memory(), before + 1000 + (10 << 20));
  CHECK(cache_memory() >= 10 << 20);
  clear_cache();
  CHECK_EQ(cache_memory(), 0u);
}

TEST(freed_blocks_are_used_again) {
  for (size_t bytes : {100u, 50000u, 9u << 20}) {
    BufferRef a = allocate(bytes);
    void* address = a->bytes;
    a = BufferRef();
    BufferRef b = allocate(bytes - 7);
    CHECK(b->bytes == address);
  }
}

// A step of training asks for a little less the second time than the first.
TEST(freed_blocks_serve_requests_down_to_four_fifths) {
  for (size_t bytes : {size_t{258} << 10, size_t{258} << 20}) {
    clear_cache();
    BufferRef a = allocate(bytes);
    void* address = a->bytes;
    a = BufferRef();
    BufferRef b = allocate(bytes / 16 * 15);
    CHECK(b->bytes == address);
    b = BufferRef();
    BufferRef c = allocate(bytes / 16 * 11);
    CHECK(c->bytes != address);
  }
}

TEST(cache_keeps_to_its_limit) {
  clear_cache();
  const size_t former = set_cache_limit(20 << 20);
  {
    std::vector<BufferRef> held;
    for (int i = 0; i < 10; ++i) held.push_back(allocate(6 << 20));
  }
  CHECK(cache_memory() <= 20 << 20);
  CHECK(cache_memory() >= 12 << 20);
  CHECK_EQ(set_cache_limit(0), size_t{20} << 20);
  CHECK_EQ(cache_memory(), 0u);
  allocate(6 << 20);
  CHECK_EQ(cache_memory(), 0u);
  set_cache_limit(former);
}

TEST(impossible_requests_raise) {
  const size_t active = active_memory();
  for (size_t bytes :
       {size_t{1} << 42, size_t{1} << 50, (size_t{1} << 62) + 1, SIZE_MAX, SIZE_MAX - 63}) {
    CHECK_THROWS(Error, "[allocate]", allocate(bytes));
  }
  const size_t former = set_memory_limit(size_t{1} << 60);
  CHECK_THROWS(Error, "[allocate]", allocate(size_t{1} << 42));
  set_memory_limit(former);
  CHECK_EQ(active_memory(), active);
  try {
    allocate(size_t{1} << 42);
  } catch (const Error& error) { CHECK(error.kind == ErrorKind::memory); }
}

TEST(allocate_all_is_all_or_nothing) {
  const size_t active = active_memory();
  const size_t sizes[] = {100, 1 << 20, 8 << 20, size_t{1} << 41};
  BufferRef out[4];
  CHECK_THROWS(Error, "[allocate]", allocate_all(sizes, 4, out));
  for (const BufferRef& buffer : out) CHECK(!buffer);
  CHECK_EQ(active_memory(), active);
  allocate_all(sizes, 3, out);
  CHECK_EQ(active_memory(), active + 100 + (1 << 20) + (8 << 20));
}

TEST(many_pieces_that_do_not_fit_together_raise) {
  const size_t active = active_memory();
  std::vector<size_t> sizes(4096, size_t{1} << 30);
  std::vector<BufferRef> out(sizes.size());
  CHECK_THROWS(Error, "[allocate]", allocate_all(sizes.data(), sizes.size(), out.data()));
  CHECK_EQ(active_memory(), active);
}

TEST(memory_limit_is_a_guideline_unless_strict) {
  const size_t former = set_memory_limit(1000);
  CHECK_EQ(memory_limit(), 1000u);
  { BufferRef buffer = allocate(4 << 20); }
  setenv("MLX_STRICT_MEMORY", "1", 1);
  CHECK_THROWS(Error, "memory limit", allocate(4 << 20));
  CHECK_THROWS(Error, "memory limit", allocate(2000));
  unsetenv("MLX_STRICT_MEMORY");
  CHECK_EQ(set_memory_limit(former), 1000u);
}

TEST(wrapped_memory_is_released_once) {
  static int released;
  released = 0;
  int value = 7;
  {
    BufferRef buffer = wrap(&value, sizeof value, false, &released,
                            [](void* owner) noexcept { ++*static_cast<int*>(owner); });
    BufferRef other = buffer;
    CHECK_EQ(int{buffer->flags}, 0);
    CHECK(buffer->host() == &value);
  }
  CHECK_EQ(released, 1);
}

TEST(host_waits_for_the_writer) {
  BufferRef buffer = allocate(64);
  Event* event = new Event;
  event->retain();
  buffer->writer = event;
  std::atomic<bool> asked{false};
  std::thread writer([&] {
    while (!asked) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    *static_cast<int*>(buffer->bytes) = 42;
    event->signal();
    event->release();
  });
  CHECK(!event->wait_for(0.001));
  asked = true;
  CHECK_EQ(*static_cast<int*>(buffer->host()), 42);
  writer.join();
}

TEST(host_rethrows_the_error) {
  BufferRef buffer = allocate(64);
  buffer->writer = new Event;
  buffer->writer->signal(std::make_exception_ptr(Error(ErrorKind::value, "broken")));
  CHECK_THROWS(Error, "broken", buffer->host());
  CHECK_THROWS(Error, "broken", buffer->writer->wait_for(1));
  CHECK(buffer->writer->error() != nullptr);
}

TEST(random_use_by_several_threads) {
  const size_t active = active_memory();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      uint64_t state = static_cast<uint64_t>(t) + 1;
      std::vector<BufferRef> held(64);
      for (int i = 0; i < 20000; ++i) {
        BufferRef& slot = held[next_random(&state) % held.size()];
        const size_t bytes = next_random(&state) % (size_t{1} << (next_random(&state) % 19));
        slot = allocate(bytes);
        if (slot->size) std::memset(slot->bytes, t, 64);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(active_memory(), active);
}

TEST(many_small_blocks_come_and_go) {
  for (int round = 0; round < 3; ++round) {
    std::vector<BufferRef> held;
    for (int i = 0; i < 300000; ++i) held.push_back(allocate(static_cast<size_t>(i) % 500));
    for (size_t i = 0; i < held.size(); i += 2) held[i] = BufferRef();
    for (size_t i = 0; i < held.size(); i += 2) held[i] = allocate(64);
  }
}

TEST(a_forked_child_allocates_and_pending_events_raise) {
  Event* pending = new Event;
  BufferRef kept = allocate(100);
  std::memset(kept->bytes, 5, 100);
  const pid_t child = fork();
  if (child == 0) {
    BufferRef buffer = allocate(1000);
    std::memset(buffer->bytes, 1, 1000);
    int status = static_cast<char*>(kept->host())[99] == 5 ? 0 : 1;
    try {
      pending->wait();
      status = 2;
    } catch (const Error&) {}
    _exit(status);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  pending->release();
}

TEST(a_small_block_is_the_next_one_of_its_size) {
  const size_t active = active_memory();
  const void* const first = allocate(256)->bytes;
  for (int i = 0; i < 1000; ++i) CHECK(allocate(256)->bytes == first);
  CHECK_EQ(active_memory(), active);
}

TEST_MAIN()
