// The places of true elements against a loop: sizes below and above their number, rows, threads.
#include "check.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

void check_nonzero(Dtype dtype, int64_t rows, int64_t length, double density, int64_t size) {
  const Array mask = make_array(Dtype::bool_, {rows, length});
  Random random{static_cast<uint64_t>(rows * 31 + length)};
  for (int64_t i = 0; i < mask.size(); ++i) mask.set(i, random.next() < density);
  const Array out = make_array(dtype, {rows, size});
  const List params{size};
  if (mask.size() < 100000) {
    run_kernel("nonzero", {mask}, {out}, params);
  } else {
    CHECK(same_at_all_thread_counts("nonzero", {mask}, {out}, params));
  }
  for (int64_t row = 0; row < rows; ++row) {
    int64_t at = 0;
    for (int64_t i = 0; i < length && at < size; ++i) {
      if (mask[row * length + i].real() == 0) continue;
      if (out[row * size + at++].real() != static_cast<double>(i)) {
        return fail(__FILE__, __LINE__,
                    "place " + std::to_string(i) + " of row " + std::to_string(row));
      }
    }
    for (; at < size; ++at) {
      if (out[row * size + at].real() != -1) return fail(__FILE__, __LINE__, "a filling is not -1");
    }
  }
}

}  // namespace

TEST(finds_true_elements) {
  for (Dtype dtype : {Dtype::int32, Dtype::int64}) {
    for (int64_t length : {0, 1, 7, 63, 64, 65, 200, 1000}) {
      for (double density : {0.0, 0.02, 0.5, 1.0}) {
        for (int64_t size : {0, 1, 64, 300, 1100}) {
          check_nonzero(dtype, 1, length, density, size);
          check_nonzero(dtype, 3, length, density, size);
        }
      }
    }
  }
}

TEST(finds_true_elements_in_pieces) {
  for (double density : {0.0, 0.001, 0.3, 1.0}) {
    for (int64_t size : {10, 50000, 150000}) {
      check_nonzero(Dtype::int32, 1, 140001, density, size);
      check_nonzero(Dtype::int64, 3, 70000, density, size);
      check_nonzero(Dtype::int32, 3000, 50, density, 20);
    }
  }
}

TEST_MAIN()
