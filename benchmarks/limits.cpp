// Measures the machine's limits with all its cores and prints "name value" lines, in bytes or
// operations a second: copy (bytes read plus bytes written by memcpy), read, fma (float32), bf16
// and int8 (dot instructions; without them bf16 is fma's, for elements are converted, and int8 0).
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

namespace {

const int threads = static_cast<int>(std::thread::hardware_concurrency());

double best_seconds(const std::function<void(int)>& body) {
  double best = 1e9;
  for (int round = 0; round < 12; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (int t = 1; t < threads; ++t) pool.emplace_back(body, t);
    body(0);
    for (auto& thread : pool) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds < best) best = seconds;
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

}  // namespace

int main() {
  const size_t bytes = size_t{256} << 20;
  char* from = static_cast<char*>(std::aligned_alloc(size_t{2} << 20, bytes));
  char* to = static_cast<char*>(std::aligned_alloc(size_t{2} << 20, bytes));
  std::memset(from, 1, bytes);
  std::memset(to, 1, bytes);
  const size_t part = bytes / threads;
  std::printf("copy %.6g\n",
              rate(2.0 * bytes, [&](int t) { std::memcpy(to + t * part, from + t * part, part); }));
  std::printf("read %.6g\n", rate(bytes, [&](int t) {
                const wide* p = reinterpret_cast<const wide*>(from + t * part);
                wide sums[8] = {};
                for (size_t i = 0; i + 8 <= part / sizeof(wide); i += 8) {
                  for (int u = 0; u < 8; ++u) sums[u] += p[i + u];
                }
                wide total = sums[0];
                for (int u = 1; u < 8; ++u) total += sums[u];
                sink = total[0];
              }));

  constexpr long steps = 20'000'000;
  constexpr int chains = 12;
  const double fma = rate(2.0 * (width / 4) * chains * steps * threads, [&](int) {
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
  std::printf("fma %.6g\n", fma);
#if defined(__AVX512BF16__)
  std::printf("bf16 %.6g\n", rate(64.0 * chains * steps * threads, [&](int) {
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
              }));
#else
  std::printf("bf16 %.6g\n", fma);
#endif
#if defined(__AVX512VNNI__)
  std::printf("int8 %.6g\n", rate(128.0 * chains * steps * threads, [&](int) {
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
                for (int u = 0; u < chains; ++u)
                  sink = static_cast<float>(_mm512_cvtsi512_si32(sums[u]));
              }));
#else
  std::printf("int8 0\n");
#endif
  std::free(from);
  std::free(to);
}
