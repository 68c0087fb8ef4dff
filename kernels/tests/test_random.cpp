// random_bits against known answers of Threefry-2x32-20 and a scalar model of MLX's layout.
#include "check.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

void threefry(uint32_t k0, uint32_t k1, uint32_t* x, uint32_t* y) {
  const uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1bd11bdau};
  const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  *x += k0, *y += k1;
  for (uint32_t group = 0; group < 5; ++group) {
    for (int r : rotations[group % 2]) {
      *x += *y;
      *y = (*y << r) | (*y >> (32 - r));
      *y ^= *x;
    }
    *x += keys[(group + 1) % 3];
    *y += keys[(group + 2) % 3] + group + 1;
  }
}

std::vector<uint32_t> model(uint32_t k0, uint32_t k1, uint32_t count) {
  std::vector<uint32_t> words(count);
  const uint32_t half = count / 2, second = half + count % 2;
  for (uint32_t i = 0; i < half; ++i) {
    words[i] = i, words[second + i] = i + second;
    threefry(k0, k1, &words[i], &words[second + i]);
  }
  if (count % 2) {
    uint32_t zero = 0;
    words[half] = half;
    threefry(k0, k1, &words[half], &zero);
  }
  return words;
}

}  // namespace

TEST(known_answers) {
  // The vectors of the Random123 distribution for threefry2x32, 20 rounds.
  uint32_t x = 0, y = 0;
  threefry(0, 0, &x, &y);
  CHECK(x == 0x6b200159u && y == 0x99ba4efeu);
  x = y = 0xffffffffu;
  threefry(0xffffffffu, 0xffffffffu, &x, &y);
  CHECK(x == 0x1cb996fcu && y == 0xbb002be7u);
  x = 0x243f6a88u, y = 0x85a308d3u;
  threefry(0x13198a2eu, 0x03707344u, &x, &y);
  CHECK(x == 0xc4923a9cu && y == 0x483df7a0u);
}

TEST(every_count) {
  for (uint32_t count : {0u, 1u, 2u, 3u, 7u, 31u, 32u, 33u, 63u, 64u, 65u, 1000u, 100003u}) {
    Array keys = make_array(Dtype::uint32, {2, 2}), out = make_array(Dtype::uint32, {2, count});
    const double words[] = {0, 5, 4294967295.0, 77};
    for (int i = 0; i < 4; ++i) keys.set(i, words[i]);
    CHECK(same_at_all_thread_counts("random_bits", {keys}, {out}, {static_cast<int64_t>(count)}));
    const uint32_t* got = reinterpret_cast<const uint32_t*>(out.data());
    for (int k = 0; k < 2; ++k) {
      const auto want = model(static_cast<uint32_t>(words[2 * k]),
                              static_cast<uint32_t>(words[2 * k + 1]), count);
      CHECK(count == 0 || std::memcmp(got + k * count, want.data(), count * 4) == 0);
    }
  }
}

TEST_MAIN()
