// Measures the machine's limits with all its cores, the one named or else all, and prints "name
// value" lines, in bytes or operations a second: copy (bytes read plus bytes written by memcpy),
// read, fma (float32), bf16 and int8 (the tiles of AMX or dot instructions, whichever is quicker;
// without them bf16 is fma's, for elements are converted, and int8 0). Tiles count where MLXK_ISA
// lets the kernels use them.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define TILES 1
#endif

namespace {

constexpr double round_seconds = 0.3;  // as in worker.py
const int threads = static_cast<int>(std::thread::hardware_concurrency());

// As a round of a case is timed: the best of the calls that take so long together.
double best_seconds(const std::function<void(int)>& body) {
  double best = 1e9;
  for (double spent = 0; spent < round_seconds;) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (int t = 1; t < threads; ++t) pool.emplace_back(body, t);
    body(0);
    for (auto& thread : pool) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

#if defined(__AVX512F__)
constexpr int width = 64;
#elif defined(__AVX__)
constexpr int width = 32;
#else
constexpr int width = 16;
#endif
typedef float wide __attribute__((vector_size(width)));

// Keeps a value in a register, so that no step is left out.
#if defined(__x86_64__)
#define KEEP(x) asm volatile("" : "+v"(x))
#else
#define KEEP(x) asm volatile("" : "+w"(x))
#endif

volatile float sink;

template <class Body> double rate(double operations, const Body& body) {
  return operations / best_seconds(body);
}

constexpr size_t bytes = size_t{256} << 20;

struct Pages {
  char* data = static_cast<char*>(std::aligned_alloc(size_t{2} << 20, bytes));
  Pages() { std::memset(data, 1, bytes); }
  ~Pages() { std::free(data); }
};

double copy() {
  const Pages from, to;
  const size_t part = bytes / threads;
  return rate(2.0 * bytes,
              [&](int t) { std::memcpy(to.data + t * part, from.data + t * part, part); });
}

double read() {
  const Pages from;
  const size_t part = bytes / threads;
  return rate(bytes, [&](int t) {
    const wide* p = reinterpret_cast<const wide*>(from.data + t * part);
    wide sums[8] = {};
    for (size_t i = 0; i + 8 <= part / sizeof(wide); i += 8) {
      for (int u = 0; u < 8; ++u) sums[u] += p[i + u];
    }
    wide total = sums[0];
    for (int u = 1; u < 8; ++u) total += sums[u];
    sink = total[0];
  });
}

constexpr long steps = 40'000'000;
constexpr int chains = 12;

double fma() {
  return rate(2.0 * (width / 4) * chains * steps * threads, [](int) {
    wide x = {}, sums[chains] = {};
    x += 1.0f;
    KEEP(x);  // a known one would leave additions alone
    for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 12
      for (int u = 0; u < chains; ++u) {
        sums[u] = sums[u] * x + x;
        KEEP(sums[u]);
      }
    }
#pragma GCC unroll 12
    for (int u = 0; u < chains; ++u) sink = sums[u][0];
  });
}

#if defined(TILES)
struct alignas(64) Registers {  // all of 16 rows of 64 bytes
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr Registers all_registers;

bool may_use_tiles() {
  const char* isa = std::getenv("MLXK_ISA");
  return !isa || !*isa || !std::strcmp(isa, "v4") || !std::strcmp(isa, "amxbf16");
}
// Products of tiles a second, each of `operations`. The factors change, as in any product: with the
// same ones again and again the CPU draws less power and runs up to a third faster.
template <class Multiply> double tiles(double operations, const Multiply& multiply) {
  constexpr int request_permission = 0x1023, tile_data = 18;
  if (!may_use_tiles() || syscall(SYS_arch_prctl, request_permission, tile_data) != 0) return 0;
  constexpr long products = steps / 8;
  constexpr int groups = 4, group_size = 4 * 16 * 16;  // they fit L1
  alignas(64) static uint32_t factors[groups * group_size];
  for (uint32_t i = 0; i < groups * group_size; ++i)
    factors[i] = (i * 2654435761u & 0xbfffbfffu) | 0x20002000u;  // finite bfloat16
  return rate(operations * products * threads, [&](int) {
    _tile_loadconfig(&all_registers);
    for (long i = 0; i < products / 8; ++i) {
      const uint32_t* const group = factors + i % groups * group_size;
      _tile_loadd(4, group, 64);
      _tile_loadd(5, group + 256, 64);
      _tile_loadd(6, group + 512, 64);
      _tile_loadd(7, group + 768, 64);
      multiply();
    }
    _tile_release();
  });
}
// Eight products of four factors.
double bf16_tiles() {
  return tiles(2.0 * 16 * 16 * 32, [] {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    _tile_dpbf16ps(0, 5, 6);
    _tile_dpbf16ps(1, 5, 7);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 7);
  });
}
double int8_tiles() {
  return tiles(2.0 * 16 * 16 * 64, [] {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
    _tile_dpbusd(0, 5, 6);
    _tile_dpbusd(1, 5, 7);
    _tile_dpbusd(2, 4, 6);
    _tile_dpbusd(3, 4, 7);
  });
}
#else
double bf16_tiles() { return 0; }
double int8_tiles() { return 0; }
#endif

double bf16_dots() {
#if defined(__AVX512BF16__)
  return rate(64.0 * chains * steps * threads, [](int) {
    __m512 sums[chains] = {};
    const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
    for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 12
      for (int u = 0; u < chains; ++u) {
        sums[u] = _mm512_dpbf16_ps(sums[u], x, x);
        KEEP(sums[u]);
      }
    }
#pragma GCC unroll 12
    for (int u = 0; u < chains; ++u) sink = sums[u][0];
  });
#else
  return 0;
#endif
}

double int8_dots() {
#if defined(__AVX512VNNI__)
  return rate(128.0 * chains * steps * threads, [](int) {
    __m512i sums[chains] = {};
    const __m512i x = _mm512_set1_epi32(0x01010101);
    for (long i = 0; i < steps; ++i) {
#pragma GCC unroll 12
      for (int u = 0; u < chains; ++u) {
        sums[u] = _mm512_dpbusd_epi32(sums[u], x, x);
        KEEP(sums[u]);
      }
    }
#pragma GCC unroll 12
    for (int u = 0; u < chains; ++u) sink = static_cast<float>(_mm512_cvtsi512_si32(sums[u]));
  });
#else
  return 0;
#endif
}

double bf16() { return std::max({bf16_tiles(), bf16_dots(), fma()}); }
double int8() { return std::max(int8_tiles(), int8_dots()); }

struct Limit {
  const char* name;
  double (*measure)();
};
constexpr Limit limits[] = {
    {"copy", copy}, {"read", read}, {"fma", fma}, {"bf16", bf16}, {"int8", int8}};

}  // namespace

int main(int argc, char** argv) {
  for (const Limit& limit : limits) {
    if (argc < 2 || std::strcmp(argv[1], limit.name) == 0)
      std::printf("%s %.6g\n", limit.name, limit.measure());
  }
}
