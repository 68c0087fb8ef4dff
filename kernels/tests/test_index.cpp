// Gathers, scatters and windows against naive code: every dtype, layouts, indices out of range,
// threads.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "check.h"
#include "mlxk/debug.h"
#include "mlxk/error.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

const Dtype index_dtypes[] = {Dtype::uint8, Dtype::uint16, Dtype::uint32, Dtype::uint64,
                              Dtype::int8,  Dtype::int16,  Dtype::int32,  Dtype::int64};

// At several thread counts where there is work to share; starting threads for each small case would
// take minutes.
void run_on_threads(const char* name, const std::vector<Array>& inputs, const Array& out,
                    const List& params) {
  if (out.size() < 1000 && inputs[1].size() < 500) return run_kernel(name, inputs, {out}, params);
  CHECK(same_at_all_thread_counts(name, inputs, {out}, params));
}

Dims dims(const Shape& shape) { return Dims(shape.data(), shape.size()); }

// Row-major places of an index vector, and back.
int64_t place(const Shape& shape, const Shape& at) {
  int64_t p = 0;
  for (size_t i = 0; i < shape.size(); ++i) p = p * shape[i] + at[i];
  return p;
}
Shape coordinates(const Shape& shape, int64_t p) {
  Shape at(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    at[i] = p % shape[i];
    p /= shape[i];
  }
  return at;
}

Array indices(Dtype dtype, const Shape& shape, Layout layout, int64_t extent, uint64_t seed,
              bool beyond) {
  Array a = make_array(dtype, shape, layout);
  Random random{seed * 77 + 5};
  const int64_t low = is_signed_int(dtype) ? (beyond ? -2 * extent : -extent) : 0;
  const int64_t high = beyond ? 2 * extent : extent;
  for (int64_t i = 0; i < a.size(); ++i) {
    a.set(i,
          {std::floor(static_cast<double>(low) + static_cast<double>(high - low) * random.next()),
           0});
  }
  return a;
}

// The place in x that a gather reads for a place of its result; negative in scatters where an index
// is out of range.
int64_t source_of(const Shape& x, const std::vector<Array>& index, const Shape& axes,
                  int64_t position, const Shape& out, int64_t p, bool clamp) {
  const Shape at = coordinates(out, p);
  const size_t rank = index[0].shape.size();
  Shape index_at(at.begin() + position, at.begin() + position + static_cast<int64_t>(rank));
  Shape remaining(at.begin(), at.begin() + position);
  remaining.insert(remaining.end(), at.begin() + position + static_cast<int64_t>(rank), at.end());
  Shape x_at(x.size(), -1);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t n = x[static_cast<size_t>(axes[i])];
    int64_t k = static_cast<int64_t>(index[i][place(index[i].shape, index_at)].real());
    if (k < 0) k += n;
    if (!clamp && (k < 0 || k >= n)) return -1;
    x_at[static_cast<size_t>(axes[i])] = k < 0 ? 0 : k >= n ? n - 1 : k;
  }
  size_t r = 0;
  for (int64_t& c : x_at) {
    if (c < 0) c = remaining[r++];
  }
  return place(x, x_at);
}

Shape gathered_shape(const Shape& x, const Shape& index, const Shape& axes, int64_t position) {
  Shape out;
  for (size_t d = 0; d < x.size(); ++d) {
    bool indexed = false;
    for (int64_t a : axes) indexed |= a == static_cast<int64_t>(d);
    if (!indexed) out.push_back(x[d]);
  }
  out.insert(out.begin() + position, index.begin(), index.end());
  return out;
}

struct Gathering {
  Shape x, index, axes;
  int64_t position;
};
const Gathering gathers[] = {
    {{5}, {4}, {0}, 0},
    {{5}, {}, {0}, 0},
    {{4, 3}, {6}, {0}, 0},
    {{4, 3}, {6}, {1}, 1},
    {{4, 3}, {2, 3}, {1}, 0},
    {{4, 3, 5}, {7}, {1}, 1},
    {{4, 3, 5}, {7}, {0, 2}, 0},
    {{4, 3, 5}, {2, 2}, {0, 2}, 1},
    {{4, 3, 5}, {9}, {2, 0, 1}, 0},
    {{4, 3, 5}, {}, {1}, 1},
    {{3, 4, 2, 5}, {6}, {1, 2}, 1},
    {{3, 4, 2, 5}, {3, 1}, {3}, 2},
    {{2, 0, 3}, {4}, {0}, 0},
    {{4, 3}, {0}, {0}, 0},
    {{4, 3}, {0, 2}, {1}, 1},
    {{300, 2}, {700}, {0}, 0},
    {{3, 40}, {2, 600}, {1}, 1},
    {{600, 4}, {3}, {1}, 1},
};

std::vector<Array> some_indices(const Gathering& c, Dtype dtype, Layout layout, bool beyond) {
  std::vector<Array> index;
  for (size_t i = 0; i < c.axes.size(); ++i) {
    index.push_back(indices(dtype, c.index, layout,
                            std::min<int64_t>(c.x[static_cast<size_t>(c.axes[i])], 60), i + 3,
                            beyond));
  }
  return index;
}

void check_gather(const Gathering& c, Dtype dtype, Dtype index_dtype, Layout layout,
                  Layout index_layout, bool beyond) {
  Array x = make_array(dtype, c.x, layout);
  fill(x, 7);
  const std::vector<Array> index = some_indices(c, index_dtype, index_layout, beyond);
  Array out = make_array(dtype, gathered_shape(c.x, c.index, c.axes, c.position));
  std::vector<Array> inputs{x};
  inputs.insert(inputs.end(), index.begin(), index.end());
  run_on_threads("gather", inputs, out, {dims(c.axes), c.position});
  for (int64_t p = 0; p < out.size(); ++p) {
    const int64_t from = source_of(c.x, index, c.axes, c.position, out.shape, p, true);
    if (out[p] != x[from])
      return fail(__FILE__, __LINE__, describe(x, layout) + " place " + std::to_string(p));
  }
}

Number combined(const std::string& mode, Number a, Number b) {
  if (mode == "set") return b;
  if (mode == "add") return a + b;
  if (mode == "multiply")
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  const bool less = a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  return (mode == "maximum") == less ? b : a == b ? b : a;
}

void check_scatter(const Gathering& c, Dtype dtype, const char* mode, Layout layout, bool beyond,
                   Dtype index_dtype = Dtype::int32) {
  Array x = make_array(dtype, c.x, layout);
  fill(x, 7, 0, 3);
  const std::vector<Array> index = some_indices(c, index_dtype, layout, beyond);
  Array updates = make_array(dtype, gathered_shape(c.x, c.index, c.axes, c.position), layout);
  fill(updates, 8, 0, 2);
  Array out = make_array(dtype, c.x), want = make_array(dtype, c.x);
  for (int64_t i = 0; i < x.size(); ++i) want.set(i, x[i]);
  // Positions in order, whatever slices lie around them.
  std::vector<std::pair<int64_t, int64_t>> order;
  for (int64_t p = 0; p < updates.size(); ++p) {
    const Shape at = coordinates(updates.shape, p);
    const auto first = at.begin() + c.position;
    order.emplace_back(place(c.index, Shape(first, first + static_cast<int64_t>(c.index.size()))),
                       p);
  }
  std::stable_sort(order.begin(), order.end());
  for (const auto& [q, p] : order) {
    const int64_t to = source_of(c.x, index, c.axes, c.position, updates.shape, p, false);
    if (to < 0) continue;
    Number sum = combined(mode, want[to], updates[p]);
    if (dtype == Dtype::bool_) sum = sum.real() != 0;
    want.set(to, sum);
  }
  std::vector<Array> inputs{x};
  inputs.insert(inputs.end(), index.begin(), index.end());
  inputs.push_back(updates);
  run_on_threads("scatter", inputs, out, {dims(c.axes), c.position, mode});
  for (int64_t i = 0; i < out.size(); ++i) {
    const double error = std::abs(out[i] - want[i]), scale = std::abs(want[i]) + 1;
    if (error > 4 * epsilon(dtype) * scale) {
      return fail(__FILE__, __LINE__, describe(x, layout) + mode + " place " + std::to_string(i));
    }
  }
}

}  // namespace

TEST(gathers_every_dtype_and_layout) {
  for (const Gathering& c : gathers) {
    if (c.x.back() > 100 || c.x[0] > 100) {
      check_gather(c, Dtype::float32, Dtype::int32, Layout::reversed, Layout::contiguous, true);
      continue;
    }
    for (Dtype d : all_dtypes) {
      for (Layout layout : all_layouts) check_gather(c, d, Dtype::int32, layout, layout, false);
      check_gather(c, d, Dtype::int64, Layout::contiguous, Layout::contiguous, true);
    }
    for (Dtype d : index_dtypes) {
      for (Layout layout : all_layouts)
        check_gather(c, Dtype::float32, d, Layout::contiguous, layout, true);
    }
  }
}

TEST(gather_from_nothing_is_an_error) {
  Array x = make_array(Dtype::float32, {0, 3}), index = make_array(Dtype::int32, {2}),
        out = make_array(Dtype::float32, {2, 3});
  fill(index, 1, 0, 0);
  CHECK_THROWS(Error, "axis of size 0", run_kernel("gather", {x, index}, {out}, {Dims{0}, 0}));
}

TEST(too_many_axes_are_an_error) {
  const Shape many(40, 1);
  const Array x = make_array(Dtype::float32, many), index = make_array(Dtype::int32, {1}),
              out = make_array(Dtype::float32, many);
  index.set(0, 0);
  CHECK_THROWS(Error, "40 axes are more than 32",
               run_kernel("gather", {x, index}, {out}, {Dims{39}, 39}));
  CHECK_THROWS(Error, "more than 32",
               run_kernel("scatter", {x, index, out}, {out}, {Dims{39}, 39, "add"}));
  CHECK_THROWS(Error, "more than 32",
               run_kernel("dynamic_slice", {x, index}, {out}, {Dims{0}, dims(many)}));
  CHECK_THROWS(Error, "more than 32",
               run_kernel("slice_update", {x, out}, {out}, {dims(many), dims(many), dims(many)}));
}

TEST(scatters_every_dtype_mode_and_layout) {
  for (const Gathering& c : gathers) {
    for (const char* mode : {"set", "add", "multiply", "maximum", "minimum"}) {
      const bool large = c.x.back() > 30 || c.x[0] > 100;
      if (large && std::string(mode) == "multiply")
        continue;  // products of hundreds of numbers overflow
      for (Dtype d : all_dtypes) {
        if (large && d != Dtype::int64 && d != Dtype::float64) continue;
        const bool narrow = itemsize(d) == 1 && std::string(mode) == "multiply";
        if (narrow && c.index.size() && c.index[0] > 4) continue;
        for (Layout layout :
             {Layout::contiguous, Layout::transposed, Layout::sliced, Layout::reversed}) {
          check_scatter(c, d, mode, layout, false);
        }
        check_scatter(c, d, mode, Layout::contiguous, true);
      }
    }
  }
}

// Several threads share the outer slices, the rows, or the places, whichever there are many of.
TEST(scatters_in_parts) {
  const Gathering parts[] = {
      {{600, 7}, {100}, {1}, 1}, {{20, 1990}, {100}, {0}, 0}, {{5000}, {70000}, {0}, 0}};
  for (const Gathering& c : parts) {
    for (const char* mode : {"set", "add"}) {
      check_scatter(c, Dtype::float64, mode, Layout::contiguous, false);
      check_scatter(c, Dtype::int16, mode, Layout::contiguous, false);
    }
  }
}

TEST(scatters_by_every_index_dtype) {
  for (const Gathering& c : {Gathering{{60}, {500}, {0}, 0}, Gathering{{3, 60}, {500}, {1}, 1}}) {
    for (Dtype d : index_dtypes) {
      for (Layout layout : all_layouts) check_scatter(c, Dtype::float64, "add", layout, true, d);
    }
  }
}

// Read as int32, these unsigned indices would count from the end.
TEST(large_unsigned_indices_are_dropped) {
  Array x = make_array(Dtype::float32, {4}), index = make_array(Dtype::uint32, {3}),
        u = make_array(Dtype::float32, {3}), out = make_array(Dtype::float32, {4});
  fill(x, 1, 0, 0), fill(u, 2, 1, 1);
  index.set(0, 4294967295.0), index.set(1, 4294967292.0), index.set(2, 2.0);
  const auto check = [&] {
    for (int64_t i = 0; i < 4; ++i) CHECK_EQ(out[i].real(), i == 2 ? 1.0 : 0.0);
  };
  run_kernel("scatter", {x, index, u}, {out}, {Dims{0}, 0, "add"});
  check();
  run_kernel("scatter_along_axis", {x, index, u}, {out}, {0, "add"});
  check();
}

TEST(scatters_along_lines) {
  for (Dtype index_dtype : {Dtype::int32, Dtype::uint32, Dtype::int64}) {
    for (Layout layout : {Layout::contiguous, Layout::transposed, Layout::sliced}) {
      Array x = make_array(Dtype::float64, {5, 30}, layout),
            u = make_array(Dtype::float64, {5, 400}, layout), out = make_array(x.dtype, {5, 30}),
            want = make_array(x.dtype, {5, 30});
      fill(x, 1), fill(u, 2);
      const Array index = indices(index_dtype, {5, 400}, layout, 30, 3, true);
      for (int64_t i = 0; i < x.size(); ++i) want.set(i, x[i]);
      for (int64_t i = 0; i < u.size(); ++i) {
        int64_t at = static_cast<int64_t>(index[i].real());
        at = at < 0 ? at + 30 : at;
        const int64_t to = i / 400 * 30 + at;
        if (at >= 0 && at < 30) want.set(to, want[to] + u[i]);
      }
      run_on_threads("scatter_along_axis", {x, index, u}, out, {1, "add"});
      bool right = true;
      for (int64_t i = 0; i < out.size(); ++i) right &= out[i] == want[i];
      CHECK(right);
    }
  }
}

TEST(gathers_past_the_cache) {
  const int64_t width = 64, count = static_cast<int64_t>(cache_bytes() / (width * 4)) + 300;
  const Array x = make_array(Dtype::float32, {50, width});
  const Array index = indices(Dtype::int32, {count}, Layout::contiguous, 50, 1, true);
  fill(x, 3);
  Array out = make_array(Dtype::float32, {count + 1, width});
  out.shape[0] = count;
  out.offset = (64 - reinterpret_cast<uintptr_t>(out.bytes.get()) % 64) % 64 / 4;  // a line's start
  run_kernel("gather", {x, index}, {out}, {Dims{0}, 0});
  bool right = true;
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = static_cast<int64_t>(index[i].real());
    row = row < -50 ? 0 : row < 0 ? row + 50 : row > 49 ? 49 : row;
    right &= std::memcmp(out.data() + i * width * 4, x.data() + row * width * 4, width * 4) == 0;
  }
  CHECK(right);
}

TEST(integer_updates_wrap) {
  Array x = make_array(Dtype::int32, {1}), index = make_array(Dtype::int32, {1}),
        u = make_array(Dtype::int32, {1});
  Array out = make_array(Dtype::int32, {1});
  x.set(0, 2147483647.0), index.set(0, 0.0), u.set(0, 2.0);
  run_kernel("scatter", {x, index, u}, {out}, {Dims{0}, 0, "add"});
  CHECK_EQ(out[0].real(), -2147483647.0);
  run_kernel("scatter", {x, index, u}, {out}, {Dims{0}, 0, "multiply"});
  CHECK_EQ(out[0].real(), -2.0);
}

TEST(scatter_in_place_of_its_input) {
  Array x = make_array(Dtype::float32, {5}), index = make_array(Dtype::int32, {3}),
        u = make_array(Dtype::float32, {3});
  fill(u, 2, 1, 1);
  for (int i = 0; i < 5; ++i) x.set(i, i);
  for (int i = 0; i < 3; ++i) index.set(i, 2);
  run_kernel("scatter", {x, index, u}, {x}, {Dims{0}, 0, "add"});
  CHECK_EQ(x[2].real(), 5.0);
  CHECK_EQ(x[3].real(), 3.0);
}

TEST(along_an_axis) {
  for (Dtype d : all_dtypes) {
    for (Layout layout : all_layouts) {
      for (int64_t axis : {0, 1, 2}) {
        for (bool beyond : {false, true}) {
          Shape shape{3, 4, 5}, taken = shape;
          taken[static_cast<size_t>(axis)] = 7;
          Array x = make_array(d, shape, layout), out = make_array(d, taken);
          fill(x, 3);
          Array index =
              indices(Dtype::int32, taken, layout, shape[static_cast<size_t>(axis)], 2, beyond);
          run_kernel("take_along_axis", {x, index}, {out}, {axis});
          const int64_t n = shape[static_cast<size_t>(axis)];
          Array sums = make_array(d, shape), want = make_array(d, shape);
          for (int64_t i = 0; i < x.size(); ++i) want.set(i, x[i]);
          bool right = true;
          for (int64_t p = 0; p < out.size(); ++p) {
            Shape at = coordinates(taken, p);
            int64_t k = static_cast<int64_t>(index[p].real());
            if (k < 0) k += n;
            const bool inside = k >= 0 && k < n;
            at[static_cast<size_t>(axis)] = k < 0 ? 0 : k >= n ? n - 1 : k;
            right &= out[p] == x[place(shape, at)];
            if (inside) want.set(place(shape, at), out[p]);
          }
          CHECK(right);
          run_kernel("scatter_along_axis", {x, index, out}, {sums}, {axis, "set"});
          right = true;
          for (int64_t i = 0; i < x.size(); ++i) right &= sums[i] == want[i];
          CHECK(right);
        }
      }
    }
  }
  Array x = make_array(Dtype::float32, {2, 0}), index = make_array(Dtype::int32, {2, 3}),
        out = make_array(Dtype::float32, {2, 3});
  CHECK_THROWS(Error, "axis of size 0", run_kernel("take_along_axis", {x, index}, {out}, {1}));
}

TEST(threads_share_large_work) {
  for (Dtype d : {Dtype::float32, Dtype::bfloat16, Dtype::uint8}) {
    Array x = make_array(d, {900, 40}),
          index = indices(Dtype::int32, {6000}, Layout::contiguous, 900, 1, true);
    Array rows = make_array(d, {6000, 40}), sums = make_array(d, {900, 40});
    fill(x, 1);
    run_on_threads("gather", {x, index}, rows, {Dims{0}, 0});
    for (const char* mode : {"set", "add", "maximum"})
      run_on_threads("scatter", {x, index, rows}, sums, {Dims{0}, 0, mode});
    Array along = indices(Dtype::int64, {6000, 40}, Layout::transposed, 900, 1, true);
    run_on_threads("take_along_axis", {x, along}, rows, {0});
    run_on_threads("scatter_along_axis", {x, along, rows}, sums, {0, "add"});
  }
}

TEST(windows) {
  for (Dtype d : all_dtypes) {
    for (Layout layout : all_layouts) {
      Array x = make_array(d, {6, 5}, layout), update = make_array(d, {2, 3}, layout),
            out = make_array(d, {6, 5});
      fill(x, 3), fill(update, 4);
      // x[4:0:-3, 0:5:2]
      run_kernel("slice_update", {x, update}, {out}, {Dims{4, 0}, Dims{0, 5}, Dims{-3, 2}});
      bool right = true;
      for (int64_t i = 0; i < 6; ++i) {
        for (int64_t j = 0; j < 5; ++j) {
          const bool inside = (i == 4 || i == 1) && j % 2 == 0;
          right &= out[i * 5 + j] == (inside ? update[(i == 4 ? 0 : 3) + j / 2] : x[i * 5 + j]);
        }
      }
      CHECK(right);
      for (int64_t start : {-9, -1, 0, 3, 9}) {
        Array starts = make_array(Dtype::int32, {1});
        starts.set(0, static_cast<double>(start));
        const int64_t at = start == -9   ? 0
                           : start == -1 ? 2
                           : start > 2   ? 2
                                         : start;  // moved inside
        Array part = make_array(d, {6, 3});
        run_kernel("dynamic_slice", {x, starts}, {part}, {Dims{1}, Dims{6, 3}});
        right = true;
        for (int64_t i = 0; i < 6; ++i) {
          for (int64_t j = 0; j < 3; ++j) right &= part[i * 3 + j] == x[i * 5 + j + at];
        }
        CHECK(right);
        run_kernel("dynamic_slice_update", {x, update, starts}, {out}, {Dims{1}});
        right = true;
        for (int64_t i = 0; i < 6; ++i) {
          for (int64_t j = 0; j < 5; ++j) {
            const bool inside = i < 2 && j >= at && j < at + 3;
            right &= out[i * 5 + j] == (inside ? update[i * 3 + j - at] : x[i * 5 + j]);
          }
        }
        CHECK(right);
      }
    }
  }
}

TEST(masks_use_values_in_turn) {
  for (Dtype d : all_dtypes) {
    Array x = make_array(d, {4, 3}), mask = make_array(Dtype::bool_, {4}),
          values = make_array(d, {3, 3}), out = make_array(d, {4, 3});
    fill(x, 1), fill(values, 2);
    const bool flags[] = {true, false, true, false};
    for (int i = 0; i < 4; ++i) mask.set(i, flags[i]);
    run_kernel("masked_scatter", {x, mask, values}, {out});
    for (int i = 0; i < 12; ++i)
      CHECK(out[i] == (i < 3 ? values[i] : i >= 6 && i < 9 ? values[i - 3] : x[i]));
    Array few = make_array(d, {1, 3});
    CHECK_THROWS(Error, "more rows", run_kernel("masked_scatter", {x, mask, few}, {out}));
  }
}

// ---- indices beyond everything ----------------------------------------------------------------------------------

// An array whose first or last byte lies at a page that must not be touched.
Array guarded(Dtype dtype, const Shape& shape, bool at_end) {
  Array a = make_array(dtype, shape);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = static_cast<size_t>(a.byte_count), inside = (bytes + page - 1) / page * page;
  char* all = static_cast<char*>(
      mmap(nullptr, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(all != MAP_FAILED);
  REQUIRE(mprotect(all + page, inside, PROT_READ | PROT_WRITE) == 0);
  a.bytes = std::shared_ptr<char[]>(all + page + (at_end ? inside - bytes : 0),
                                    [=](char*) { munmap(all, inside + 2 * page); });
  fill(a, 3);
  return a;
}

const int64_t wild[] = {
    0,      -1, 1, 5, -6, 6, 127, -128, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, INT64_MAX - 3,
    1 << 20};

Array wild_indices(Dtype dtype, const Shape& shape) {
  const Array a = make_array(dtype, shape);
  for (int64_t i = 0; i < a.size(); ++i)
    std::memcpy(a.element(i), &wild[i * 7 % 14], itemsize(dtype));
  return a;
}

TEST(wild_indices_touch_no_other_memory) {
  for (Dtype index_dtype : index_dtypes) {
    for (Dtype dtype : {Dtype::uint8, Dtype::bfloat16, Dtype::float32, Dtype::complex64}) {
      for (bool at_end : {false, true}) {
        const Array x = guarded(dtype, {6, 5}, at_end), line = wild_indices(index_dtype, {14});
        const Array rows = guarded(dtype, {14, 5}, at_end), out = guarded(dtype, {6, 5}, at_end);
        run_kernel("gather", {x, line}, {rows}, {Dims{0}, 0});
        const Array columns = guarded(dtype, {6, 14}, at_end);
        run_kernel("gather", {x, line}, {columns}, {Dims{1}, 1});
        const Array places = guarded(dtype, {14}, at_end);
        run_kernel("gather", {x, line, line}, {places}, {Dims{0, 1}, 0});
        const Array along = wild_indices(index_dtype, {6, 14});
        run_kernel("take_along_axis", {x, along}, {columns}, {1});
        for (const char* mode : {"set", "add", "maximum"}) {
          run_kernel("scatter", {x, line, rows}, {out}, {Dims{0}, 0, mode});
          run_kernel("scatter", {x, line, columns}, {out}, {Dims{1}, 1, mode});
          run_kernel("scatter", {x, line, line, places}, {out}, {Dims{0, 1}, 0, mode});
          run_kernel("scatter_along_axis", {x, along, columns}, {out}, {1, mode});
        }
        const Array part = guarded(dtype, {2, 3}, at_end);
        for (int64_t i = 0; i < 14; ++i) {
          const Array start = make_array(index_dtype, {2});
          for (int k = 0; k < 2; ++k)
            std::memcpy(start.element(k), &wild[(i + 3 * k) % 14], itemsize(index_dtype));
          run_kernel("dynamic_slice", {x, start}, {part}, {Dims{0, 1}, Dims{2, 3}});
          run_kernel("dynamic_slice_update", {x, part, start}, {out}, {Dims{0, 1}});
        }
      }
    }
  }
}

TEST(large_unsigned_indices_are_beyond_the_end) {
  const Array x = make_array(Dtype::float32, {3}), index = make_array(Dtype::uint64, {1});
  const Array update = make_array(Dtype::float32, {1}), out = make_array(Dtype::float32, {3});
  fill(x, 1);
  update.set(0, 50);
  const uint64_t last = UINT64_MAX;  // as int64 it would be the last element
  std::memcpy(index.element(0), &last, 8);
  run_kernel("scatter", {x, index, update}, {out}, {Dims{0}, 0, "set"});
  CHECK(out.same_bytes(x));
}

TEST(bounds_are_checked_on_demand) {
  struct On {
    On() { set_checks_bounds(true); }
    ~On() { set_checks_bounds(false); }
  } on;
  const Array x = make_array(Dtype::float32, {4, 3}), index = make_array(Dtype::int32, {2, 2});
  fill(x, 1);
  for (int64_t i = 0; i < 4; ++i) index.set(i, static_cast<double>(i));
  const Array rows = make_array(Dtype::float32, {2, 2, 3}),
              columns = make_array(Dtype::float32, {4, 2, 2});
  run_kernel("gather", {x, index}, {rows}, {Dims{0}, 0});
  run_kernel("scatter", {x, index, rows}, {x}, {Dims{0}, 0, "add"});
  CHECK_THROWS(Error,
               "[gather] Index 3, element 3 of indices of shape (2, 2), is out of range for axis 1 "
               "of size 3",
               run_kernel("gather", {x, index}, {columns}, {Dims{1}, 1}));
  CHECK_THROWS(Error, "[scatter] Index 3",
               run_kernel("scatter", {x, index, columns}, {x}, {Dims{1}, 1, "set"}));
  index.set(1, -5);
  CHECK_THROWS(Error, "[gather] Index -5, element 1",
               run_kernel("gather", {x, index}, {rows}, {Dims{0}, 0}));
  const Array along = make_array(Dtype::uint8, {4, 1}), one = make_array(Dtype::float32, {4, 1});
  for (int64_t i = 0; i < 4; ++i) along.set(i, static_cast<double>(i));
  CHECK_THROWS(Error, "[take_along_axis] Index 3",
               run_kernel("take_along_axis", {x, along}, {one}, {1}));
  CHECK_THROWS(Error, "[scatter_along_axis] Index 3",
               run_kernel("scatter_along_axis", {x, along, one}, {x}, {1, "add"}));
  const Array start = make_array(Dtype::int32, {1}), part = make_array(Dtype::float32, {2, 3});
  start.set(0, 3);
  CHECK_THROWS(Error, "[slice] A window of size 2 at 3 leaves axis 0 of size 4",
               run_kernel("dynamic_slice", {x, start}, {part}, {Dims{0}, Dims{2, 3}}));
}

TEST_MAIN()
