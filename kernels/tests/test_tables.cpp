// Shared tables: made once, found without a lock by many threads, bounded.
#include "mlxk/tables.h"

#include <thread>
#include <vector>

#include "check.h"

using namespace mlxk;

namespace {

char one, other;
int fills = 0;

void fill_key(int64_t key, void* memory) {
  __atomic_fetch_add(&fills, 1, __ATOMIC_RELAXED);
  *static_cast<int64_t*>(memory) = key;
}
int64_t read(const void* table) { return *static_cast<const int64_t*>(table); }

}  // namespace

TEST(tables_are_made_once) {
  CHECK(!find_table(&one, 1));
  const void* made = make_table(&one, 1, 8, fill_key);
  CHECK_EQ(read(made), 1);
  CHECK_EQ(fills, 1);
  CHECK(make_table(&one, 1, 8, fill_key) == made);
  CHECK(find_table(&one, 1) == made);
  CHECK_EQ(fills, 1);
  CHECK_EQ(reinterpret_cast<uintptr_t>(made) % 64, 0u);
}

TEST(owners_have_their_own) {
  const void* a = make_table(&one, 2, 8, fill_key);
  const void* b = make_table(&other, 2, 8, fill_key);
  CHECK(a != b);
  CHECK(find_table(&other, 2) == b);
  CHECK(!find_table(&other, 1));
}

TEST(threads_agree) {
  std::vector<std::thread> threads;
  const void* found[8][100];
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t key = 0; key < 100; ++key)
        found[t][key] = make_table(&other, 1000 + key, 8, fill_key);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int64_t key = 0; key < 100; ++key) {
    for (int t = 0; t < 8; ++t) {
      CHECK(found[t][key] == found[0][key]);
      CHECK_EQ(read(found[t][key]), 1000 + key);
    }
  }
}

TEST(memory_is_bounded) {
  int made = 0;
  for (int64_t key = 0; key < 40; ++key)
    made += make_table(&one, 5000 + key, size_t{8} << 20, fill_key) != nullptr;
  CHECK(made > 0 && made <= 16);
  CHECK(!make_table(&one, 6000, size_t{1} << 30, fill_key));
  CHECK(!find_table(&one, 6000));
  CHECK_EQ(read(make_table(&one, 1, 8, fill_key)), 1);
}

TEST_MAIN()
