// copy_tensor between layouts and dtypes, against items copied one by one.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

using namespace mlxk;

namespace {

std::mt19937 rng(1);

// One side of a copy: strides over memory that is just as large as they need.
struct Side {
  Dtype dtype;
  std::vector<int64_t> shape, strides;
  std::vector<unsigned char> bytes;
  int64_t offset = 0;

  Side(Dtype d, const std::vector<int64_t>& dims) : dtype(d), shape(dims), strides(dims.size()) {}

  // Axes in a random order, some reversed, some with gaps; for inputs also some repeated.
  void draw_layout(bool is_input) {
    std::vector<size_t> order(shape.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    if (rng() % 3) std::shuffle(order.begin(), order.end(), rng);
    int64_t stride = rng() % 4 ? 1 : 2;
    for (size_t i = order.size(); i-- > 0;) {
      const size_t d = order[i];
      if (is_input && rng() % 5 == 0) {
        strides[d] = 0;
        continue;
      }
      strides[d] = stride;
      stride *= shape[d] + (rng() % 5 == 0);
      if (rng() % 5 == 0 && shape[d] > 0) {
        offset += strides[d] * (shape[d] - 1);
        strides[d] = -strides[d];
      }
    }
    int64_t low = offset, high = offset;
    for (size_t d = 0; d < shape.size(); d++) {
      if (shape[d] == 0) continue;
      (strides[d] < 0 ? low : high) += strides[d] * (shape[d] - 1);
    }
    CHECK(low >= 0);
    bytes.assign((high + 1) * itemsize(dtype), 0);
  }
  Tensor tensor() {
    int64_t size = 1;
    for (const int64_t n : shape) size *= n;
    return {bytes.data() + offset * itemsize(dtype), shape.data(), strides.data(), size,
            static_cast<int32_t>(shape.size()),      dtype};
  }
  template <class Body> void each(const Body& body) {
    std::vector<int64_t> index(shape.size());
    const int64_t size = tensor().size;
    for (int64_t k = 0; k < size; k++) {
      int64_t at = offset;
      for (size_t d = 0; d < shape.size(); d++) at += index[d] * strides[d];
      body(k, bytes.data() + at * itemsize(dtype));
      for (size_t d = shape.size(); d-- > 0 && ++index[d] == shape[d];) index[d] = 0;
    }
  }
};

std::vector<int64_t> draw_shape() {
  static const int64_t sizes[] = {1, 2, 3, 5, 16, 17, 33, 40, 70};
  std::vector<int64_t> shape(rng() % 5);
  int64_t total = 1;
  for (int64_t& n : shape) {
    n = sizes[rng() % 9];
    if (total * n > 60000) n = 1;
    total *= n;
  }
  if (rng() % 40 == 0 && !shape.empty()) shape[rng() % shape.size()] = 0;
  return shape;
}

}  // namespace

TEST(any_layout_to_any_layout) {
  for (int round = 0; round < 1500; round++) {
    const Dtype d = static_cast<Dtype>(rng() % dtype_count);
    const std::vector<int64_t> shape = draw_shape();
    Side from(d, shape), to(d, shape);
    from.draw_layout(true);
    to.draw_layout(false);
    for (unsigned char& byte : from.bytes) byte = static_cast<unsigned char>(rng());
    std::vector<unsigned char> expected;
    from.each([&](int64_t, const unsigned char* at) {
      expected.insert(expected.end(), at, at + itemsize(d));
    });
    std::vector<unsigned char> outside = to.bytes;
    set_thread_count(round % 3 == 0 ? 1 : round % 3 == 1 ? 2 : 5);
    copy_tensor(from.tensor(), to.tensor());
    bool right = true;
    to.each([&](int64_t k, unsigned char* at) {
      right &= !memcmp(at, expected.data() + k * itemsize(d), itemsize(d));
      memset(at, 0, itemsize(d));
    });
    CHECK(right);
    CHECK(to.bytes == outside);  // nothing between the items was touched
  }
}

TEST(conversion_into_any_layout) {
  for (int round = 0; round < 500; round++) {
    const Dtype d = round % 2 ? Dtype::bfloat16 : Dtype::float64;
    const std::vector<int64_t> shape = draw_shape();
    Side from(Dtype::int16, shape), to(d, shape);
    from.draw_layout(true);
    to.draw_layout(false);
    for (size_t i = 0; i < from.bytes.size(); i += 2) {
      const int16_t value = static_cast<int16_t>(rng() % 200) - 100;
      memcpy(from.bytes.data() + i, &value, 2);
    }
    std::vector<double> expected;
    from.each([&](int64_t, const unsigned char* at) {
      int16_t value;
      memcpy(&value, at, 2);
      expected.push_back(value);
    });
    copy_tensor(from.tensor(), to.tensor());
    to.each([&](int64_t k, const unsigned char* at) {
      double value;
      if (d == Dtype::bfloat16) {
        uint32_t bits = (at[0] | at[1] << 8) << 16;
        float narrow;
        memcpy(&narrow, &bits, 4);
        value = narrow;
      } else {
        memcpy(&value, at, 8);
      }
      CHECK_EQ(value, expected[k]);
    });
  }
}

TEST(large_copies) {
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    Side from(Dtype::float32, {1031, 1217}), to(Dtype::float32, {1031, 1217});
    from.strides = {1, 1031};
    to.strides = {1217, 1};
    from.bytes.resize(4 * 1031 * 1217);
    to.bytes.resize(4 * 1031 * 1217);
    for (unsigned char& byte : from.bytes) byte = static_cast<unsigned char>(rng());
    copy_tensor(from.tensor(), to.tensor());
    bool right = true;
    for (int i = 0; i < 1031; i++)
      for (int j = 0; j < 1217; j++)
        right &= !memcmp(to.bytes.data() + 4 * (i * 1217 + j),
                         from.bytes.data() + 4 * (j * 1031 + i), 4);
    CHECK(right);
  }
  // Beyond the last-level cache, from and to odd addresses.
  const int64_t n = static_cast<int64_t>(cache_bytes()) + 4099;
  Side from(Dtype::uint8, {n}), to(Dtype::uint8, {n});
  from.strides = to.strides = {1};
  from.offset = 3;
  to.offset = 5;
  from.bytes.resize(n + 3);
  to.bytes.resize(n + 6);
  for (size_t i = 0; i < from.bytes.size(); i++)
    from.bytes[i] = static_cast<unsigned char>(i * 2654435761u >> 13);
  copy_tensor(from.tensor(), to.tensor());
  CHECK(!memcmp(to.bytes.data() + 5, from.bytes.data() + 3, n));
  CHECK_EQ(int{to.bytes[4]}, 0);
  CHECK_EQ(int{to.bytes[n + 5]}, 0);
  set_thread_count(2);
}

TEST_MAIN()
