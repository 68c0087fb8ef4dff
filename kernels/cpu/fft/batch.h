// row_lanes lines at once, one a lane: for lines that lie side by side, and for lengths that the
// lanes do not divide.
#pragma once

#include "cpu/fft/job.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Lane p works on line lane_element(p) of the batch; where lines are missing, on the last one once
// more.
struct Batch {
  const float* in[row_lanes];
  float* out[row_lanes];
  int count;
  bool whole_in, whole_out;  // lines are neighbours in memory: a vector holds one element of each
};

static Batch batch_of(const Job& job, int64_t unit) {
  Batch batch;
  const int64_t first = unit * row_lanes, left = job.lines - first;
  batch.count = static_cast<int>(left < row_lanes ? left : row_lanes);
  for (int p = 0; p < row_lanes; ++p) {
    const int line = lane_element(p) < batch.count ? lane_element(p) : batch.count - 1;
    batch.in[p] = line_in(job, first + line);
    batch.out[p] = line_out(job, first + line);
  }
  batch.whole_in = batch.whole_out = batch.count == row_lanes;
  for (int p = 0; p < row_lanes; ++p) {
    batch.whole_in &= batch.in[p] == batch.in[0] + lane_element(p) * job.in_floats();
    batch.whole_out &= batch.out[p] == batch.out[0] + lane_element(p) * job.out_floats();
  }
  return batch;
}

// ---- in -----------------------------------------------------------------------------------------

// Float g of every line to vector g of the rows: lines whose elements follow each other.
static void load_lines(const Batch& batch, int64_t floats, float* rows) {
  int64_t g = 0;
  for (; g + row_lanes <= floats; g += row_lanes) {
    Floats x[row_lanes];
#pragma GCC unroll 16
    for (int p = 0; p < row_lanes; ++p) x[p] = load(batch.in[p] + g);
    transpose(x);
#pragma GCC unroll 16
    for (int p = 0; p < row_lanes; ++p) store(rows + (g + p) * row_lanes, x[p]);
  }
  for (; g < floats; ++g) {
    for (int p = 0; p < row_lanes; ++p) rows[g * row_lanes + p] = batch.in[p][g];
  }
}

static void load_complex(const Job& job, const Batch& batch, float* rows) {
  const int64_t step = 2 * job.in_stride;
  if (batch.whole_in) {
    for (int64_t a = 0; a < job.given; ++a)
      store_row(rows + a * row_floats, load_interleaved(batch.in[0] + a * step));
  } else if (job.in_stride == 1) {
    load_lines(batch, 2 * job.given, rows);
  } else {
    for (int64_t a = 0; a < job.given; ++a) {
      for (int p = 0; p < row_lanes; ++p) {
        rows[a * row_floats + p] = batch.in[p][a * step];
        rows[a * row_floats + row_lanes + p] = batch.in[p][a * step + 1];
      }
    }
  }
  memset(rows + job.given * row_floats, 0, row_bytes * static_cast<size_t>(job.needed - job.given));
}

// Real numbers: one a vector, so two a row where they are packed; else each is a real part.
static void load_real(const Job& job, const Batch& batch, float* rows) {
  const int64_t vectors = job.packed ? 1 : 2, end = job.given * vectors * row_lanes;
  if (!job.packed) memset(rows, 0, row_bytes * static_cast<size_t>(job.length));
  if (batch.whole_in) {
    for (int64_t a = 0; a < job.given; ++a) {
      store(rows + a * vectors * row_lanes, load_ordered(batch.in[0] + a * job.in_stride));
    }
  } else if (job.in_stride == 1 && job.packed) {
    load_lines(batch, job.given, rows);
  } else {
    for (int64_t a = 0; a < job.given; ++a) {
      for (int p = 0; p < row_lanes; ++p)
        rows[a * vectors * row_lanes + p] = batch.in[p][a * job.in_stride];
    }
  }
  memset(rows + end, 0, sizeof(float) * static_cast<size_t>(job.length * row_floats - end));
}

// The first half of an odd length; what is transformed is the conjugate, whose transform is real.
static void mirror_rows(const Job& job, float* rows) {
  const Floats zero{};
  store_row(rows, {load(rows), zero});
  for (int64_t k = 1; k < job.needed; ++k) {
    const Row x = load_row(rows + k * row_floats);
    store_row(rows + (job.n - k) * row_floats, scaled(x, job.inner, job.inner));
    store_row(rows + k * row_floats, scaled(x, job.inner, -job.inner));
  }
}

// ---- out ----------------------------------------------------------------------------------------

// row(k) is what lane by lane goes to place k of the lines.
template <class RowAt>
static void store_complex(const Job& job, const Batch& batch, const RowAt& row) {
  const int64_t step = 2 * job.out_stride;
  int64_t k = 0;
  if (batch.whole_out) {
    for (; k < job.results; ++k) store_interleaved(batch.out[0] + k * step, row(k));
  } else if (job.out_stride == 1) {
    for (; k + row_lanes / 2 <= job.results; k += row_lanes / 2) {
      Floats x[row_lanes];
#pragma GCC unroll 8
      for (int i = 0; i < row_lanes / 2; ++i) {
        const Row one = row(k + i);
        x[2 * i] = one.re;
        x[2 * i + 1] = one.im;
      }
      transpose(x);
#pragma GCC unroll 16
      for (int p = 0; p < row_lanes; ++p) {
        if (lane_element(p) < batch.count) store(batch.out[p] + 2 * k, x[p]);
      }
    }
  }
  for (; k < job.results; ++k) {
    float lane[row_floats];
    store_row(lane, row(k));
    for (int p = 0; p < row_lanes; ++p) {
      if (lane_element(p) >= batch.count) continue;
      batch.out[p][k * step] = lane[p];
      batch.out[p][k * step + 1] = lane[row_lanes + p];
    }
  }
}

// Real numbers in `rows`, `vectors` of them a row. All lie in the order of place.
static void store_real(const Job& job, const Plan& plan, const Batch& batch, const float* rows) {
  const int32_t* place = plan.columns.place;
  const auto vector = [&](int64_t k) {
    const float sign = job.packed && k % 2 ? -job.scale : job.scale;
    const int64_t row = job.packed ? k / 2 : k, part = job.packed ? k % 2 : 0;
    return load(rows + place[row] * row_floats + part * row_lanes) * sign;
  };
  int64_t k = 0;
  if (batch.whole_out) {
    for (; k < job.n; ++k) store_ordered(batch.out[0] + k * job.out_stride, vector(k));
  } else if (job.out_stride == 1) {
    for (; k + row_lanes <= job.n; k += row_lanes) {
      Floats x[row_lanes];
#pragma GCC unroll 16
      for (int i = 0; i < row_lanes; ++i) x[i] = vector(k + i);
      transpose(x);
#pragma GCC unroll 16
      for (int p = 0; p < row_lanes; ++p) {
        if (lane_element(p) < batch.count) store(batch.out[p] + k, x[p]);
      }
    }
  }
  for (; k < job.n; ++k) {
    float lane[row_lanes];
    store(lane, vector(k));
    for (int p = 0; p < row_lanes; ++p) {
      if (lane_element(p) < batch.count) batch.out[p][k * job.out_stride] = lane[p];
    }
  }
}

// ---- a batch ------------------------------------------------------------------------------------

static size_t batch_bytes(const Job& job) {
  return static_cast<size_t>(job.length + 1) * row_bytes;
}

static void run_complex(const Job& job, const Plan& plan, const Batch& batch, float* rows) {
  const Source source{batch.in[0], 2 * job.in_stride, job.sign};
  const Sink sink{batch.out[0], 2 * job.out_stride, finish_of(job.sign, job.scale)};
  const bool direct = batch.whole_in && job.given == job.needed;
  if (!direct) {
    load_complex(job, batch, rows);
    for (int64_t a = 0; job.sign < 0 && a < job.given; ++a) {
      store(rows + a * row_floats + row_lanes, -load(rows + a * row_floats + row_lanes));
    }
  }
  transform_columns(plan.columns, direct ? &source : nullptr, rows,
                    batch.whole_out ? &sink : nullptr);
  if (batch.whole_out) return;
  store_complex(job, batch, [&](int64_t k) {
    return sink.finish.of(load_row(rows + plan.columns.place[k] * row_floats));
  });
}

static void run_real(const Job& job, const Plan& plan, const Batch& batch, float* rows) {
  const int64_t h = job.length;
  const int32_t* place = plan.columns.place;
  const Finish finish = finish_of(job.sign, job.scale);
  const Finish mirrored{finish.re, -finish.im, 0};
  load_real(job, batch, rows);
  transform_columns(plan.columns, nullptr, rows, nullptr);
  if (!job.packed) {
    store_complex(job, batch, [&](int64_t k) {
      const float inner = k ? job.inner : 1;
      return scaled(finish.of(load_row(rows + place[k] * row_floats)), inner, inner);
    });
    return;
  }
  const auto row_of = [&](int64_t k) { return k == h ? h : int64_t{place[k]}; };
  unpack_rows(plan, rows, job.inner, row_of);
  store_complex(job, batch, [&](int64_t k) {
    return k <= h ? finish.of(load_row(rows + row_of(k) * row_floats))
                  : mirrored.of(load_row(rows + row_of(job.n - k) * row_floats));
  });
}

static void run_batch(const Job& job, const Plan& plan, int64_t unit, char* memory) {
  float* const rows = reinterpret_cast<float*>(memory);
  const Batch batch = batch_of(job, unit);
  if (job.kind == Kind::complex_numbers) return run_complex(job, plan, batch, rows);
  if (job.real_in()) return run_real(job, plan, batch, rows);
  load_complex(job, batch, rows);
  job.packed ? pack_rows(plan, rows, job.inner) : mirror_rows(job, rows);
  transform_columns(plan.columns, nullptr, rows, nullptr);
  store_real(job, plan, batch, rows);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
