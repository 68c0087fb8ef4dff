// Discrete Fourier transforms along one axis, in float32:
//   "fft" (complex64, or float32, to n numbers; params axis, n, power, inverse), "rfft" (float32 to
//   n / 2 + 1 numbers; axis, n, power, transposed), "irfft" (back; the same params).
// The results are divided by n to `power`. A transposed rfft is the transpose of irfft: inner
// numbers count twice; and the other way round, where they count half. Lines shorter than n count
// as followed by zeros, longer ones are cut. Lines that lie side by side are transformed as columns
// of vectors (batch.h), others one by one (line.h), long ones by all threads together.
#include "cpu/fft/batch.h"
#include "cpu/integers.h"
#include "mlxk/tables.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// ---- plans --------------------------------------------------------------------------------------

const char owner = 0;
int64_t key_of(const Job& job) { return 2 * job.length + job.batches; }

size_t plan_bytes(int64_t key) {
  Arena counting(nullptr);
  counting.take<Plan>(1);
  make_plan(key / 2, key % 2, counting);
  return counting.used();
}
void fill_plan(int64_t key, void* memory) {
  Arena arena(memory);
  Plan* const plan = arena.take<Plan>(1);
  *plan = make_plan(key / 2, key % 2, arena);
}

// ---- one line -----------------------------------------------------------------------------------

// What a line needs beside the workspace of its transform: room for what cannot be read or written
// in place.
struct Rooms {
  bool in, out, packed;
  size_t in_bytes, out_bytes, packed_bytes;
  size_t bytes() const {
    return (in ? in_bytes : 0) + (out ? out_bytes : 0) + (packed ? packed_bytes : 0);
  }
};

Rooms rooms_of(const Job& job) {
  const bool widened =
      job.kind != Kind::complex_numbers && !job.packed;  // real numbers become complex ones
  Rooms rooms{};
  rooms.in = job.in_stride != 1 || job.given < job.needed || widened;
  rooms.in_bytes = (sizeof(float) * 2 * static_cast<size_t>(job.n + 2) + 63) & ~size_t{63};
  rooms.out = job.out_stride != 1 && !widened;
  rooms.out_bytes = rooms.in_bytes;
  rooms.packed = job.kind == Kind::half_to_real && job.packed;
  rooms.packed_bytes = (sizeof(float) * 2 * static_cast<size_t>(job.length) + 63) & ~size_t{63};
  return rooms;
}

// Elements of `floats` floats, `stride` elements apart, end to end; zeros behind them.
void gather(const float* in, int64_t stride, int64_t floats, int64_t count, int64_t needed,
            float* to) {
  if (floats == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = in[i * stride];
  } else {
    for (int64_t i = 0; i < count; ++i) {
      to[2 * i] = in[2 * i * stride];
      to[2 * i + 1] = in[2 * i * stride + 1];
    }
  }
  memset(to + count * floats, 0, sizeof(float) * static_cast<size_t>((needed - count) * floats));
}
void scatter(const float* from, int64_t stride, int64_t floats, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t part = 0; part < floats; ++part)
      out[floats * i * stride + part] = from[floats * i + part];
  }
}

// Odd lengths of real numbers: as complex ones.
void run_widened(const Job& job, const Plan& plan, const float* in, float* out, float* wide,
                 char* memory) {
  const int64_t step = job.in_stride * job.in_floats();
  memset(wide, 0, sizeof(float) * 2 * static_cast<size_t>(job.n));
  for (int64_t i = 0; i < job.given; ++i) {
    wide[2 * i] = in[i * step];
    if (!job.real_out() || i == 0) continue;
    wide[2 * i] *= job.inner;
    wide[2 * i + 1] = -in[i * step + 1] * job.inner;  // the conjugate, whose transform is real
    wide[2 * (job.n - i)] = wide[2 * i];
    wide[2 * (job.n - i) + 1] = -wide[2 * i + 1];
  }
  transform_line(plan, {wide, wide, job.sign, job.scale}, memory);
  for (int64_t k = 0; k < job.results; ++k) {
    float* const to = out + k * job.out_stride * job.out_floats();
    const float inner = k && !job.real_out() ? job.inner : 1;
    to[0] = wide[2 * k] * inner;
    if (!job.real_out()) to[1] = wide[2 * k + 1] * inner;
  }
}

// Fetches the next line and the place of its result: short lines end before the hardware foresees
// what follows, and their elements are not touched in order.
void fetch_line(const Job& job, int64_t index) {
  if (index >= job.lines || job.in_stride != 1 || job.out_stride != 1 || job.n > 4096) return;
  const char* in = reinterpret_cast<const char*>(line_in(job, index));
  const char* out = reinterpret_cast<const char*>(line_out(job, index));
  for (int64_t i = 0; i < job.given * job.in_floats() * 4; i += 64) __builtin_prefetch(in + i);
  for (int64_t i = 0; i < job.results * job.out_floats() * 4; i += 64)
    __builtin_prefetch(out + i, 1);
}

void run_line(const Job& job, const Plan& plan, const Rooms& rooms, int64_t index, char* memory) {
  const float* in = line_in(job, index);
  float* const target = line_out(job, index);
  float* const in_room = reinterpret_cast<float*>(memory);
  memory += rooms.in ? rooms.in_bytes : 0;
  float* const out = rooms.out ? reinterpret_cast<float*>(memory) : target;
  memory += rooms.out ? rooms.out_bytes : 0;
  float* const packed = reinterpret_cast<float*>(memory);
  memory += rooms.packed ? rooms.packed_bytes : 0;
  if (job.kind != Kind::complex_numbers && !job.packed)
    return run_widened(job, plan, in, target, in_room, memory);
  if (rooms.in) {
    gather(in, job.in_stride, job.in_floats(), job.given, job.needed, in_room);
    in = in_room;
  }
  if (job.kind == Kind::complex_numbers) {
    transform_line(plan, {in, out, job.sign, job.scale}, memory);
  } else if (job.real_out()) {
    pack_line(plan, in, job.inner, packed);
    transform_line(plan, {packed, out, -1, job.scale}, memory);
  } else {
    transform_line(plan, {in, out, 1, 1}, memory);
    const Finish finish = finish_of(job.sign, job.scale);
    unpack_line(plan, out, finish, job.inner, job.kind == Kind::real_to_all);
  }
  if (rooms.out) scatter(out, job.out_stride, job.out_floats(), job.results, target);
}

// ---- all lines ----------------------------------------------------------------------------------

// How a job is shared: units (lines or batches), tasks, and memory of each task.
struct Shares {
  int64_t units;
  int tasks;
  size_t bytes;
};

Shares shares_of(const Job& job, const Plan& plan) {
  Shares shares{};
  const int threads = thread_count();
  shares.units = job.batches ? ceil_div(job.lines, row_lanes) : job.lines;
  shares.bytes = job.batches ? batch_bytes(job) : rooms_of(job).bytes() + line_bytes(plan);
  shares.bytes = (shares.bytes + 63) & ~size_t{63};
  shares.tasks = static_cast<int>(shares.units < threads ? shares.units : threads);
  if (job.lines * job.length < shared_length) shares.tasks = 1;
  // Few long lines: each by all threads.
  if (!job.batches && plan.task_bytes && job.lines < 2 * threads) shares.tasks = 1;
  return shares;
}

void run_job(const Job& job, void* workspace) {
  if (!job.out->size) return;
  char* memory = static_cast<char*>(workspace);
  const int64_t key = key_of(job);
  const Plan* plan = static_cast<const Plan*>(find_table(&owner, key));
  if (!plan) {
    fill_plan(key, memory);
    plan = reinterpret_cast<const Plan*>(memory);
    memory += plan_bytes(key);
  }
  const Shares shares = shares_of(job, *plan);
  if (job.batches) {
    share_out(shares.units, shares.tasks, memory, shares.bytes,
              [&](int64_t unit, char* own) { run_batch(job, *plan, unit, own); });
  } else {
    const Rooms rooms = rooms_of(job);
    share_out(shares.units, shares.tasks, memory, shares.bytes, [&](int64_t unit, char* own) {
      fetch_line(job, unit + 1);
      run_line(job, *plan, rooms, unit, own);
    });
  }
}

size_t job_workspace(const Job& job) {
  if (!job.out->size) return 0;
  const int64_t key = key_of(job);
  const void* plan = find_table(&owner, key);
  const size_t bytes = plan ? 0 : plan_bytes(key);
  if (!plan) plan = make_table(&owner, key, bytes, fill_plan);
  Arena counting(nullptr);
  const Shares shares = shares_of(
      job, plan ? *static_cast<const Plan*>(plan) : make_plan(key / 2, key % 2, counting));
  return (plan ? 0 : bytes) + shares.bytes * static_cast<size_t>(shares.tasks);
}

// ---- the ops ------------------------------------------------------------------------------------

Job fft_job(const KernelCall& call) {
  const bool real = call.inputs[0].dtype != Dtype::complex64;
  return job_of(call, real ? Kind::real_to_all : Kind::complex_numbers);
}

void fft(const KernelCall& call) { run_job(fft_job(call), call.workspace); }
void rfft(const KernelCall& call) { run_job(job_of(call, Kind::real_to_half), call.workspace); }
void irfft(const KernelCall& call) { run_job(job_of(call, Kind::half_to_real), call.workspace); }
size_t fft_workspace(const KernelCall& call) { return job_workspace(fft_job(call)); }
size_t rfft_workspace(const KernelCall& call) {
  return job_workspace(job_of(call, Kind::real_to_half));
}
size_t irfft_workspace(const KernelCall& call) {
  return job_workspace(job_of(call, Kind::half_to_real));
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(fft, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("fft", {.run = fft, .workspace = fft_workspace, .donates = 0});
  kernels.add("rfft", {.run = rfft, .workspace = rfft_workspace});
  kernels.add("irfft", {.run = irfft, .workspace = irfft_workspace});
}
